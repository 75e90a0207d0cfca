"""The tap that anybody would write for Mailjet contacts with the SDK's REST stream and its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BasicAuthenticator
from singer_sdk.pagination import OffsetPaginator

TEXTS = (
    *("provider", "account", "id", "email", "name", "first_name", "last_name", "company", "job_title", "phone"),
    *("address_line1", "address_line2", "address_city", "address_region", "address_postal_code", "address_country"),
    *("subscription_status", "unsubscribed_by"),
)
MOMENTS = ("created_at", "updated_at", "exclusion_from_campaigns_updated_at", "last_activity_at", "unsubscribed_at")
FLAGS = ("is_excluded_from_campaigns", "is_opt_in_pending", "is_spam_complaining", "is_anonymized")


class Contacts(RESTStream):
    name = "contacts"
    path = "/v3/REST/contact"
    primary_keys: ClassVar[list[str]] = ["ID"]
    replication_key = None
    records_jsonpath = "$.Data[*]"
    schema = th.PropertiesList(
        th.Property("ID", th.IntegerType),
        th.Property("Email", th.StringType),
        th.Property("Name", th.StringType),
        th.Property("CreatedAt", th.DateTimeType),
        th.Property("LastUpdateAt", th.DateTimeType),
        th.Property("LastActivityAt", th.DateTimeType),
        th.Property("ExclusionFromCampaignsUpdatedAt", th.DateTimeType),
        th.Property("UnsubscribedAt", th.DateTimeType),
        th.Property("UnsubscribedBy", th.StringType),
        th.Property("DeliveredCount", th.IntegerType),
        th.Property("IsExcludedFromCampaigns", th.BooleanType),
        th.Property("IsOptInPending", th.BooleanType),
        th.Property("IsSpamComplaining", th.BooleanType),
    ).to_dict()

    @property
    def url_base(self) -> str:
        return self.config["base_url"]

    @property
    def authenticator(self) -> BasicAuthenticator:
        return BasicAuthenticator(username=self.config["api_key"], password=self.config["secret_key"])

    def get_new_paginator(self) -> OffsetPaginator:
        return OffsetPaginator(start_value=0, page_size=1000)

    def get_url_params(self, context: Mapping[str, Any] | None, next_page_token: int | None) -> dict[str, Any]:  # noqa: ARG002
        return {"Limit": 1000, "Offset": next_page_token or 0, "Sort": "ID"}

    def post_process(self, row: dict[str, Any], context: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: ARG002
        for field in (
            "CreatedAt",
            "LastUpdateAt",
            "LastActivityAt",
            "ExclusionFromCampaignsUpdatedAt",
            "UnsubscribedAt",
        ):
            row[field] = row[field] or None
        return row


class SharedContacts(Contacts):
    """The same contacts with the columns that all providers share, as our tap writes them."""

    name = "shared_contacts"
    primary_keys: ClassVar[list[str]] = ["account", "id"]
    schema = th.PropertiesList(
        *(th.Property(name, th.StringType) for name in TEXTS),
        *(th.Property(name, th.DateTimeType) for name in MOMENTS),
        *(th.Property(name, th.BooleanType) for name in FLAGS),
        th.Property("delivered_count", th.IntegerType),
    ).to_dict()

    def post_process(self, row: dict[str, Any], context: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: ARG002
        status = "unknown"
        if row["IsExcludedFromCampaigns"] or row["IsSpamComplaining"]:
            status = "excluded"
        elif row["IsOptInPending"]:
            status = "pending"
        return {
            "provider": "mailjet",
            "account": "default",
            "id": str(row["ID"]),
            "email": row["Email"],
            "name": row["Name"] or None,
            "first_name": None,
            "last_name": None,
            "company": None,
            "job_title": None,
            "phone": None,
            "address_line1": None,
            "address_line2": None,
            "address_city": None,
            "address_region": None,
            "address_postal_code": None,
            "address_country": None,
            "subscription_status": status,
            "created_at": row["CreatedAt"] or None,
            "updated_at": row["LastUpdateAt"] or None,
            "is_excluded_from_campaigns": row["IsExcludedFromCampaigns"],
            "exclusion_from_campaigns_updated_at": row["ExclusionFromCampaignsUpdatedAt"] or None,
            "is_opt_in_pending": row["IsOptInPending"],
            "is_spam_complaining": row["IsSpamComplaining"],
            "delivered_count": row["DeliveredCount"],
            "last_activity_at": row["LastActivityAt"] or None,
            "unsubscribed_at": row["UnsubscribedAt"] or None,
            "unsubscribed_by": row["UnsubscribedBy"] or None,
            "is_anonymized": row["Name"] == "Anonymized",
        }


class OrdinaryTap(Tap):
    name = "ordinary-tap"
    config_jsonschema = th.PropertiesList(
        th.Property("base_url", th.StringType, required=True),
        th.Property("api_key", th.StringType, required=True, secret=True),
        th.Property("secret_key", th.StringType, required=True, secret=True),
        th.Property("shared_columns", th.BooleanType, default=False),
    ).to_dict()

    def discover_streams(self) -> list[Contacts]:
        return [SharedContacts(self) if self.config["shared_columns"] else Contacts(self)]


if __name__ == "__main__":
    OrdinaryTap.cli()
