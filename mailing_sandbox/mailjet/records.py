"""The rows of an emulated Mailjet account, and the tables that keep them in ID order."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

import msgspec

from mailing_sandbox.mailjet.values import in_seconds


class Contact(msgspec.Struct, gc=False, kw_only=True):
    """One contact. Times are Unix seconds, 0 for unset; `values` holds property values by column, as text."""

    id: int
    email: str
    created: int
    name: str = ""
    excluded: bool = False
    exclusion_updated: int = 0
    updated: int = 0
    active: int = 0
    delivered: int = 0
    opt_in_pending: bool = False
    spam_complaining: bool = False
    anonymised: int = 0
    values: tuple[str | None, ...] = ()


class Membership(msgspec.Struct, gc=False, kw_only=True):
    """One contact on one list."""

    id: int
    contact: Contact
    list_id: int
    subscribed: int
    unsubscribed: int = 0
    is_unsubscribed: bool = False
    is_active: bool = True


class Property(msgspec.Struct, kw_only=True):
    """One property definition; `column` is its place in `Contact.values` and is never used again."""

    id: int
    name: str
    datatype: str
    namespace: str
    column: int
    created: float


class Segment(msgspec.Struct, kw_only=True):
    """One contact filter."""

    id: int
    name: str
    expression: str
    description: str = ""
    status: str = "unused"


class Signup(msgspec.Struct, kw_only=True):
    """One subscription through a widget. Times are Unix seconds, 0 for unset."""

    id: int
    contact_id: int
    list_id: int
    email: str
    signed_up: int
    confirmed: int = 0
    ip: str = ""
    confirm_ip: str = ""
    key: str = ""
    source: str = ""
    source_id: int = 0


class Numbered(Protocol):
    """Anything with an ID."""

    @property
    def id(self) -> int:
        """The ID."""


Row = TypeVar("Row", bound=Numbered)


def is_id(key: str) -> bool:
    """Tell whether a string is an ID: digits that fit into 64 bits."""
    return key.isascii() and key.isdigit() and len(key) < 20


class Table(Generic[Row]):
    """Rows in ID order, appended at the end. Removed rows are swept when the rows are next read."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._removed: set[int] = set()

    def __len__(self) -> int:
        return len(self._rows) - len(self._removed)

    @property
    def rows(self) -> list[Row]:
        """The rows themselves: read, never change, this list."""
        if self._removed:
            self._rows = [row for row in self._rows if row.id not in self._removed]
            self._removed.clear()
        return self._rows

    def append(self, row: Row) -> Row:
        """Add a row, whose ID must be greater than every other."""
        self._rows.append(row)
        return row

    def get(self, number: int) -> Row | None:
        """Find a row by its ID."""
        rows = self._rows
        if not rows or number in self._removed:
            return None
        place = number - rows[0].id
        if not (0 <= place < len(rows) and rows[place].id == number):
            place = bisect_left(rows, number, key=attrgetter("id"))
        return rows[place] if place < len(rows) and rows[place].id == number else None

    def find(self, key: str) -> Row | None:
        """Find a row by its ID as text, which may be no number at all."""
        return self.get(int(key)) if is_id(key) else None

    def remove(self, number: int) -> None:
        """Remove the row of an ID that the table holds."""
        self._removed.add(number)


class MailingList:
    """One contact list with its members. `address` may stand for the ID in paths."""

    def __init__(self, number: int, name: str, address: str, created: int) -> None:
        self.id = number
        self.name = name
        self.address = address
        self.created = created
        self.deleted = False
        self.members: dict[int, Membership] = {}
        self.rows: Table[Membership] = Table()
        self.unsubscribed = 0


@lru_cache(maxsize=200_000)
def rfc3339(seconds: int) -> str:
    """Render Unix seconds as Mailjet does; unset (0) is an empty string."""
    return in_seconds(datetime.fromtimestamp(seconds, UTC)) if seconds else ""
