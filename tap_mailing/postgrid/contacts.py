"""PostGrid's contacts, which are postal addresses, and their list memberships."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mailing_api import values
from mailing_api.countries import country_code
from mailing_api.errors import ConfigurationError, UnreadableAnswer
from tap_mailing.postgrid.stream import ChangesStream, PostgridStream
from tap_mailing.records.columns import (
    Row,
    boolean,
    computed,
    constant,
    flat_properties,
    full_name,
    identifier,
    mapping,
    text,
    timestamp,
)

__all__ = ["Contacts", "ListMembers"]

_LISTS = "mailingLists"


def _country(row: Row) -> str | None:
    code = values.text(row.get("countryCode"))
    return code.upper() if code else country_code(values.text(row.get("country")))


def _properties(row: Row) -> Row | None:
    metadata = row.get("metadata")
    return None if metadata is None else flat_properties(metadata)


def _list_ids(row: Row) -> list[str] | None:
    """The IDs of a contact's lists. PostGrid returns IDs, or objects with IDs: which is unverified."""
    lists = row.get(_LISTS)
    return None if lists is None else list(map(_list_id, lists))


def _list_id(value: Any) -> str:
    number = value["id"] if isinstance(value, dict) else value
    if not isinstance(number, str) or not number:
        raise ValueError("a list without its ID")
    return number


class Contacts(ChangesStream):
    """The addresses that were created one by one, without the people of imports."""

    name = "postgrid_contacts"
    kind = "contacts"
    resource = "contacts"
    columns = (
        identifier("id", "id"),
        text("email", "email"),
        full_name("name", "firstName", "lastName"),
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
    """The list memberships of contacts, from the contacts: PostGrid does not list the members of a list."""

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

    def read(self, _since: str | None) -> Iterator[Sequence[Row]]:
        """All memberships.

        Raises:
            ConfigurationError: there are contacts, but no contact has its lists.
        """
        lists_missing: set[bool] = set()
        for page in self.client.rows(self.resource, ahead=self.concurrency):
            lists_missing |= {_LISTS not in row for row in page}
            yield self.shaped(page)
        if lists_missing == {True}:
            raise ConfigurationError(
                f"Stream {self.name}: PostGrid does not return the lists of contacts in this account. Deselect the "
                "stream."
            )

    def shaped(self, page: Sequence[Row]) -> Sequence[Row]:
        """A row for each list of each contact."""
        try:
            lists = list(map(_list_ids, page))
        except (LookupError, TypeError, ValueError):
            raise UnreadableAnswer(f"Stream {self.name}: field {_LISTS} has an entry without a list's ID.") from None
        return [
            {"list": list_id, **{name: row.get(name) for name in ("id", "email", "live")}}
            for row, ids in zip(page, lists, strict=True)
            for list_id in ids or ()
        ]
