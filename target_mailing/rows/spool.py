"""Contents and lines of rows under way, kept on disk until their batches end, so that they take no memory."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from array import array
from bisect import insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise, repeat
from pathlib import Path
from typing import IO, Final

import msgspec

from target_mailing.contacts.contact import EncodedContact

__all__ = ["Kept", "Spool", "SpoolError"]

#: Payloads that are written together, at most: positions up to this number take no memory of their own.
_TOGETHER: Final = 256
#: Bytes from which on no more payloads are written together.
_ENOUGH: Final = 1 << 20
#: Numbers from this one on take eight bytes instead of four.
_FITS: Final = 1 << 32


class SpoolError(Exception):
    """What is under way cannot be kept on disk; the message says where, and what to do."""


class _Heads(msgspec.Struct, array_like=True, gc=False):
    """Contacts without their contents, by column; None for addresses that equal the e-mails, and for no references."""

    emails: list[str]
    addresses: list[str] | None
    references: list[tuple[str, ...]] | None

    @classmethod
    def of(cls, contacts: Sequence[EncodedContact]) -> _Heads:
        emails, addresses = [one.email for one in contacts], [one.address for one in contacts]
        references = [one.reference for one in contacts]
        return cls(emails, None if addresses == emails else addresses, references if any(references) else None)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Heads).decode


class Kept:
    """Payloads in one place of the file, which is free again when nothing refers to them any longer.

    First in it are the heads of all contacts, then the content of each, then the lines of each.
    """

    __slots__ = ("__weakref__", "_ends", "_heads", "_place", "_spool")

    def __init__(self, spool: Spool, place: int, sizes: Iterable[int]) -> None:
        self._spool = spool
        self._place = place
        ends = array("Q", accumulate(sizes))
        #: Where the heads end, each content, the lines of each.
        self._ends = array("I", ends) if ends[-1] < _FITS else ends
        #: The heads, while the thread that owns the rows reads this place.
        self._heads: _Heads | None = None

    def __len__(self) -> int:
        return len(self._ends) // 2

    def __del__(self) -> None:
        self._spool.release(self._place, self._ends[-1])

    def size(self, position: int) -> int:
        """Bytes of a contact's content."""
        return self._ends[position + 1] - self._ends[position]

    def emails(self) -> Sequence[str]:
        """The contacts' addresses as they are sent; for the thread that owns the rows."""
        return self._read_heads().emails

    def contact(self, position: int) -> EncodedContact:
        """A contact; for the thread that owns the rows."""
        heads = self._read_heads()
        email = heads.emails[position]
        address = email if heads.addresses is None else heads.addresses[position]
        reference = () if heads.references is None else heads.references[position]
        return EncodedContact(email, address, self._part(position), reference)

    def contacts(self) -> list[EncodedContact]:
        """All contacts; for any thread."""
        count = len(self)
        data = self._spool.read(self._place, self._ends[count])
        heads = _decode(data[: self._ends[0]])
        contents = [data[begin:end] for begin, end in pairwise(self._ends[: count + 1])]
        addresses = heads.emails if heads.addresses is None else heads.addresses
        references = repeat(()) if heads.references is None else heads.references
        return [*map(EncodedContact, heads.emails, addresses, contents, references)]

    def lines(self, position: int) -> list[bytes]:
        """The lines of a row."""
        lines = self._part(len(self) + position)
        return lines.split(b"\n") if lines else []

    def forget(self) -> None:
        """Keep no heads in memory."""
        self._heads = None

    def _read_heads(self) -> _Heads:
        if self._heads is None:
            self._heads = _decode(self._spool.read(self._place, self._ends[0]))
            self._spool.reads(self)
        return self._heads

    def _part(self, number: int) -> bytes:
        begin, end = self._ends[number], self._ends[number + 1]
        return self._spool.read(self._place + begin, end - begin)


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

    def keep(self, contacts: Sequence[EncodedContact], lines: Sequence[bytes]) -> list[Kept]:
        """Write contacts, each with the lines of the input that its row settles, joined by line ends.

        Returns:
            The places that have them, in order, one or more payloads in each.

        Raises:
            SpoolError: they cannot be written.
        """
        sizes = [len(contact.content) + len(line) for contact, line in zip(contacts, lines, strict=True)]
        return [self._write(contacts[piece], lines[piece]) for piece in _pieces(sizes, 0, len(sizes))]

    def read(self, place: int, size: int) -> bytes:
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
        return data

    def reads(self, kept: Kept) -> None:
        """The heads of one place were read into memory: those of the place before it are forgotten."""
        if self._last is not None and (last := self._last()) is not None:
            last.forget()
        self._last = weakref.ref(kept)

    def release(self, place: int, size: int) -> None:
        """A place is free, and is overwritten or cut off when something is written next; for any thread."""
        self._released.append((place, size))

    def _write(self, contacts: Sequence[EncodedContact], lines: Sequence[bytes]) -> Kept:
        parts = [_encode(_Heads.of(contacts)), *(one.content for one in contacts), *lines]
        data = b"".join(parts)
        place = self._take(len(data))
        kept = Kept(self, place, map(len, parts))
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


def _pieces(sizes: Sequence[int], begin: int, end: int) -> Iterator[slice]:
    """The payloads of these sizes, from `begin` to `end`, in halves of halves that may be written together."""
    count = end - begin
    if count > 1 and (count > _TOGETHER or sum(sizes[begin:end]) >= _ENOUGH):
        half = begin + count // 2
        yield from _pieces(sizes, begin, half)
        yield from _pieces(sizes, half, end)
    elif count:
        yield slice(begin, end)
