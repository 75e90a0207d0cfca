"""The rows of an unfinished batch, as the journal keeps them; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Final

import msgspec

from mailing_api.addresses import fold_address
from target_mailing.contacts.contact import EncodedContact
from target_mailing.rows.row import Extras, Resource, Row, emails_of

__all__ = ["decoded", "encoded", "places"]


def encoded(rows: Sequence[Row], kept: Collection[int] = (), number: Callable[[int], int] = int) -> bytes:
    """Encode rows, one at a time, since there may be many.

    Args:
        rows: of a batch.
        kept: the positions of those with their content.
        number: what is noted of a line, as `places` gets it back.
    """
    data = bytearray(_ARRAY + len(rows).to_bytes(4, "big"))
    contents = {at: rows[at].contact.content for at in kept}
    for at, (row, email) in enumerate(zip(rows, emails_of(rows), strict=True)):
        key = row.key if row.extras is None else row.noted_key
        usual = (key, row.drops_key, email, row.id, row.fingerprint, contents.get(at, b""), number(row.line))
        if row.extras is not None and row.extras.also:
            also = [(key, number(line)) for key, line in row.extras.also.items()]
            _append((*usual, also), data, -1)
        else:
            _append(usual, data, -1)
    return bytes(data)


def decoded(action: str, payload: bytes) -> list[Row]:
    """Decode the rows of a batch of an earlier run."""
    return [_row(action, sent) for sent in _PAYLOAD.decode(payload)]


def places(payload: bytes, place: Callable[[int], int]) -> dict[tuple[int, bytes | None], dict[Resource, int]]:
    """By contact and key of each row, the place of the last line of each of its keys and of its contact.

    Args:
        payload: of a batch.
        place: of a line, given what was noted of it; 0 where an earlier version noted nothing.
    """
    found: dict[tuple[int, bytes | None], dict[Resource, int]] = {}
    for sent in _PAYLOAD.decode(payload):
        here, own = found.setdefault((sent.id, sent.key), {}), place(sent.line)
        pairs = ((sent.id, own), (sent.key, own), *((key, place(line)) for key, line in sent.also))
        for one, at in pairs:
            if one:
                here[one] = max(at, here.get(one, 0))
    return found


#: The beginning of an array in MessagePack, before its length in four bytes.
_ARRAY: Final = b"\xdd"
_append = msgspec.msgpack.Encoder().encode_into

#: 64 bits, as the database keeps them.
_Hash = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class _Sent(msgspec.Struct, array_like=True):
    """The part of a row that a later run needs to settle it, as `encoded` writes it; the input brings the row again.

    Only a few rows of a batch have their content, by which its job is recognised if its reply was lost. Versions before
    did not write the last two: its line, and keys of rows that it superseded, each with the last line of its own.
    """

    key: bytes | None
    drops_key: bool
    email: str
    id: _Hash
    fingerprint: _Hash
    content: bytes = b""
    line: int = 0
    also: Sequence[tuple[bytes, int]] = ()


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
        extras=Extras(also=dict(sent.also)) if sent.also else None,
    )
