"""Mailjet's contacts, with their property values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from mailing_api import values
from mailing_api.errors import UnreadableAnswer
from mailing_api.settings import lookup
from tap_mailing.mailjet.provider import INCLUDE_ANONYMIZED
from tap_mailing.mailjet.stream import MailjetStream, by_id
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
        definitions = list(chain.from_iterable(self.walk({}, resource="contactmetadata")))
        # If two definitions have the same name, the static definition applies: `historic` is an older kind.
        definitions.sort(key=lambda row: str(row.get("NameSpace")).lower() == "static")
        casts = {str(row.get("Name")): _CASTS.get(str(row.get("Datatype")).lower(), values.text) for row in definitions}
        contacts = self.walk(self.filters(), share=2)
        data = self.walk(self.filters(), resource="contactdata", share=2)
        for page, data_rows in matched(contacts, data, by_id):
            for row in page:
                row["contactdata"] = _properties(data_rows.get(by_id(row)), casts)
            yield page


_CASTS: dict[str, Callable[[Any], Any]] = {
    "int": values.integer,
    "float": values.number,
    "bool": values.boolean,
    "datetime": values.date_time,
}


def _properties(row: Row | None, casts: Mapping[Any, Callable[[Any], Any]]) -> dict[str, Any] | None:
    if row is None:
        return None
    try:
        return {(name := item["Name"]): casts[name](item["Value"]) for item in row["Data"]} or None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        pass
    try:
        return {
            str(item["Name"]): _cast(item.get("Value"), casts.get(item["Name"], values.text))
            for item in row.get("Data") or ()
        } or None
    except (AttributeError, LookupError, TypeError):
        raise UnreadableAnswer("Mailjet contactdata: field Data is not an array of names and values.") from None


def _cast(value: Any, cast: Callable[[Any], Any]) -> Any:
    """The value in its defined type; a value of another type as a string, arrays and objects as JSON."""
    try:
        return cast(value)
    except (ArithmeticError, TypeError, ValueError):
        return json.dumps(value) if isinstance(value, (dict, list)) else values.text(value)
