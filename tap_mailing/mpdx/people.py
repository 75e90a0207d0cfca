"""MPDX's people: who is in the households, with e-mail addresses, phone numbers and opt-outs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from mailing_api import values
from tap_mailing.mpdx.contacts import EVERY_STATUS, identifiers, is_left_alone
from tap_mailing.mpdx.stream import MpdxStream, distinct
from tap_mailing.records.columns import (
    TIMESTAMP,
    Row,
    boolean,
    computed,
    identifier,
    integer,
    objects,
    reading,
    text,
    timestamp,
)

__all__ = ["People"]

_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_FLAG: dict[str, Any] = {"type": ["boolean", "null"]}

_REACH: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("location", "source"), _TEXT),
    **dict.fromkeys(("primary", "historic", "valid_values"), _FLAG),
    **dict.fromkeys(("created_at", "updated_at"), TIMESTAMP),
}
_EMAIL = {"id": _TEXT, "email": _TEXT, **_REACH}
_PHONE = {"id": _TEXT, "number": _TEXT, "country_code": _TEXT, **_REACH}


def _primary(relationship: str, field: str, row: Row) -> str | None:
    """The primary one, unless it is historic: MPDX itself writes to no other."""
    found = (one for one in row.get(relationship) or () if one.get("primary") and not one.get("historic"))
    return next((values.text(one.get(field)) for one in found), None)


def _name(row: Row) -> str | None:
    return " ".join(filter(None, (values.text(row.get("first_name")), values.text(row.get("last_name"))))) or None


#: What a household's newsletter says of e-mail. None is no opt-out of these people: they are only not written to.
_BY_NEWSLETTER = {"Email": "subscribed", "Both": "subscribed", "Physical": "excluded", "None": "excluded"}


def _wish(household: Row) -> str:
    if is_left_alone(household):
        return "excluded"
    return _BY_NEWSLETTER.get(household.get("send_newsletter") or "", "unknown")


def _status(row: Row) -> str:
    """One's own opt-out decides, else the household that wants most; MPDX itself writes by e-mail to no others."""
    if values.boolean(row.get("optout_enewsletter")):
        return "unsubscribed"
    if values.boolean(row.get("deceased")):
        return "excluded"
    wishes = {row["wishes"].get(one, "unknown") for one in row.get("parent_contacts") or ()} or {"unknown"}
    return next(wish for wish in ("subscribed", "unknown", "excluded") if wish in wishes)


class People(MpdxStream):
    """Everybody in the households, each once, with what their households want by e-mail.

    An opt-out that Mailchimp reports to MPDX does not move `updated_at`, so only reading in full finds it.
    """

    name = "mpdx_people"
    kind = "contacts"
    path = "contacts/people"
    type = "people"
    bookmark_column = "updated_at"
    ignored = frozenset({"wishes"})
    linked: ClassVar = {
        "email_addresses": [name for name in _EMAIL if name != "id"],
        "phone_numbers": [name for name in _PHONE if name != "id"],
    }
    columns = (
        identifier("id", "id"),
        computed("email", ("email_addresses",), lambda row: _primary("email_addresses", "email", row)),
        computed("name", ("first_name", "last_name"), _name),
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
        """People of hidden households too; whether MPDX would leave them out is unverified."""
        return {"contact_status": EVERY_STATUS}

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """People who changed since then; MPDX may list a person once for each of their households."""
        pages = distinct(self.name, super().read(since), "parent_contacts")
        wishes: dict[str, str] = {}
        for at, page in enumerate(pages):
            if at == 0 and page and self.wants("subscription_status"):
                wishes = self._wishes()
            yield [{**row, "wishes": wishes} for row in page]

    def sample(self, count: int) -> Sequence[Row]:
        """The first people."""
        return [{**row, "wishes": {}} for row in super().sample(count)]

    def _wishes(self) -> dict[str, str]:
        """What each household wants by e-mail, by ID. A household that is left out is one that nobody knows of."""
        pages = self.client.rows(
            "contacts",
            filters=self.client.scope() | {"status": EVERY_STATUS},
            applied=["status"],
            fields={"contacts": ("deceased", "send_newsletter", "status")},
        )
        wishes: dict[str, str] = {}
        for page in pages:
            with reading(self.name, "deceased, send_newsletter or status"):
                wishes |= {row["id"]: _wish(row) for row in page}
        return wishes

    def _attributes(self) -> set[str]:
        return super()._attributes() | {"parent_contacts"}
