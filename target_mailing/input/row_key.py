"""The key of a stream's rows: hashed for the journal, readable for providers that store it; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import msgspec

from target_mailing.contacts.fields import RowRejected
from target_mailing.contacts.mapping import Values
from target_mailing.contacts.values import number_text, whole_float

__all__ = ["RowKey"]

_encoder = msgspec.json.Encoder(order="deterministic")
_encode, _encode_lines = _encoder.encode, _encoder.encode_lines


class RowKey:
    """Reads the keys of one stream."""

    def __init__(
        self, columns: Sequence[str], at: int, hashed: Callable[[Sequence[bytes]], list[bytes]], *, is_address: bool
    ) -> None:
        """Compile it.

        Args:
            columns: of the key; there may be none.
            at: the position of their first value among those of a row.
            hashed: the keyed hashes of encoded keys.
            is_address: the key is the address, so the journal need not remember it.
        """
        self._columns = columns
        self._at = at
        self._hashed = None if is_address or not columns else hashed

    def of(self, rows: Sequence[Values]) -> list[bytes | RowRejected | None]:
        """The hashes of rows' keys, None where the journal need not remember them; or missing_key."""
        keys = [values[self._at :] for values in rows]
        missing: dict[int, RowRejected] = {}
        if not _are_plain([*chain.from_iterable(keys)]):
            missing = {at: self._missing(key) for at, key in enumerate(keys) if any(map(_is_blank, key))}
            keys = [() if at in missing else _whole(key) for at, key in enumerate(keys)]
        hashed: list[Any] = [None] * len(keys)
        if self._hashed is not None:
            hashed = self._hashed(_encode_lines(keys).splitlines())
        for at, no in missing.items():
            hashed[at] = no
        return hashed

    def _missing(self, key: Values) -> RowRejected:
        name = next(name for name, value in zip(self._columns, key, strict=True) if _is_blank(value))
        return RowRejected("missing_key", f"key column {name} is missing, null or blank")

    def text(self, values: Values) -> str:
        """A row's key in readable form."""
        return "/".join(map(_text, values[self._at :]))


def _are_plain(parts: Sequence[Any]) -> bool:
    """Whether all parts of keys are whole numbers, and strings with more than spaces."""
    kinds = {*map(type, parts)}
    return kinds <= {int} or (kinds <= {int, str} and all(part.strip() for part in parts if type(part) is str))


def _is_blank(value: Any) -> bool:
    return value is None or (type(value) is str and not value.strip())


def _whole(key: Values) -> Values:
    """A key in which 7 and 7.0 are the same."""
    if any(type(value) is float for value in key):
        return tuple(whole_float(value) if type(value) is float else value for value in key)
    return key


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return number_text(value) if type(value) in {int, float} else _encode(value).decode()
