"""The things that an SES account keeps, and tables of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

Status = Literal["OPT_IN", "OPT_OUT"]

ADDRESS = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]+\.[^\s@.\x00-\x1f\x7f]+")
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Names of lists and topics (SES reference, contact lists)."""


def is_address(text: object) -> bool:
    """Tell whether a value can be an e-mail address."""
    return isinstance(text, str) and len(text) <= 320 and ADDRESS.fullmatch(text.strip()) is not None


def folded(email: str, rule: Literal["domain", "exact", "lower"]) -> str:
    """Return an address as it is kept and compared; `domain` lower-cases what follows the last at sign."""
    email = email.strip()
    if rule == "exact":
        return email
    local, at, domain = email.rpartition("@")
    return email.lower() if rule == "lower" else f"{local}{at}{domain.lower()}"


class Numbered(Protocol):
    """Anything with a place in the order of creation."""

    @property
    def number(self) -> int:
        """The place, never used twice within a table."""


Row = TypeVar("Row", bound=Numbered)


class Table(Generic[Row]):
    """Rows by key, and in the order of their numbers."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._ordered: list[Row] | None = []
        self._last = 0

    def next_number(self) -> int:
        """Draw the number of a new row."""
        self._last += 1
        return self._last

    def get(self, key: str) -> Row | None:
        """Return a row by its key."""
        return self._rows.get(key)

    def add(self, key: str, row: Row) -> None:
        """Take in a new row; its number must be the last one drawn."""
        self._rows[key] = row
        if self._ordered is not None:
            self._ordered.append(row)

    def remove(self, key: str) -> bool:
        """Forget a row; False when there is none."""
        if self._rows.pop(key, None) is None:
            return False
        self._ordered = None
        return True

    def ordered(self) -> list[Row]:
        """Return all rows by number. Not to be changed."""
        if self._ordered is None:
            self._ordered = list(self._rows.values())
        return self._ordered

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(slots=True, eq=False, kw_only=True)
class Topic:
    """One topic of a contact list."""

    name: str
    display_name: str
    description: str | None
    default: Status


@dataclass(slots=True, eq=False, kw_only=True)
class Contact:
    """One contact of a list. Times are Unix seconds with fractions."""

    number: int
    email: str
    created: float
    updated: float
    preferences: dict[str, Status] = field(default_factory=dict)
    unsubscribed: bool = False
    attributes: str | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class ContactList:
    """The contact list of a region."""

    name: str
    created: float
    updated: float
    number: int = 1
    description: str | None = None
    topics: dict[str, Topic] = field(default_factory=dict)
    tags: list[dict[str, str]] = field(default_factory=list)
    contacts: Table[Contact] = field(default_factory=Table)


@dataclass(slots=True, eq=False, kw_only=True)
class Suppression:
    """One suppressed address."""

    number: int
    email: str
    reason: str
    added: float
    updated: float
    attributes: dict[str, str] | None = None
