"""What the keys of a stream are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from target_mailing.input.schemas import MappedSchema
from target_mailing.journal.hashes import Hashes

__all__ = ["key_form"]


def key_form(schema: MappedSchema, hashes: Hashes) -> bytes:
    """A hash of what the keys of a stream are made of: another one makes others of the same values."""
    columns = schema.schema.get("properties", {})
    kinds = [[name, _types(columns.get(name))] for name in schema.keys]
    (hashed,) = hashes.fingerprints(schema.stream)([msgspec.json.encode(kinds)])
    return hashed.to_bytes(8, "big", signed=True)


def _types(column: Any) -> Any:
    """The types of a column, but for null; a column that tells them in another way, as a whole."""
    found = column.get("type") if isinstance(column, Mapping) else None
    if found is None:
        return column
    return sorted({*map(str, found if isinstance(found, list) else [found])} - {"null"})
