"""Mailjet's contacts, with their property values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from mailing_api import values
from mailing_api.mailjet.answers import valued_rows
from mailing_api.settings import lookup
from tap_mailing.mailjet.properties import PropertyValues
from tap_mailing.mailjet.provider import INCLUDE_ANONYMIZED
from tap_mailing.mailjet.stream import MailjetStream, ids
from tap_mailing.records.columns import FLAG, Row, boolean, computed, identifier, integer, text, timestamp
from tap_mailing.streams.merge import matched

__all__ = ["Contacts"]


def _is_anonymized(row: Row) -> bool:
    return row.get("Name") == "Anonymized" and _ANONYMIZED_ADDRESS.fullmatch(str(row.get("Email"))) is not None


_ANONYMIZED_ADDRESS = re.compile(r"\\x[0-9a-f]+@domain\.invalid", re.IGNORECASE)


def _contact_status(row: Row) -> str:
    if row.get("IsExcludedFromCampaigns") is row.get("IsSpamComplaining") is row.get("IsOptInPending") is False:
        return "unknown"
    if values.boolean(row.get("IsExcludedFromCampaigns")) or values.boolean(row.get("IsSpamComplaining")):
        return "excluded"
    return "pending" if values.boolean(row.get("IsOptInPending")) else "unknown"


class Contacts(MailjetStream):
    """All contacts of the account. Subscriptions belong to lists: see the list members."""

    name = "mailjet_contacts"
    kind = "contacts"
    resource = "contact"
    columns = (
        identifier("id", "ID"),
        text("email", "Email"),
        text("name", "Name"),
        computed(
            "subscription_status",
            ("IsExcludedFromCampaigns", "IsSpamComplaining", "IsOptInPending"),
            _contact_status,
        ),
        computed("properties", ("contactdata",), lambda row: row.get("contactdata")),
        timestamp("created_at", "CreatedAt"),
        timestamp("updated_at", "LastUpdateAt"),
        boolean("is_excluded_from_campaigns", "IsExcludedFromCampaigns"),
        timestamp("exclusion_from_campaigns_updated_at", "ExclusionFromCampaignsUpdatedAt"),
        boolean("is_opt_in_pending", "IsOptInPending"),
        boolean("is_spam_complaining", "IsSpamComplaining"),
        integer("delivered_count", "DeliveredCount"),
        timestamp("last_activity_at", "LastActivityAt"),
        timestamp("unsubscribed_at", "UnsubscribedAt"),
        text("unsubscribed_by", "UnsubscribedBy"),
        computed("is_anonymized", ("Email", "Name"), _is_anonymized, FLAG),
    )

    def filters(self) -> dict[str, str]:
        """Include anonymized contacts if the setting says so."""
        return {"IncludeAnonymized": "true"} if self._include_anonymized else {}

    def read(self, _since: str | None) -> Iterator[Sequence[Row]]:
        """All contacts; if `properties` is selected, a second, concurrent walk reads their values."""
        pages = self._with_properties() if self.wants("properties") else self.walk(self.filters())
        for page in pages:
            yield page if self._include_anonymized else [row for row in page if not _is_anonymized(row)]

    @property
    def _include_anonymized(self) -> bool:
        return bool(lookup(INCLUDE_ANONYMIZED, self.config))

    def _with_properties(self) -> Iterator[Sequence[Row]]:
        properties = PropertyValues(chain.from_iterable(self.walk({}, resource="contactmetadata")))
        contacts = self.walk(self.filters(), share=2)
        data = self.walk(self.filters(), resource="contactdata", share=2, read=valued_rows)
        for page, data_rows in matched(contacts, data, ids):
            properties.read([row["Data"] for row in data_rows if row is not None])
            for row, data_row in zip(page, data_rows, strict=True):
                row["contactdata"] = (data_row and data_row["Data"]) or None
            yield page
