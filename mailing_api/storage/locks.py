"""A file that one process locks at a time, and the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import sqlite3
import stat
import struct
import sys
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

import filelock
import msgspec

from mailing_api.storage.folders import make_private
from mailing_api.storage.overwriting import overwrite

__all__ = ["Foreign", "Held", "HeldFile", "Mark", "lock_file", "who_we_are"]


class Held(Exception):
    """Another process holds the file.

    Attributes:
        holder: that process, for messages.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class Foreign(Exception):
    """The file is not one of ours; the message says what it is, and what to do."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The marks of a SQLite file of ours.

    Attributes:
        application_id: in the file's header; the oldest files have none.
        tables: some of the tables that every such file has.
    """

    application_id: int
    tables: AbstractSet[str]


#: SQLite's file format: the first bytes of a file, and the place of its application ID (four bytes, big-endian).
_MAGIC: Final = b"SQLite format 3\0"
_APPLICATION_ID: Final = slice(68, 72)

#: The form of a holder that messages may show; anybody may have written the file beside a database.
_HOLDER: Final = re.compile(r"process \d{1,10} on [A-Za-z0-9._-]{1,253}")

#: In the page of SQLite's own locks, which begin at a gigabyte and take 512 bytes: it holds no data.
_LOCK_BYTE: Final = 0x40000000 + 1024

#: Whether locks can belong to an open file and not to the process. Other systems give a lock another form.
_HAS_LOCKS_OF_FILES: Final = sys.platform.startswith("linux")
#: The form of such a lock.
_LOCK: Final = "hhqqi"

#: Suffixes of the names of files that SQLite keeps beside a file.
_SQLITES_OWN: Final = ("-wal", "-shm", "-journal")

_LEFT: Final = "and was not changed; use another path"


