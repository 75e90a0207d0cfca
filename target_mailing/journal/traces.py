"""Which columns of the journal tell something of one person, so that their rows are found; declarations.

Each table of the journal is here with all of its columns. Who adds one says how one person's rows are found in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum, auto
from typing import Final

import msgspec

from target_mailing.journal import tables

__all__ = ["SIGNS", "Sign", "Signs", "Traces"]


class Sign(Enum):
    """What the value of a column is, where it shows one person."""

    #: The keyed hash of a contact.
    CONTACT = auto()
    #: The keyed hash of a key.
    KEY = auto()
    #: The first 64 bits of that, as a number.
    KEY_NUMBER = auto()
    #: The number of a row of `contacts`.
    NUMBER = auto()
    #: The provider's ID of a contact.
    PROVIDER_ID = auto()
    #: An address, or what else identifies a contact; its row has the hash of the contact, too.
    ADDRESS = auto()
    #: The rows of a batch. Of one that has ended there are none.
    BATCH = auto()
    #: What a step noted, in JSON: IDs of contacts, and what the provider said.
    EVIDENCE = auto()
    #: A whole record, and what is said of it.
    RECORD = auto()
    #: The keyed hash of a rejected record, whose file has the record.
    WRITTEN_RECORD = auto()


class Signs(msgspec.Struct, frozen=True):
    """The columns of a table.

    Attributes:
        of_person: those that show one person, and how.
        others: those that alone do not; with the row they are deleted, too.
    """

    of_person: Mapping[str, Sign]
    others: Collection[str]


class Traces(msgspec.Struct):
    """What one person is known by in a journal.

    Attributes:
        contacts: keyed hashes of their contacts, at all destinations.
        keys: keyed hashes of their keys, and of those in question, whether or not there are such.
        confirmed: those of them that have an address.
        emails: their addresses as they were sent, former ones among them, or what else identifies their contacts.
        ids: the provider's IDs of their contacts.
        numbers: of the rows of their contacts.
        shared: those of the keys in question that stand for several people, which stay.
        under_way: numbers of batches without an outcome that have them.
    """

    contacts: set[int]
    keys: set[bytes]
    confirmed: set[bytes] = set()
    emails: set[str] = set()
    ids: set[str] = set()
    numbers: set[int] = set()
    shared: set[bytes] = set()
    under_way: list[int] = []


#: By the name of the table.
SIGNS: Final[Mapping[str, Signs]] = {
    tables.meta.name: Signs({}, ("name", "value")),
    tables.batches.name: Signs(
        {"payload": Sign.BATCH},
        ("id", "destination", "action", "route", "state", "created_at", "outcomes", "settled_at", "base"),
    ),
    tables.steps.name: Signs({"evidence": Sign.EVIDENCE}, ("batch", "name", "begun_at")),
    tables.contacts.name: Signs({"id": Sign.CONTACT}, ("n", "fingerprint", "confirmed_at", "streams")),
    tables.streams.name: Signs({}, tables.streams.c.keys()),
    tables.absentees.name: Signs({"n": Sign.NUMBER}, ("run",)),
    tables.strangers.name: Signs({"contact": Sign.CONTACT}, ("stream", "run")),
    tables.replaced_contacts.name: Signs({}, ("n", "numbers")),  # numbers of rows, which do not tell whose these were
    tables.keys.name: Signs({"id": Sign.KEY, "contact": Sign.CONTACT, "email": Sign.ADDRESS}, ("n",)),
    tables.runs.name: Signs({}, ("n", "of", "first", "last")),  # the tables that it names have their own entries
    tables.possible_addresses.name: Signs(
        {"key": Sign.KEY, "contact": Sign.CONTACT, "email": Sign.ADDRESS}, ("stuck",)
    ),
    tables.names.name: Signs({"contact": Sign.CONTACT, "name": Sign.PROVIDER_ID}, ("destination",)),
    # Such a key is that of several people: without the row, a delete by the key could remove another one of them.
    tables.shared_keys.name: Signs({}, ("key",)),
    tables.returned_keys.name: Signs({"key": Sign.KEY}, ()),
    tables.declined.name: Signs({"contact": Sign.CONTACT}, ("name",)),
    tables.removed.name: Signs({"contact": Sign.CONTACT}, ("destination", "is_move", "allowance", "at")),
    tables.taken_off.name: Signs({"contact": Sign.CONTACT}, ("stream", "at")),
    tables.allowances.name: Signs({}, tables.allowances.c.keys()),
    tables.contents.name: Signs({"contact": Sign.CONTACT, "key": Sign.KEY_NUMBER}, ("destination", "since", "at")),
    # The error of a run is that of the log, which names nobody.
    tables.past_runs.name: Signs({}, tables.past_runs.c.keys()),
    tables.past_jobs.name: Signs({}, tables.past_jobs.c.keys()),
    tables.open_rejects.name: Signs(
        {"key": Sign.KEY, "contact": Sign.CONTACT, "record": Sign.RECORD},
        ("id", "n", "destination", "stream", "size", "code", "job", "attempt", "at", "run", "overtaken"),
    ),
    tables.rejected_streams.name: Signs({}, ("name", "message")),  # a SCHEMA
    tables.known_rejects.name: Signs({"id": Sign.WRITTEN_RECORD}, ("attempt", "file", "at")),
    tables.rejects.name: Signs({"record": Sign.RECORD}, ("id", "stream", "code", "reason", "job", "attempt", "at")),
}
