"""Filters of listings and exports by the names that MPDX knows; others are ignored (MPDX reference, filters)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mailing_sandbox.mpdx.names import envelope
from mailing_sandbox.mpdx.ranges import within
from mailing_sandbox.mpdx.records import ACTIVE, HIDDEN

if TYPE_CHECKING:
    from mailing_sandbox.mpdx.records import Contact, Person
    from mailing_sandbox.mpdx.switches import Switches

Values = Mapping[str, str]
Test = Callable[[Any], bool]

NEWSLETTERS: dict[str, frozenset[str | None]] = {
    "all": frozenset({"Physical", "Email", "Both"}),
    "address": frozenset({"Physical", "Both"}),
    "email": frozenset({"Email", "Both"}),
    "address_only": frozenset({"Physical"}),
    "email_only": frozenset({"Email"}),
    "both": frozenset({"Both"}),
    "none": frozenset({"None"}),
    "no_value": frozenset({None, ""}),
}


def words(text: str) -> list[str]:
    """Return the values of a comma list."""
    return [word.strip() for word in text.split(",") if word.strip()]


def statuses(text: str) -> frozenset[str | None]:
    """Return the statuses meant; `active` means those without any too, and so does no filter at all."""
    found: set[str | None] = set()
    for word in words(text) or ["active", "null"]:
        if word == "active":
            found |= {*ACTIVE, None, ""}
        elif word == "hidden":
            found |= {*HIDDEN}
        elif word == "null":
            found |= {None, ""}
        else:
            found.add(word)
    return frozenset(found)


def _of_set(pick: Callable[[Contact], Any]) -> Callable[[str], Test]:
    def build(text: str) -> Test:
        wanted = set(words(text))
        return lambda row: pick(row) in wanted

    return build


def _without_set(text: str) -> Test:
    unwanted = set(words(text))
    return lambda row: row.id not in unwanted


def _newsletter(text: str) -> Test:
    wanted = NEWSLETTERS.get(text)
    return lambda row: wanted is None or row.send_newsletter in wanted  # a word that MPDX does not know filters nothing


def _place(field: str) -> Callable[[str], Test]:
    def build(text: str) -> Test:
        wanted = set(words(text))

        def test(row: Contact) -> bool:
            # `none` means an address whose field is null, not a contact without an address, nor a blank one.
            found = {getattr(address, field) for address in row.addresses if not address.historic}
            return not wanted.isdisjoint("none" if value is None else value for value in found)

        return test

    return build


def _has(found: Callable[[Contact], Iterable[Any]]) -> Callable[[str], Test]:
    return lambda text: lambda row: any(found(row)) is (text == "Yes")


def _kind(text: str) -> Test:
    # Its donor accounts tell, not its people. As for `newsletter`, a word that MPDX does not know filters nothing.
    return lambda row: text not in ("person", "company") or row.company is (text == "company")


def _church(text: str) -> Test:
    wanted: set[str | None] = set(words(text))
    if "none" in wanted:
        wanted = {*wanted - {"none"}, None}
    return lambda row: row.church_name in wanted


def _wildcard(text: str) -> Test:
    part = text.lower()
    return lambda row: part in row.name.lower() or part in envelope(row).lower()


def _emails(contact: Contact) -> Iterable[bool]:
    return (not email.historic for person in contact.people for email in person.emails)


def _phones(contact: Contact) -> Iterable[bool]:
    return (not phone.historic for person in contact.people for phone in person.phones)


def updated(text: str) -> Test:
    """Return whether a row was changed in a range."""
    test = within(text)
    return lambda row: test(row.updated)


CONTACT: dict[str, Callable[[str], Test]] = {
    "ids": _of_set(lambda row: row.id),
    "not_ids": _without_set,
    "updated_at": updated,
    "newsletter": _newsletter,
    "city": _place("city"),
    "state": _place("state"),
    "country": _place("country"),
    "region": _place("region"),
    "metro_area": _place("metro_area"),
    "church": _church,
    "contact_type": _kind,
    "contact_info_addr": _has(lambda row: (not address.historic for address in row.addresses)),
    "contact_info_email": _has(_emails),
    "contact_info_phone": _has(_phones),
    "name_like": lambda text: lambda row: row.name.lower().startswith(text.lower()),
    "wildcard_search": _wildcard,
}
OTHER_CONTACT = ("account_list_id", "status", "tags", "any_tags", "exclude_tags", "reverse_exclude_tags")
CONTACT_NAMES = frozenset({*CONTACT, *OTHER_CONTACT, *(f"reverse_{name}" for name in CONTACT)})


def contact_test(values: Values, switches: Switches, *, reverse: bool) -> Test:
    """Return the test of contact filters, status among them; `reverse` tells whether `reverse_…` is understood."""
    wanted = statuses(values.get("status", ""))
    builders = {**CONTACT, **_by_tags(values, switches)}
    tests = [
        _negated(build(values[name])) if reverse and values.get(f"reverse_{name}") == "true" else build(values[name])
        for name, build in builders.items()
        if values.get(name, "") != ""
    ]
    combine = any if tests and switches.mpdx_any_filter and values.get("any_filter") == "true" else all
    return lambda row: row.status in wanted and combine(test(row) for test in tests)


def contact_names(switches: Switches) -> frozenset[str]:
    """Return the names of the filters that are understood."""
    return CONTACT_NAMES | ({"any_filter"} if switches.mpdx_any_filter else set())


def _by_tags(values: Values, switches: Switches) -> dict[str, Callable[[str], Test]]:
    def folded(tags: Iterable[str]) -> set[str]:
        return {tag.lower() for tag in tags} if switches.mpdx_tags == "folded" else set(tags)

    def tagged(text: str) -> Test:
        wanted = folded(words(text))
        if values.get("any_tags") == "true":
            return lambda row: not wanted.isdisjoint(folded(row.tags))
        return lambda row: wanted <= folded(row.tags)

    def untagged(text: str) -> Test:
        unwanted = folded(words(text))
        return lambda row: unwanted.isdisjoint(folded(row.tags))

    return {"tags": tagged, "exclude_tags": untagged}


def _negated(test: Test) -> Test:
    return lambda row: not test(row)


def _any_invalid(pick: Callable[[Person], Iterable[Any]]) -> Callable[[str], Test]:
    return lambda text: lambda row: text != "false" or any(not each.valid_values for each in pick(row))


PERSON: dict[str, Callable[[str], Test]] = {
    "updated_at": updated,
    "deceased": lambda text: lambda row: row.deceased is (text == "true"),
    "email_address_valid": _any_invalid(lambda row: row.emails),
    "phone_number_valid": _any_invalid(lambda row: row.phones),
    "wildcard_search": lambda text: lambda row: text.lower() in f"{row.first_name} {row.last_name}".lower(),
}
