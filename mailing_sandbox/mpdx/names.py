"""Greetings that MPDX makes up where none is stored (MPDX reference, contacts attributes)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailing_sandbox.mpdx.records import Contact

AND = {"es": " y ", "de": " und ", "fr": " et "}
"""The word between two first names by language; English for any other."""


def language(header: str) -> str:
    """Return the language of an `Accept-Language` header's first tag; English without one."""
    return header.partition(",")[0].partition(";")[0].partition("-")[0].strip().lower() or "en"


def greeting(contact: Contact, tongue: str = "en") -> str:
    """Return how a letter begins: stored, else the first names, else the name."""
    if contact.greeting is not None:
        return contact.greeting
    names = [person.first_name for person in contact.people if not person.deceased]
    return AND.get(tongue, " and ").join(names) if names else _first(contact.name)


def envelope(contact: Contact) -> str:
    """Return what stands on the envelope: stored, else `First [and Spouse] Last`, or the name where it has no comma."""
    if contact.envelope_greeting is not None:
        return contact.envelope_greeting
    last, comma, _ = contact.name.partition(",")
    return f"{_first(contact.name)} {last.strip()}" if comma else contact.name


def _first(name: str) -> str:
    last, _, first = name.partition(",")
    return first.strip() or last
