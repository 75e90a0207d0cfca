"""Bodies of responses, read up to a limit on their size after decompression."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

import httpx

__all__ = ["ACCEPTED", "Unreadable", "read"]

#: The only compression that requests accept: while others are decompressed, the size cannot be limited.
ACCEPTED: Final = "gzip"

_GZIP: Final = frozenset({"gzip", "x-gzip"})
_PIECE: Final = 1 << 18
_MAGIC: Final = b"\x1f\x8b"

#: Headers that describe the body as it was transferred.
_OF_TRANSFER: Final = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


class Unreadable(ValueError):
    """A body does not match its headers, or is too large; the message says which."""


def read(response: httpx.Response, most: int, into: BinaryIO | None = None) -> httpx.Response:
    """Return a response with its decompressed body.

    Args:
        response: a response whose body is not read yet.
        most: the greatest size in bytes.
        into: receives the body; the response returned has none then.

    Raises:
        Unreadable: the body does not match its headers, or is larger.
        httpx.TransportError: it did not arrive.
    """
    pieces: list[bytes] = []
    size = 0
    for piece in _pieces(response):
        size += len(piece)
        if size > most:
            raise Unreadable(f"larger than {most // 2**20} MiB")
        if into is None:
            pieces.append(piece)
        else:
            into.write(piece)
    return with_body(response, b"".join(pieces))


def with_body(response: httpx.Response, body: bytes) -> httpx.Response:
    """Return a response with another body. Its text is UTF-8, whatever encoding the headers name."""
    headers = [  # as bytes: a header may hold any
        (name, value.partition(b";")[0] if name.lower() == b"content-type" else value)
        for name, value in response.headers.raw
        if name.lower() not in _OF_TRANSFER
    ]
    return httpx.Response(response.status_code, headers=headers, content=body, request=response.request)


def _pieces(response: httpx.Response) -> Iterator[bytes]:
    if response.is_stream_consumed:  # made in this process, by a test
        return iter((response.content,))
    named = response.headers.get("Content-Encoding", "").split(",")
    encodings = [name for each in named if (name := each.strip().lower()) not in {"", "identity"}]
    if not encodings:
        return response.iter_raw()
    if len(encodings) > 1 or encodings[0] not in _GZIP:
        raise Unreadable("compressed by a method that the request does not accept")
    return _decompressed(response.iter_raw())


def _decompressed(raw: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    has_begun = False
    for chunk in raw:
        rest = chunk
        has_begun = has_begun or bool(chunk)
        while rest:
            if member.eof:
                if not rest.startswith(_MAGIC[: len(rest)]):
                    break  # padding
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                piece = member.decompress(rest, _PIECE)
            except zlib.error:
                raise Unreadable("not compressed as its headers say") from None
            if piece:
                yield piece
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if has_begun and not member.eof:
        raise Unreadable("cut off")
