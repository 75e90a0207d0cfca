"""MPDX's people: the members of households, with e-mail addresses, phone numbers and opt-outs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from mailing_api import values
from tap_mailing.mpdx.contacts import EVERY_STATUS, identifiers, is_left_alone
from tap_mailing.mpdx.stream import MpdxStream
from tap_mailing.records.columns import (
    FLAG,
    TEXT,
    TIMESTAMP,
    Row,
    boolean,
    computed,
    full_name,
    identifier,
    integer,
    objects,
    reading,
    text,
    timestamp,
)

__all__ = ["People"]

_CHANNEL: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("location", "source"), TEXT),
    **dict.fromkeys(("primary", "historic", "valid_values"), FLAG),
    **dict.fromkeys(("created_at", "updated_at"), TIMESTAMP),
}
_EMAIL = {"id": TEXT, "email": TEXT, **_CHANNEL}
_PHONE = {"id": TEXT, "number": TEXT, "country_code": TEXT, **_CHANNEL}


def _primary(relationship: str, field: str, row: Row) -> str | None:
    """The primary address or number, unless it is historic: MPDX uses no other."""
    items = (item for item in row.get(relationship) or () if item.get("primary") and not item.get("historic"))
    return next((values.text(item.get(field)) for item in items), None)


#: What a household's newsletter setting means for e-mail. None is not an opt-out: these people get no newsletter.
_BY_NEWSLETTER = {"Email": "subscribed", "Both": "subscribed", "Physical": "excluded", "None": "excluded"}


def _household_status(household: Row) -> str:
    if is_left_alone(household):
        return "excluded"
    return _BY_NEWSLETTER.get(household.get("send_newsletter") or "", "unknown")


def _status(row: Row) -> str:
    """The person's own opt-out, or else the most permissive status of the households, as in MPDX itself."""
    if values.boolean(row.get("optout_enewsletter")):
        return "unsubscribed"
    if values.boolean(row.get("deceased")):
        return "excluded"
    households = row.get("parent_contacts") or ()
    statuses = {row["household_statuses"].get(household, "unknown") for household in households} or {"unknown"}
    return next(status for status in ("subscribed", "unknown", "excluded") if status in statuses)


class People(MpdxStream):
    """The people of all households, each once; the newsletter setting of their households is part of their status.

    An opt-out that Mailchimp reports to MPDX does not change `updated_at`, so only a full read finds it.
    """

    name = "mpdx_people"
    kind = "contacts"
    path = "contacts/people"
    type = "people"
    bookmark_column = "updated_at"
    ignored = frozenset({"household_statuses"})
    linked: ClassVar = {
        "email_addresses": [name for name in _EMAIL if name != "id"],
        "phone_numbers": [name for name in _PHONE if name != "id"],
    }
    columns = (
        identifier("id", "id"),
        computed("email", ("email_addresses",), lambda row: _primary("email_addresses", "email", row)),
        full_name("name", "first_name", "last_name"),
        text("first_name", "first_name"),
        text("last_name", "last_name"),
        text("company", "employer"),
        text("job_title", "occupation"),
        computed("phone", ("phone_numbers",), lambda row: _primary("phone_numbers", "number", row)),
        computed("subscription_status", ("optout_enewsletter", "deceased", "parent_contacts"), _status),
        timestamp("created_at", "created_at"),
        timestamp("updated_at", "updated_at"),
        identifiers("contact_ids", "parent_contacts"),
        boolean("optout_enewsletter", "optout_enewsletter"),
        boolean("deceased", "deceased"),
        objects("email_addresses", "email_addresses", _EMAIL),
        objects("phone_numbers", "phone_numbers", _PHONE),
        text("middle_name", "middle_name"),
        text("legal_first_name", "legal_first_name"),
        text("title", "title"),
        text("suffix", "suffix"),
        text("gender", "gender"),
        text("marital_status", "marital_status"),
        text("alma_mater", "alma_mater"),
        integer("anniversary_day", "anniversary_day"),
        integer("anniversary_month", "anniversary_month"),
        integer("anniversary_year", "anniversary_year"),
        integer("birthday_day", "birthday_day"),
        integer("birthday_month", "birthday_month"),
        integer("birthday_year", "birthday_year"),
        integer("age", "age"),
    )

    def filters(self) -> dict[str, str]:
        """Include people of hidden households; whether MPDX omits them otherwise is unverified."""
        return {"contact_status": EVERY_STATUS}

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """People who changed since then."""
        statuses: dict[str, str] = {}
        for number, page in enumerate(self._distinct(super().read(since))):
            if number == 0 and page and self.wants("subscription_status"):
                statuses = self._household_statuses()
            yield [{**row, "household_statuses": statuses} for row in page]

    def sample(self, count: int) -> Sequence[Row]:
        """The first people."""
        return [{**row, "household_statuses": {}} for row in super().sample(count)]

    def _distinct(self, pages: Iterable[Sequence[Row]]) -> Iterator[Sequence[Row]]:
        """The pages, each person once: MPDX may list a person again for each of several households."""
        seen: set[str] = set()
        for page in pages:
            people = []
            with reading(self.name, "parent_contacts"):
                for row in page:
                    if len(row.get("parent_contacts") or ()) > 1:
                        if row["id"] in seen:
                            continue
                        seen.add(row["id"])
                    people.append(row)
            yield people

    def _household_statuses(self) -> dict[str, str]:
        """The e-mail status of each household, by ID."""
        pages = self.client.rows(
            "contacts",
            filters=self.client.scope() | {"status": EVERY_STATUS},
            applied=["status"],
            fields={"contacts": ("deceased", "send_newsletter", "status")},
        )
        statuses: dict[str, str] = {}
        for page in pages:
            with reading(self.name, "deceased, send_newsletter or status"):
                statuses |= {row["id"]: _household_status(row) for row in page}
        return statuses

    def _attributes(self) -> set[str]:
        return super()._attributes() | {"parent_contacts"}
