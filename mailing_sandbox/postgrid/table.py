"""Records of one sort by their IDs, and in the orders that listings may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class Dated(Protocol):
    """What a table can hold."""

    id: str
    metadata: dict[str, Any] | None
    created: float
    updated: float


Record = TypeVar("Record", bound=Dated)


class Table(Generic[Record]):
    """Records by ID. Orders are kept until something changes, so that paging does not sort again."""

    def __init__(self) -> None:
        self._rows: dict[str, Record] = {}
        self._orders: dict[str, list[Record]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._rows.values())

    def __contains__(self, number: object) -> bool:
        return number in self._rows

    def get(self, number: str) -> Record | None:
        """Return a record, None when there is none of this ID."""
        return self._rows.get(number)

    def add(self, record: Record) -> None:
        """Take a record in."""
        self._rows[record.id] = record
        self._orders.clear()

    def remove(self, number: str) -> None:
        """Forget a record."""
        del self._rows[number]
        self._orders.clear()

    def touch(self, record: Record, at: float) -> None:
        """Set when a record changed last."""
        record.updated = at
        self._orders.pop("updated_desc", None)

    def ordered(self, order: str) -> list[Record]:
        """Return all records as the switch `postgrid_order` says; not to be changed."""
        if order not in self._orders:
            found = sorted(
                self, key=(lambda row: row.updated) if order == "updated_desc" else (lambda row: row.created)
            )
            self._orders[order] = found if order == "created_asc" else found[::-1]
        return self._orders[order]
