"""Greetings that MPDX makes up where none is stored (MPDX reference, contacts attributes)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailing_sandbox.mpdx.records import Contact

AND = {"es": " y ", "de": " und ", "fr": " et "}
"""The word between two first names by language; English for any other."""


def language(header: str) -> str:
    """Return the language of an `Accept-Language` header's first tag; English without one."""
    return header.partition(",")[0].partition(";")[0].partition("-")[0].strip().lower() or "en"


def greeting(contact: Contact, tongue: str = "en") -> str:
    """Return how a letter begins: stored, else the first names of the living of primary person and spouse.

    A stored blank is treated as none. The name stands for a contact without such people.
    """
    if (contact.greeting or "").strip():
        return contact.greeting or ""
    if _is_ministry(contact.name):
        return contact.name
    names = [person.first_name for person in contact.people[:2] if not person.deceased]
    return AND.get(tongue, " and ").join(names) if names else _first(contact.name)


def envelope(contact: Contact) -> str:
    """Return what stands on the envelope: stored, else `First [and Spouse] Last`, or the name where it has no comma.

    What follows a second comma is no part of the first names, and neither is a nickname in brackets; a name in
    brackets after the spouse's is the spouse's own last name.
    """
    if (contact.envelope_greeting or "").strip():
        return contact.envelope_greeting or ""
    name = contact.name.strip().removesuffix(",")
    if "," not in name or _is_ministry(name):
        return name
    last, given, *_ = (part.strip() for part in name.split(","))
    if not _BRACKETS.search(given):
        return f"{given} {last}"
    first, *others = _JOINED.split(given)
    spouse = others[0] if others else ""
    if _BRACKETS.search(first):
        names = [_BRACKETS.sub("", one).strip() for one in (first, spouse) if one]
        return f"{' and '.join(names)} {last}"
    return f"{first} {last} and {spouse.replace('(', '').replace(')', '')}"


_BRACKETS = re.compile(r"\(.*\)", re.DOTALL)
_JOINED = re.compile(" & | and ")


def _is_ministry(name: str) -> bool:
    """Whether the donor system calls an organisation so: its last name is `of the Ministry`."""
    return name.partition(",")[0].strip() == "of the Ministry"


def _first(name: str) -> str:
    last, _, first = name.partition(",")
    return first.strip() or last
