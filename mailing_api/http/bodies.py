"""Bodies of answers, read up to a limit that holds for what they are after decompression."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

import httpx

__all__ = ["ACCEPTED", "Unreadable", "read"]

#: The only compression that is asked for: of others the size could not be limited while they are decompressed.
ACCEPTED: Final = "gzip"

_GZIP: Final = frozenset({"gzip", "x-gzip"})
_PIECE: Final = 1 << 18
_MAGIC: Final = b"\x1f\x8b"

#: Headers that tell of the body as it was on the way.
_OF_THE_WAY: Final = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


class Unreadable(ValueError):
    """A body is not in the form that its headers tell, or is too large; the text tells which."""


def read(response: httpx.Response, most: int, into: BinaryIO | None = None) -> httpx.Response:
    """An answer with its body as it is after decompression.

    Args:
        response: the answer, of which nothing was read.
        most: bytes at most.
        into: receives the body in place of the answer returned.

    Raises:
        Unreadable: the body is not as its headers tell, or larger.
        httpx.TransportError: it did not arrive.
    """
    kept: list[bytes] = []
    size = 0
    for piece in _pieces(response):
        size += len(piece)
        if size > most:
            raise Unreadable(f"larger than {most // 2**20} MiB")
        if into is None:
            kept.append(piece)
        else:
            into.write(piece)
    return with_body(response, b"".join(kept))


def with_body(response: httpx.Response, body: bytes) -> httpx.Response:
    """An answer with another body. Its text is UTF-8, whatever the headers say: these may name anything."""
    # As bytes: a header may hold any.
    headers = [(name.lower(), value) for name, value in response.headers.raw]
    headers = [(name, value) for name, value in headers if name not in _OF_THE_WAY]
    headers = [(name, value.partition(b";")[0] if name == b"content-type" else value) for name, value in headers]
    return httpx.Response(response.status_code, headers=headers, content=body, request=response.request)


def _pieces(response: httpx.Response) -> Iterator[bytes]:
    if response.is_stream_consumed:  # made in this process, by a test
        return iter((response.content,))
    raw = response.iter_raw()
    encodings = [each.strip().lower() for each in response.headers.get("Content-Encoding", "").split(",")]
    encodings = [each for each in encodings if each not in {"", "identity"}]
    if not encodings:
        return raw
    if len(encodings) > 1 or encodings[0] not in _GZIP:
        raise Unreadable("compressed in a way that was not asked for")
    return _decompressed(raw)


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
                raise Unreadable("not compressed as its headers tell") from None
            if piece:
                yield piece
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if has_begun and not member.eof:
        raise Unreadable("cut off")
