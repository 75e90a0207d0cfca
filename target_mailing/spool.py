"""Contents and lines of rows under way, kept on disk until their batches end, so that they take no memory."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from array import array
from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from target_mailing.contacts.contact import EncodedContact

__all__ = ["Kept", "Payload", "Spool", "SpoolError"]

#: A contact, and the lines of the input that its row settles, as they came.
Payload = tuple[EncodedContact, Sequence[bytes]]
#: Payloads that are written together, at most: positions up to this number take no memory of their own.
_TOGETHER: Final = 256
#: Bytes after which no more payloads are written together.
_ENOUGH: Final = 1 << 20
#: Contacts are read in turn if the next one is not farther from the last one than this.
_NEAR: Final = 16
#: Numbers from this one on take eight bytes instead of four.
_FITS: Final = 1 << 32
#: A payload has three parts: a head, the content, the lines.
_PARTS: Final = 3


class SpoolError(Exception):
    """What is under way cannot be kept on disk; the message says where, and what to do."""


class _Head(msgspec.Struct, array_like=True, gc=False):
    """A contact without its content; `address` is None where it equals `email`."""

    email: str
    address: str | None
    reference: tuple[str, ...]


_append = msgspec.msgpack.Encoder().encode_into
_head = msgspec.msgpack.Decoder(_Head).decode
_lines = msgspec.msgpack.Decoder(list[bytes]).decode


class Kept:
    """Payloads in one place of the file, which is free again when nothing refers to them any longer."""

    __slots__ = ("__weakref__", "_ends", "_following", "_place", "_read", "_spool")

    def __init__(self, spool: Spool, place: int, ends: array[int]) -> None:
        self._spool = spool
        self._place = place
        self._ends = array("I", ends) if ends[-1] < _FITS else ends
        #: The position after the one that was read last.
        self._following = 0
        #: Its contacts, while they are read in turn.
        self._read: list[EncodedContact] | None = None

    def __len__(self) -> int:
        return len(self._ends) // _PARTS

    def __del__(self) -> None:
        self._spool.release(self._place, self._ends[-1])

    def size(self, position: int) -> int:
        """Bytes of a contact's content."""
        return self._ends[_PARTS * position + 1] - self._ends[_PARTS * position]

    def contact(self, position: int) -> EncodedContact:
        """A contact, for the thread that owns the rows; when it reads them in turn, all are decoded at once."""
        if self._read is not None:
            return self._read[position]
        if 0 < self._following <= position < self._following + _NEAR:
            self._read = self.contacts()
            self._spool.reads(self)
            return self._read[position]
        self._following = position + 1
        start, end = self._ends[_PARTS * position - 1] if position else 0, self._ends[_PARTS * position + 1]
        return self._contact(position, self._spool.read(self._place + start, end - start), start)

    def forget(self) -> None:
        """Keep no contacts in memory."""
        self._read = None

    def contacts(self) -> list[EncodedContact]:
        """All contacts; for any thread."""
        data = self._spool.read(self._place, self._ends[-1])
        return [self._contact(position, data, 0) for position in range(len(self))]

    def lines(self, position: int) -> list[bytes]:
        """The lines of a row."""
        _, start, end = self._ends[_PARTS * position : _PARTS * (position + 1)]
        return _lines(self._spool.read(self._place + start, end - start))

    def _contact(self, position: int, data: memoryview, start: int) -> EncodedContact:
        """A contact in data that begin so many bytes after the first payload's."""
        at = _PARTS * position
        begin, middle, end = self._ends[at - 1] if at else 0, self._ends[at], self._ends[at + 1]
        head = _head(data[begin - start : middle - start])
        content = bytes(data[middle - start : end - start])
        address = head.email if head.address is None else head.address
        return EncodedContact(head.email, address, content, head.reference)