class HeldFile:
    """A SQLite file for its owner alone, held by a lock on the opened file and not only on its name."""

    def __init__(self, path: Path, mark: Mark) -> None:
        """Name the file; nothing is opened.

        Attributes:
            is_new: the file was empty when it was opened.
        """
        self.path = path
        self.is_new = False
        self._mark = mark
        self._holder = self._beside(".holder")
        self._log = self._beside("-wal")
        # On the name alone: the only lock of older versions.
        self._lock = filelock.FileLock(self._beside(".lock"), mode=0o600)
        self._descriptor: int | None = None
        self._opened: dict[Path, tuple[int, int]] = {}

    def hold(self) -> None:
        """Lock the file, after creating it, empty and private, if it is missing. Links are not followed.

        Raises:
            Foreign: the file is not one of ours; it was not changed.
            Held: another process holds it.
            OSError: it cannot be written.
        """
        self.check()
        make_private(self.path.parent)
        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout:
            raise Held(self._who_holds()) from None
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags | os.O_CREAT, 0o600)
        if not lock_file(self._descriptor):
            raise Held(self._who_holds())
        self.is_new = self._look(self._descriptor)
        os.fchmod(self._descriptor, 0o600)
        self._opened[self.path] = _identity(os.fstat(self._descriptor))
        self._write_holder()

    def check(self) -> bool:
        """Check the file without changing it; return whether it exists and is not empty.

        Raises:
            Foreign: it is not one of ours.
            OSError: it cannot be read.
        """
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return False
        if stat.S_ISLNK(mode):
            raise Foreign("is a symbolic link; use the path of the file itself")
        if stat.S_ISDIR(mode):
            raise Foreign("is a folder; use a file in it")
        if not stat.S_ISREG(mode):
            raise Foreign("is not a file; use one")
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return not self._look(descriptor)
        finally:
            os.close(descriptor)

    def read_only(self) -> sqlite3.Connection:
        """Connect for reading alone, also while another process holds the file; no lock is taken, and no file is made.

        Raises:
            sqlite3.Error: it cannot be opened.
        """
        # If opened as immutable, SQLite creates no files beside it; if there is a log, they all exist already.
        mode = "mode=ro" if self._log.exists() and self._log.stat().st_size else "immutable=1"
        return sqlite3.connect(f"{self.path.absolute().as_uri()}?{mode}", uri=True)

    @property
    def holder(self) -> str | None:
        """The process that holds the file, for messages; None if none does, or the system does not say."""
        if not _HAS_LOCKS_OF_FILES:
            return None
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _lock_of(fcntl.F_WRLCK))
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return None if struct.unpack(_LOCK, found)[0] == fcntl.F_UNLCK else self._who_holds()

    def mark(self, execute: Callable[[str], Any]) -> None:
        """Mark the file as ours, before any other change, so that the mark is in the file itself and not in a log.

        Args:
            execute: runs a statement in the file.

        Raises:
            Foreign: the file was replaced.
        """
        if not self.is_there:
            raise Foreign("was replaced while it was opened; run again")
        ((application_id,),) = execute("PRAGMA application_id").fetchall()
        if application_id != self._mark.application_id:
            execute(f"PRAGMA application_id={self._mark.application_id}")

    @property
    def is_there(self) -> bool:
        """Whether the names of the file, and of SQLite's log beside it, still lead to the opened files."""
        try:
            if self._log not in self._opened:
                with contextlib.suppress(FileNotFoundError):
                    self._opened[self._log] = _identity(self._log.lstat())
            return all(_identity(path.lstat()) == identity for path, identity in self._opened.items())
        except OSError:
            return False

    def overwrite_behind(self, size: int) -> None:
        """Overwrite what the held file has after its first bytes, so many; SQLite must not need it any longer.

        Raises:
            OSError: it cannot be written.
        """
        if self._descriptor is not None:  # no other: to close one would release SQLite's locks
            overwrite(self._descriptor, size)

    def open_log(self) -> int | None:
        """Open SQLite's log beside the file, to be written; None if there is none. The caller closes it.

        Raises:
            OSError: it cannot be opened.
        """
        with contextlib.suppress(FileNotFoundError):
            return os.open(self._log, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        return None

    def let_go(self, close: Callable[[], Any]) -> None:
        """Release the file.

        Args:
            close: closes the database and releases its lock.
        """
        if self._opened:
            with contextlib.suppress(OSError):
                self._holder.unlink(missing_ok=True)
        close()
        # Only now: a process that closes a file may lose all of its locks on it, SQLite's included.
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._opened = None, {}
        self._lock.release()

    def _beside(self, suffix: str) -> Path:
        return self.path.parent / f"{self.path.name}{suffix}"

    def _look(self, descriptor: int) -> bool:
        """Return whether an opened file is empty; raise Foreign if it is not ours."""
        opened = os.fstat(descriptor)
        if not stat.S_ISREG(opened.st_mode):
            raise Foreign("is not a file; use one")
        if opened.st_nlink > 1:
            raise Foreign("has other names, too (hard links), by which another run could use it; remove them")
        for suffix in _SQLITES_OWN:
            beside = self._beside(suffix)
            with contextlib.suppress(FileNotFoundError):
                other = beside.lstat()
                # SQLite would open, write and empty it in any case.
                if not stat.S_ISREG(other.st_mode) or other.st_uid != opened.st_uid or other.st_nlink != 1:
                    raise Foreign(
                        f"has a {beside.name} beside it that belongs to another user or program; find out who made it"
                    )
        head = os.pread(descriptor, 100, 0)
        if not head:
            if self._log.exists() and self._log.stat().st_size:
                raise Foreign(
                    f"is empty, but {self._log.name} beside it is not, so something emptied it. Restore it from a "
                    "backup, or move both away and keep them"
                )
            return True
        if not head.startswith(_MAGIC):
            raise Foreign(f"is not a SQLite file, {_LEFT}")
        application = int.from_bytes(head[_APPLICATION_ID])
        if application != self._mark.application_id and (application or not self._has_our_tables()):
            raise Foreign(f"is the database of another program, {_LEFT}")
        return False

    def _has_our_tables(self) -> bool:
        """Whether a file without application ID has our tables, or none yet."""
        try:
            with contextlib.closing(self.read_only()) as database:
                names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.Error:
            return False
        return not names or self._mark.tables <= names

    def _write_holder(self) -> None:
        """Write who holds the file, to a new file that replaces the former one: that may be a link."""
        draft = self._beside(f".holder-{os.getpid()}")
        with contextlib.suppress(OSError):  # only a message depends on it
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(who_we_are())
            draft.replace(self._holder)

    def _who_holds(self) -> str:
        try:
            descriptor = os.open(self._holder, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                holder = file.read(300).decode("utf-8", "replace")
        except OSError:
            holder = ""
        return holder if _HOLDER.fullmatch(holder) else "another process"


def lock_file(descriptor: int) -> bool:
    """Lock a byte of an open file that SQLite does not use, until the file is closed; return whether it succeeded."""
    try:
        if _HAS_LOCKS_OF_FILES:  # it stays when another descriptor of the file is closed
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _lock_of(fcntl.F_WRLCK))
        else:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCK_BYTE)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _lock_of(kind: int) -> bytes:
    """A lock of our byte."""
    return struct.pack(_LOCK, kind, os.SEEK_SET, _LOCK_BYTE, 1, 0)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def who_we_are() -> str:
    """Return the name of this process for messages of another process."""
    return f"process {os.getpid()} on {socket.gethostname()}"
