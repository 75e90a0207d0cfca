"""MPDX's contacts: households, churches and companies, with their postal addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from mailing_api import values
from mailing_api.countries import country_code
from tap_mailing.mpdx.stream import MpdxStream
from tap_mailing.records.columns import (
    FLAG,
    TEXT,
    TIMESTAMP,
    Column,
    Row,
    boolean,
    computed,
    identifier,
    integer,
    number,
    objects,
    reading,
    text,
    text_array,
    timestamp,
)

__all__ = ["EVERY_STATUS", "Contacts", "address_country", "identifiers", "is_left_alone"]

#: Without this filter MPDX omits hidden contacts, so the stream would miss a contact that becomes hidden.
EVERY_STATUS = "active,hidden,null"

#: The statuses that MPDX treats as hidden.
_HIDDEN = frozenset({"Not Interested", "Unresponsive", "Never Ask", "Research Abandoned", "Expired Referral"})

_BY_NEWSLETTER = {"Physical": "subscribed", "Both": "subscribed", "Email": "excluded", "None": "unsubscribed"}

#: The street of an address from which mail was returned.
_UNDELIVERABLE = "(UNDELIVERABLE)"

_ADDRESS_FIELDS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("id", "street", "city", "state", "postal_code", "country", "region", "metro_area"), TEXT),
    **dict.fromkeys(("location", "source", "start_date", "end_date"), TEXT),
    **dict.fromkeys(("primary_mailing_address", "historic", "seasonal", "valid_values"), FLAG),
    **dict.fromkeys(("created_at", "updated_at"), TIMESTAMP),
}


def identifiers(name: str, field: str) -> Column:
    """A column with the IDs of linked resources."""
    return text_array(name, field, unset=[])


def address_country(country: str | None, home: str | None) -> str | None:
    """The ISO code of an address. MPDX omits the country of an address in the account list's home country."""
    return country_code(country) if country else country_code(home) or "US"


def _mailing_address(row: Row) -> Mapping[str, Any]:
    """The primary address, or the first in MPDX's order, without historic and undeliverable addresses."""
    usable = [
        address
        for address in row.get("addresses") or ()
        if not address.get("historic") and str(address.get("street") or "").strip().upper() != _UNDELIVERABLE
    ]
    primary = (address for address in usable if address.get("primary_mailing_address"))
    return next(primary, usable[0] if usable else {})


def _lines(row: Row) -> list[str]:
    lines = (line.strip() for line in str(_mailing_address(row).get("street") or "").splitlines())
    return [line for line in lines if line]


def _country(row: Row) -> str | None:
    address = _mailing_address(row)
    return address_country(address.get("country"), row.get("home_country")) if address else None


def is_left_alone(row: Row) -> bool:
    """Whether a household must not be contacted."""
    return bool(row.get("deceased")) or row.get("status") in _HIDDEN


def _status(row: Row) -> str:
    if is_left_alone(row):
        return "excluded"
    return _BY_NEWSLETTER.get(row.get("send_newsletter") or "", "unknown")


def _is_organisation(row: Row) -> bool:
    return "," not in (row.get("name") or "")


def _name(row: Row) -> str | None:
    name = values.text(row.get("envelope_greeting")) or values.text(row.get("name"))
    return None if _is_organisation(row) and name == row.get("name") else name


def _part(column: str, field: str) -> Column:
    return computed(column, ("addresses",), lambda row: values.text(_mailing_address(row).get(field)))


class Contacts(MpdxStream):
    """Households with their postal addresses. E-mail addresses and opt-outs belong to people: see `People`."""

    name = "mpdx_contacts"
    kind = "contacts"
    path = "contacts"
    type = "contacts"
    bookmark_column = "updated_at"
    linked: ClassVar = {"addresses": [name for name in _ADDRESS_FIELDS if name != "id"]}
    ignored = frozenset({"home_country", "created_at"})
    columns = (
        identifier("id", "id"),
        computed("name", ("envelope_greeting", "name"), _name),
        computed("company", ("name",), lambda row: values.text(row.get("name")) if _is_organisation(row) else None),
        computed("address_line1", ("addresses",), lambda row: next(iter(_lines(row)), None)),
        computed("address_line2", ("addresses",), lambda row: ", ".join(_lines(row)[1:]) or None),
        _part("address_city", "city"),
        _part("address_region", "state"),
        _part("address_postal_code", "postal_code"),
        computed("address_country", ("addresses", "account_list"), _country),
        computed("subscription_status", ("send_newsletter", "status", "deceased"), _status),
        timestamp("created_at", "created_at"),
        timestamp("updated_at", "updated_at"),
        text("account_list_id", "account_list"),
        text("file_as", "name"),
        text("greeting", "greeting"),
        text("envelope_greeting", "envelope_greeting"),
        text("send_newsletter", "send_newsletter"),
        text("status", "status"),
        boolean("status_valid", "status_valid"),
        boolean("deceased", "deceased"),
        objects("addresses", "addresses", _ADDRESS_FIELDS),
        identifiers("person_ids", "people"),
        text("primary_person_id", "primary_person"),
        text("spouse_id", "spouse"),
        text_array("tags", "tag_list"),
        text("locale", "locale"),
        text("timezone", "timezone"),
        text("website", "website"),
        text("church_name", "church_name"),
        text("likely_to_give", "likely_to_give"),
        text("notes", "notes"),
        timestamp("notes_saved_at", "notes_saved_at"),
        text("preferred_contact_method", "preferred_contact_method"),
        text("relationship_code", "relationship_code"),
        text("source", "source"),
        timestamp("starred_at", "starred_at"),
        boolean("magazine", "magazine"),
        boolean("direct_deposit", "direct_deposit"),
        boolean("no_appeals", "no_appeals"),
        boolean("no_gift_aid", "no_gift_aid"),
        number("pledge_amount", "pledge_amount"),
        text("pledge_currency", "pledge_currency"),
        number("pledge_frequency", "pledge_frequency"),
        boolean("pledge_received", "pledge_received"),
        text("pledge_start_date", "pledge_start_date"),
        text("next_ask", "next_ask"),
        text("late_at", "late_at"),
        text("last_activity", "last_activity"),
        text("last_appointment", "last_appointment"),
        text("last_letter", "last_letter"),
        text("last_phone_call", "last_phone_call"),
        text("last_pre_call", "last_pre_call"),
        text("last_thank", "last_thank"),
        integer("uncompleted_tasks_count", "uncompleted_tasks_count"),
    )

    def filters(self) -> dict[str, str]:
        """All contacts, including hidden contacts."""
        return {"status": EVERY_STATUS}

    def required(self) -> Sequence[str]:
        """The status: without it, MPDX omits hidden contacts."""
        return ("status",)

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """Contacts that changed since then; a changed address changes its contact too."""
        for page in super().read(since):
            yield self._at_home(page)

    def sample(self, count: int) -> Sequence[Row]:
        """The first contacts."""
        return self._at_home(super().sample(count))

    def _at_home(self, page: Sequence[Row]) -> Sequence[Row]:
        if not self.wants("address_country"):
            return page
        homes = {account_list["id"]: account_list.get("home_country") for account_list in self.client.account_lists()}
        with reading(self.name, "account_list"):
            return [{**row, "home_country": homes.get(row.get("account_list"))} for row in page]