class Spool:
    """A file that has no name, and only this process can read: as long as what is under way, not as the input.

    One thread writes; any thread may read.
    """

    def __init__(self, folder: Path | None) -> None:
        """Use a folder, None for that of temporary files; the file is made when it is first needed."""
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        #: Places that are free, in order, each with its length; the last one is not at the end of the file.
        self._free: list[tuple[int, int]] = []
        #: Places that became free since something was written; from any thread.
        self._released: deque[tuple[int, int]] = deque()
        self._last: weakref.ref[Kept] | None = None
        #: Length of the file in bytes.
        self.size = 0

    def close(self) -> None:
        """Give up the file and everything in it."""
        with self._lock:
            if self._file is not None:
                self._file.close()

    def keep(self, payloads: Sequence[Payload]) -> Iterator[tuple[Kept, int]]:
        """Write payloads; returns for each where it is.

        Raises:
            SpoolError: they cannot be written.
        """
        kept: list[Kept] = []
        data, ends = bytearray(), array("Q")
        for contact, lines in payloads:
            address = None if contact.address == contact.email else contact.address
            _append(_Head(contact.email, address, contact.reference), data, -1)
            ends.append(len(data))
            data += contact.content
            ends.append(len(data))
            _append(lines, data, -1)
            ends.append(len(data))
            if len(ends) == _PARTS * _TOGETHER or len(data) >= _ENOUGH:
                kept.append(self._write(data, ends))
                data, ends = bytearray(), array("Q")
        if ends:
            kept.append(self._write(data, ends))
        return ((each, position) for each in kept for position in range(len(each)))

    def read(self, place: int, size: int) -> memoryview:
        """Bytes that were written.

        Raises:
            SpoolError: they cannot be read.
        """
        try:
            with self._lock:
                assert self._file is not None  # noqa: S101 - it was written
                data = os.pread(self._file.fileno(), size, place)
        except (OSError, ValueError) as exc:
            raise self._error("read", exc) from None
        if len(data) < size:
            raise self._error("read", EOFError("it was cut short"))
        return memoryview(data)

    def reads(self, kept: Kept) -> None:
        """The contacts of one place were read into memory: those of the place before it are forgotten."""
        if self._last is not None and (last := self._last()) is not None:
            last.forget()
        self._last = weakref.ref(kept)

    def release(self, place: int, size: int) -> None:
        """A place is free, and is overwritten or cut off when something is written next; for any thread."""
        self._released.append((place, size))

    def _write(self, data: bytearray, ends: array[int]) -> Kept:
        place = self._take(len(data))
        kept = Kept(self, place, ends)
        try:
            with self._lock:
                if self._file is None:
                    self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - see `close`
                number, rest = self._file.fileno(), memoryview(data)
                while rest:
                    written = os.pwrite(number, rest, place + len(data) - len(rest))
                    rest = rest[written:]
        except (OSError, ValueError) as exc:
            raise self._error("written", exc) from None
        return kept

    def _take(self, size: int) -> int:
        """A place of so many bytes: the first that is free, else the end of the file."""
        self._join_released()
        for at, (place, length) in enumerate(self._free):
            if length >= size:
                del self._free[at]
                if length > size:
                    self._free.insert(at, (place + size, length - size))
                return place
        place, self.size = self.size, self.size + size
        return place

    def _join_released(self) -> None:
        if not self._released:
            return
        while self._released:
            insort(self._free, self._released.popleft())
        joined: list[tuple[int, int]] = []
        for place, length in self._free:
            if joined and sum(joined[-1]) == place:
                joined[-1] = joined[-1][0], joined[-1][1] + length
            else:
                joined.append((place, length))
        if sum(joined[-1]) == self.size:
            self.size, _ = joined.pop()
            with self._lock:
                if self._file is not None:
                    os.ftruncate(self._file.fileno(), self.size)
        self._free = joined

    def _error(self, what: str, error: Exception) -> SpoolError:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        if self._folder is None:
            folder, remedy = "The folder of temporary files", "choose another one by TMPDIR"
        else:
            folder, remedy = f"Setting `journal`: the folder {self._folder}", "choose another place"
        return SpoolError(
            f"{folder} cannot hold the rows under way: the file there cannot be {what} ({why}). Fix the cause, or "
            f"{remedy}. A rerun reads these rows again."
        )
