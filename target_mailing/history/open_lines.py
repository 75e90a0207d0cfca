"""Streams and keys of the lines that have no outcome yet, kept on disk."""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec

__all__ = ["OpenLines"]

#: For a line whose key was not reported.
_UNKNOWN = b'"stream":null,"key":null'


class _Chunk(msgspec.Struct):
    """Lines that were read together.

    Attributes:
        first: the number of its first line.
        end: the number after its last one.
        left: how many of its records have no outcome yet.
        place: where it is in the file, once it is there.
        size: its bytes there.
    """

    first: int
    end: int
    left: int
    place: int = 0
    size: int = 0


class OpenLines:
    """A file without a name, as long as what was read since it was last empty.

    The latest chunk stays in memory: most rows that need no call end while it is the latest.
    """

    def __init__(self, folder: Path) -> None:
        """Use a folder; the file is made when it is first needed."""
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._size = 0
        self._firsts: list[int] = []
        self._chunks: list[_Chunk] = []
        #: The latest chunk, which is not on disk yet, and the one that was read last, each with its parts.
        self._latest: tuple[_Chunk, Sequence[bytes]] | None = None
        self._read: tuple[_Chunk, Sequence[bytes]] | None = None

    def close(self) -> None:
        """Give up the file and everything in it."""
        if self._file is not None:
            self._file.close()

    def add(self, first: int, parts: Sequence[bytes]) -> None:
        """Take the parts of consecutive lines, which come after those added before; b"" for a line without a record.

        Raises:
            OSError: the lines before them cannot be written.
        """
        records = len(parts) - parts.count(b"")
        if not records:
            return
        if self._latest is not None:
            self._write(*self._latest)
        chunk = _Chunk(first, first + len(parts), records)
        self._firsts.append(first)
        self._chunks.append(chunk)
        self._latest = chunk, parts

    def take(self, lines: Sequence[int]) -> list[bytes]:
        """The parts of lines, which are forgotten by that.

        Args:
            lines: in ascending order; each is taken once.

        Raises:
            OSError: they cannot be read.
        """
        parts: list[bytes] = []
        at = 0
        while at < len(lines):
            position = bisect_right(self._firsts, lines[at]) - 1
            chunk = self._chunks[position] if position >= 0 else None
            if chunk is None or lines[at] >= chunk.end:
                parts.append(_UNKNOWN)
                at += 1
                continue
            end = bisect_left(lines, chunk.end, at)
            whole, first = self._parts(chunk), chunk.first
            parts.extend([whole[line - first] or _UNKNOWN for line in lines[at:end]])
            chunk.left -= end - at
            if chunk.left <= 0:
                self._forget(position)
            at = end
        return parts

    def _parts(self, chunk: _Chunk) -> Sequence[bytes]:
        for held in (self._latest, self._read):
            if held is not None and held[0] is chunk:
                return held[1]
        assert self._file is not None  # noqa: S101 - it was written
        parts = os.pread(self._file.fileno(), chunk.size, chunk.place).split(b"\n")
        self._read = chunk, parts
        return parts

    def _write(self, chunk: _Chunk, parts: Sequence[bytes]) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - see `close`
        data = b"\n".join(parts)
        chunk.place, chunk.size = self._size, len(data)
        self._size += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.pwrite(self._file.fileno(), rest, self._size - len(rest)) :]

    def _forget(self, position: int) -> None:
        chunk = self._chunks.pop(position)
        del self._firsts[position]
        if self._latest is not None and self._latest[0] is chunk:
            self._latest = None
        if self._read is not None and self._read[0] is chunk:
            self._read = None
        if self._size and len(self._chunks) == (self._latest is not None):
            assert self._file is not None  # noqa: S101 - it was written
            self._size = 0
            os.ftruncate(self._file.fileno(), 0)
