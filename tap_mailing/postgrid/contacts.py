"""PostGrid's contacts, which are postal addresses, and the lists that they are on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from mailing_api import values
from mailing_api.countries import country_code
from mailing_api.errors import ConfigurationError, UnreadableAnswer
from tap_mailing.postgrid.stream import ChangesStream, PostgridStream
from tap_mailing.records.columns import Row, boolean, computed, constant, identifier, mapping, text, timestamp

__all__ = ["Contacts", "ListMembers"]

_LISTS = "mailingLists"


def _name(row: Row) -> str | None:
    return " ".join(filter(None, (values.text(row.get("firstName")), values.text(row.get("lastName"))))) or None


def _country(row: Row) -> str | None:
    code = values.text(row.get("countryCode"))
    return code.upper() if code else country_code(values.text(row.get("country")))


def _properties(row: Row) -> Row | None:
    """The metadata, whose values may be anything, as the kind wants them."""
    metadata = row.get("metadata")
    if metadata is None:
        return None
    return {
        key: msgspec.json.encode(value).decode() if isinstance(value, (dict, list)) else value
        for key, value in metadata.items()
    }


def _list_ids(row: Row) -> list[str] | None:
    """The lists that a contact is on: IDs, or objects that have one (which of both is unverified)."""
    found = row.get(_LISTS)
    if found is None:
        return None
    return [_list_id(one["id"] if isinstance(one, dict) else one) for one in found]


def _list_id(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a list without its ID")
    return value


class Contacts(ChangesStream):
    """The addresses that were created one by one. People of imports are not among them."""

    name = "postgrid_contacts"
    kind = "contacts"
    resource = "contacts"
    columns = (
        identifier("id", "id"),
        text("email", "email"),
        computed("name", ("firstName", "lastName"), _name),
        text("first_name", "firstName"),
        text("last_name", "lastName"),
        text("company", "companyName"),
        text("job_title", "jobTitle"),
        text("phone", "phoneNumber"),
        text("address_line1", "addressLine1"),
        text("address_line2", "addressLine2"),
        text("address_city", "city"),
        text("address_region", "provinceOrState"),
        text("address_postal_code", "postalOrZip"),
        computed("address_country", ("countryCode", "country"), _country),
        computed("properties", ("metadata",), _properties),
        timestamp("created_at", "createdAt"),
        timestamp("updated_at", "updatedAt"),
        boolean("live", "live"),
        text("description", "description"),
        mapping("metadata", "metadata"),
        text("country", "country"),
        text("address_status", "addressStatus"),
        text("address_errors", "addressErrors"),
        boolean("skip_verification", "skipVerification"),
        boolean("force_verified_status", "forceVerifiedStatus"),
        boolean("secret", "secret"),
        computed("mailing_list_ids", (_LISTS,), _list_ids, {"type": ["array", "null"], "items": {"type": "string"}}),
    )


class ListMembers(PostgridStream):
    """Which contact is on which list, as far as contacts tell: PostGrid has no listing of a list's members."""

    name = "postgrid_list_members"
    kind = "list_members"
    resource = "contacts"
    selected_by_default = False
    columns = (
        computed("id", ("list", "id"), lambda row: f"{row['list']}/{row['id']}"),
        identifier("list_id", "list"),
        identifier("contact_id", "id"),
        text("email", "email"),
        constant("subscription_status", {}, "subscribed"),
        boolean("live", "live"),
    )

    def read(self, since: str | None) -> Iterator[Sequence[Row]]:
        """All memberships.

        Raises:
            ConfigurationError: there are contacts, and none of them tells its lists.
        """
        del since
        contacts = telling = 0
        for page in self.client.rows(self.resource, ahead=self.concurrency):
            contacts += len(page)
            telling += sum(_LISTS in row for row in page)
            yield self.shaped(page)
        if contacts and not telling:
            raise ConfigurationError(
                f"Stream {self.name}: PostGrid does not tell here which lists a contact is on. Take the stream out of "
                "the selection."
            )

    def shaped(self, page: Sequence[Row]) -> Sequence[Row]:
        """A row for each list of each contact."""
        try:
            lists = list(map(_list_ids, page))
        except (LookupError, TypeError, ValueError):
            raise UnreadableAnswer(f"Stream {self.name}: field {_LISTS} holds something that names no list.") from None
        about = ("id", "email", "live")
        return [
            {"list": one, **{name: row.get(name) for name in about}}
            for row, ids in zip(page, lists, strict=True)
            for one in ids or ()
        ]
