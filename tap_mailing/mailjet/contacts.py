"""Mailjet's contacts, with their property values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, compress
from operator import not_
from typing import Final

from mailing_api import values
from mailing_api.mailjet.answers import valued_rows
from mailing_api.settings import lookup
from tap_mailing.mailjet.properties import PropertyValues
from tap_mailing.mailjet.provider import INCLUDE_ANONYMIZED
from tap_mailing.mailjet.stream import MailjetStream, ids
from tap_mailing.records.columns import (
    FLAG,
    Column,
    Row,
    boolean,
    computed,
    identifier,
    integer,
    mapping,
    text,
    timestamp,
)
from tap_mailing.streams.merge import matched

__all__ = ["Contacts"]


_ANONYMIZED: Final = "Anonymized"
_ANONYMIZED_ADDRESS: Final = re.compile(r"\\x[0-9a-f]+@domain\.invalid", re.IGNORECASE)


def _are_anonymized(rows: Sequence[Row]) -> Sequence[bool]:
    """Whether contacts were deleted, by their name and address."""
    if _ANONYMIZED not in [row.get("Name") for row in rows]:
        return [False] * len(rows)
    return [
        row.get("Name") == _ANONYMIZED and _ANONYMIZED_ADDRESS.fullmatch(str(row.get("Email"))) is not None
        for row in rows
    ]


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
        mapping("properties", "contactdata"),
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
        Column(name="is_anonymized", schema=FLAG, fields=("Email", "Name"), fill=_are_anonymized),
    )

    def filters(self) -> dict[str, str]:
        """Include anonymized contacts if the setting says so."""
        return {"IncludeAnonymized": "true"} if self._include_anonymized else {}

    def read(self, _since: str | None) -> Iterator[Sequence[Row]]:
        """All contacts; if `properties` is selected, a second, concurrent walk reads their values."""
        pages = self._with_properties() if self.wants("properties") else super().read(_since)
        for page in pages:
            is_gone = [] if self._include_anonymized else _are_anonymized(page)
            yield list(compress(page, map(not_, is_gone))) if any(is_gone) else page

    @property
    def _include_anonymized(self) -> bool:
        return bool(lookup(INCLUDE_ANONYMIZED, self.config))

    def _with_properties(self) -> Iterator[Sequence[Row]]:
        properties = PropertyValues(chain.from_iterable(self.walk({}, resource="contactmetadata")))
        self.count.listing = contacts = self.walk(self.filters(), share=2)
        data = self.walk(self.filters(), resource="contactdata", share=2, read=valued_rows)
        for page, data_rows in matched(contacts, data, ids):
            having = [row["Data"] if row is not None else {} for row in data_rows]
            properties.read(having)
            for row, found in zip(page, having, strict=True):
                row["contactdata"] = found or None
            yield page
