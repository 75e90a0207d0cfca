"""A stream's columns, with the types that its SCHEMA gives them; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

__all__ = ["StreamColumns", "holds_structures_only"]

_STRUCTURES: Final = frozenset({"array", "object"})


class StreamColumns(msgspec.Struct, frozen=True):
    """The columns of one stream, after stream maps.

    Attributes:
        stream: the stream's name, for messages.
        types: for each column the JSON types that its values may have.
    """

    stream: str
    types: Mapping[str, Collection[str]]

    @property
    def structures(self) -> set[str]:
        """The columns whose values are all objects or arrays."""
        return {name for name, types in self.types.items() if holds_structures_only(types)}


def holds_structures_only(types: Collection[str]) -> bool:
    """Whether values of these types are objects or arrays, apart from nulls."""
    return not _STRUCTURES.isdisjoint(types) and _STRUCTURES.union({"null"}).issuperset(types)
