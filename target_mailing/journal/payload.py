"""The rows of an unfinished batch, as the journal keeps them; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Final

import msgspec

from mailing_api.addresses import fold_address
from target_mailing.contacts.contact import EncodedContact
from target_mailing.row import Row, emails_of

__all__ = ["decoded", "encoded"]


def encoded(rows: Sequence[Row], kept: Collection[int] = ()) -> bytes:
    """Encode rows, one at a time, since there may be many; those at the positions `kept` with their content."""
    data = bytearray(_ARRAY + len(rows).to_bytes(4, "big"))
    contents = {at: rows[at].contact.content for at in kept}
    for at, (row, email) in enumerate(zip(rows, emails_of(rows), strict=True)):
        content = contents.get(at, b"")
        _append((row.key, row.drops_key, email, row.id, row.fingerprint, content), data, -1)
    return bytes(data)


def decoded(action: str, payload: bytes) -> list[Row]:
    """Decode the rows of a batch of an earlier run."""
    return [_row(action, sent) for sent in _PAYLOAD.decode(payload)]


#: The beginning of an array in MessagePack, before its length in four bytes.
_ARRAY: Final = b"\xdd"
_append = msgspec.msgpack.Encoder().encode_into

#: 64 bits, as the database keeps them.
_Hash = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class _Sent(msgspec.Struct, array_like=True):
    """The part of a row that a later run needs to settle it, as `encoded` writes it; the input brings the row again.

    Only a few rows of a batch have their content, by which its job is recognised if its reply was lost.
    """

    key: bytes | None
    drops_key: bool
    email: str
    id: _Hash
    fingerprint: _Hash
    content: bytes = b""


_PAYLOAD = msgspec.msgpack.Decoder(list[_Sent])


def _row(action: str, sent: _Sent) -> Row:
    """A row of an earlier run, which settles no line of this input."""
    return Row(
        line=0,
        raw=b"",
        stream="",
        key=sent.key,
        id=sent.id,
        action=action,
        fingerprint=sent.fingerprint,
        held=EncodedContact(sent.email, fold_address(sent.email), sent.content),
        drops_key=sent.drops_key,
    )
