"""The key of a stream's rows: hashed for the journal, readable for providers that store it; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from target_mailing.contacts.fields import RowRejected
from target_mailing.contacts.mapping import Values
from target_mailing.contacts.values import number_text, whole_float

__all__ = ["RowKey"]

_encode = msgspec.json.Encoder(order="deterministic").encode


class RowKey:
    """Reads the keys of one stream."""

    def __init__(self, columns: Sequence[str], at: int, hashed: Callable[[bytes], bytes], *, is_address: bool) -> None:
        """Compile it.

        Args:
            columns: of the key; there may be none.
            at: the position of their first value among those of a row.
            hashed: the keyed hash of an encoded key.
            is_address: the key is the address, so the journal need not remember it.
        """
        self._columns = columns
        self._at = at
        self._hashed = None if is_address or not columns else hashed

    def of(self, values: Values) -> bytes | None:
        """The hash of a row's key, None where the journal need not remember it.

        Raises:
            RowRejected: missing_key.
        """
        key = values[self._at :]
        if len(key) == 1 and type(key[0]) is int:  # the usual key, in the same encoding
            return None if self._hashed is None else self._hashed(b"[%d]" % key)
        if any(map(_is_blank, key)):
            name = next(name for name, value in zip(self._columns, key, strict=True) if _is_blank(value))
            raise RowRejected("missing_key", f"key column {name} is missing, null or blank")
        return None if self._hashed is None else self._hashed(_encode(_whole(key)))

    def text(self, values: Values) -> str:
        """A row's key in readable form."""
        return "/".join(map(_text, values[self._at :]))


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
