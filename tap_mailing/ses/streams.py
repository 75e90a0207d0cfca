"""Amazon SES's streams for its account, lists and topics; the other streams have modules of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mailing_api.ses.answers import flat
from tap_mailing.records.columns import Row, boolean, identifier, moment, number, text, text_array
from tap_mailing.ses.contacts import ContactDetails, Contacts
from tap_mailing.ses.import_jobs import ImportJobDetails, ImportJobs
from tap_mailing.ses.stream import ContactLists, SesStream, objects
from tap_mailing.ses.suppressions import SuppressionDetails, Suppressions

__all__ = ["STREAMS"]

_TOPIC = {
    "TopicName": "topic_name",
    "DisplayName": "display_name",
    "Description": "description",
    "DefaultSubscriptionStatus": "default_subscription_status",
}
_CONFIDENCE = "SuppressionAttributes.ValidationAttributes.ConditionThreshold"


class MailingLists(SesStream):
    """The contact lists; AWS allows one list in each region."""

    name = "ses_mailing_lists"
    kind = "mailing_lists"
    columns = (
        identifier("id", "ContactListName"),
        text("name", "ContactListName"),
        text("description", "Description"),
        moment("created_at", "CreatedTimestamp"),
        moment("updated_at", "LastUpdatedTimestamp"),
        identifier("region", "region"),
        objects("topics", "Topics", _TOPIC),
        objects("tags", "Tags", {"Key": "key", "Value": "value"}),
    )

    def pages(self, region: str, _since: str | None, _size: int | None) -> Iterator[Sequence[Row]]:
        """All lists."""
        yield [{**row} for row in self.connection.shared(ContactLists).lists(region)]


class Topics(SesStream):
    """The topics of the contact lists."""

    name = "ses_topics"
    keys = ("account", "region", "list_id", "id")
    columns = (
        identifier("id", "TopicName"),
        identifier("region", "region"),
        identifier("list_id", "ContactListName"),
        text("display_name", "DisplayName"),
        text("description", "Description"),
        text("default_subscription_status", "DefaultSubscriptionStatus"),
    )

    def pages(self, region: str, _since: str | None, _size: int | None) -> Iterator[Sequence[Row]]:
        """The topics of each list."""
        for row in self.connection.shared(ContactLists).lists(region):
            yield [{**topic, "ContactListName": row.get("ContactListName")} for topic in row.get("Topics") or ()]


class Account(SesStream):
    """The quotas, permissions and settings of the AWS account in each region."""

    name = "ses_account"
    columns = (
        identifier("id", "region"),
        identifier("region", "region"),
        boolean("production_access_enabled", "ProductionAccessEnabled"),
        boolean("sending_enabled", "SendingEnabled"),
        text("enforcement_status", "EnforcementStatus"),
        number("max_24_hour_send", "SendQuota.Max24HourSend"),
        number("max_send_rate", "SendQuota.MaxSendRate"),
        number("sent_last_24_hours", "SendQuota.SentLast24Hours"),
        text_array("suppressed_reasons", "SuppressionAttributes.SuppressedReasons"),
        text("condition_threshold_enabled", f"{_CONFIDENCE}.ConditionThresholdEnabled"),
        text("confidence_verdict_threshold", f"{_CONFIDENCE}.OverallConfidenceThreshold.ConfidenceVerdictThreshold"),
        boolean("dedicated_ip_auto_warmup_enabled", "DedicatedIpAutoWarmupEnabled"),
        text("mail_type", "Details.MailType"),
        text("website_url", "Details.WebsiteURL"),
        text("contact_language", "Details.ContactLanguage"),
        text("use_case_description", "Details.UseCaseDescription"),
        text_array("additional_contact_email_addresses", "Details.AdditionalContactEmailAddresses"),
        text("review_status", "Details.ReviewDetails.Status"),
        text("review_case_id", "Details.ReviewDetails.CaseId"),
        text("vdm_enabled", "VdmAttributes.VdmEnabled"),
        text("vdm_engagement_metrics", "VdmAttributes.DashboardAttributes.EngagementMetrics"),
        text("vdm_optimized_shared_delivery", "VdmAttributes.GuardianAttributes.OptimizedSharedDelivery"),
        text("current_plan", "PricingAttributes.CurrentPlan"),
        text("next_plan", "PricingAttributes.NextPlan"),
        text("shared_pool_delivery_mode", "DeliveryAttributes.SharedPoolDeliveryMode"),
    )

    def pages(self, region: str, _since: str | None, _size: int | None) -> Iterator[Sequence[Row]]:
        """The region's row."""
        yield [flat(self.client.describe(region))]


STREAMS: Final = (
    Account,
    ImportJobs,
    ImportJobDetails,
    MailingLists,
    Topics,
    Contacts,
    ContactDetails,
    Suppressions,
    SuppressionDetails,
)
