"""A file that one process holds at a time, and who it is that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import sqlite3
import stat
import struct
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

import filelock
import msgspec

from mailing_api.storage.folders import make_private

__all__ = ["Foreign", "Held", "HeldFile", "Mark", "lock_file", "who_we_are"]


class Held(Exception):
    """Another process holds it.

    Attributes:
        holder: who that is, for messages.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class Foreign(Exception):
    """What is there is not ours; the text says what it is, and what to do."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What tells a SQLite file of ours.

    Attributes:
        application_id: stands in the file's header, but for files that were made before there was one.
        tables: some that every such file has.
    """

    application_id: int
    tables: AbstractSet[str]


#: SQLite's file format: what a file begins with, and where its application ID is, four bytes with the highest first.
_MAGIC: Final = b"SQLite format 3\0"
_APPLICATION_ID: Final = slice(68, 72)

#: What may be said of a holder; anybody may have written the file beside a database.
_HOLDER: Final = re.compile(r"process \d{1,10} on [A-Za-z0-9._-]{1,253}")

#: In the page of SQLite's own locks, which begin at a gigabyte and take 512 bytes: no content is ever there.
_LOCK_BYTE: Final = 0x40000000 + 1024

#: Ends of the names of files that SQLite keeps beside a file.
_SQLITES_OWN: Final = ("-wal", "-shm", "-journal")

_LEFT: Final = "and is left as it is; give a file of its own"


class HeldFile:
    """A SQLite file for its owner alone, held by a lock on the file that was opened, whatever its name is."""

    def __init__(self, path: Path, mark: Mark) -> None:
        """Name the file; nothing is done.

        Attributes:
            is_new: nothing was in the file when it was opened.
        """
        self.path = path
        self.is_new = False
        self._mark = mark
        self._holder = self._beside(".holder")
        self._log = self._beside("-wal")
        # By the name alone: for runs of versions that know no other lock.
        self._lock = filelock.FileLock(self._beside(".lock"), mode=0o600)
        self._descriptor: int | None = None
        self._opened: dict[Path, tuple[int, int]] = {}

    def hold(self) -> None:
        """Lock the file; make it, empty and private, where there is none. Links are not followed.

        Raises:
            Foreign: what is there is no file of ours; nothing was changed.
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
        """Look at what is there, and leave no trace of that; returns whether the file is there and holds something.

        Raises:
            Foreign: it is no file of ours.
            OSError: it cannot be looked at.
        """
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return False
        if stat.S_ISLNK(found.st_mode):
            raise Foreign("is a symbolic link; give the path of the file itself")
        if stat.S_ISDIR(found.st_mode):
            raise Foreign("is a folder; give a file in it")
        if not stat.S_ISREG(found.st_mode):
            raise Foreign("is no file; give one")
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return not self._look(descriptor)
        finally:
            os.close(descriptor)

    def mark(self, execute: Callable[[str], Any]) -> None:
        """Mark the file as ours: before anything else, so that the mark is in the file itself and not in a log.

        Args:
            execute: runs a statement in the file.

        Raises:
            Foreign: something else is there by now.
        """
        if not self.is_there:
            raise Foreign("was replaced while it was opened; run again")
        ((found,),) = execute("PRAGMA application_id").fetchall()
        if found != self._mark.application_id:
            execute(f"PRAGMA application_id={self._mark.application_id}")

    @property
    def is_there(self) -> bool:
        """Whether the file that is held, and SQLite's log beside it, still are what their names stand for."""
        try:
            if self._log not in self._opened:
                with contextlib.suppress(FileNotFoundError):
                    self._opened[self._log] = _identity(self._log.lstat())
            return all(_identity(path.lstat()) == identity for path, identity in self._opened.items())
        except OSError:
            return False

    def let_go(self, close: Callable[[], Any]) -> None:
        """Let go of the file.

        Args:
            close: closes the database, and so lets go of its lock.
        """
        if self._opened:
            with contextlib.suppress(OSError):
                self._holder.unlink(missing_ok=True)
        close()
        # Only now: a process that closes a file may lose all of its locks on it, SQLite's among them.
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor, self._opened = None, {}
        self._lock.release()

    def _beside(self, suffix: str) -> Path:
        return self.path.parent / f"{self.path.name}{suffix}"

    def _look(self, descriptor: int) -> bool:
        """Whether an opened file is empty; Foreign if it is not ours."""
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Foreign("is no file; give one")
        if found.st_nlink > 1:
            raise Foreign("has other names, too (hard links), by which another run could use it; remove them")
        for suffix in _SQLITES_OWN:
            beside = self._beside(suffix)
            with contextlib.suppress(FileNotFoundError):
                other = beside.lstat()
                # SQLite opens, writes and empties it, whatever it is.
                if not stat.S_ISREG(other.st_mode) or other.st_uid != found.st_uid or other.st_nlink != 1:
                    raise Foreign(f"has a {beside.name} beside it that is not its own; look who made that")
        head = os.pread(descriptor, 100, 0)
        if not head:
            if self._log.exists() and self._log.stat().st_size:
                raise Foreign(
                    f"is empty, but {self._log.name} beside it is not, so something emptied it. Restore it from a "
                    "backup, or move both away and keep them"
                )
            return True
        if not head.startswith(_MAGIC):
            raise Foreign(f"is no SQLite file, {_LEFT}")
        application = int.from_bytes(head[_APPLICATION_ID])
        if application != self._mark.application_id and (application or not self._has_our_tables()):
            raise Foreign(f"is a database of something else, {_LEFT}")
        return False

    def _has_our_tables(self) -> bool:
        """Whether a file without application ID has our tables, or none yet."""
        # Immutable, SQLite leaves nothing beside the file; with a log beside it, it is all there already.
        mode = "mode=ro" if self._log.exists() and self._log.stat().st_size else "immutable=1"
        try:
            with contextlib.closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?{mode}", uri=True)) as database:
                names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.Error:
            return False
        return not names or self._mark.tables <= names

    def _write_holder(self) -> None:
        """Say who holds the file. What is there by that name is replaced, and never written through."""
        draft = self._beside(f".holder-{os.getpid()}")
        with contextlib.suppress(OSError):  # nothing but a message depends on it
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(who_we_are())
            draft.replace(self._holder)

    def _who_holds(self) -> str:
        try:
            descriptor = os.open(self._holder, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                told = file.read(300).decode("utf-8", "replace")
        except OSError:
            told = ""
        return told if _HOLDER.fullmatch(told) else "another process"


def lock_file(descriptor: int) -> bool:
    """Lock a byte of an open file that SQLite never uses; whether that could be done. The lock ends with the file."""
    if not hasattr(fcntl, "F_OFD_SETLK"):
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCK_BYTE)
        except (BlockingIOError, PermissionError):
            return False
        return True
    try:
        # Of the open file, not of the process: it stays when another descriptor of the file is closed.
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, _LOCK_BYTE, 1, 0))
    except (BlockingIOError, PermissionError):
        return False
    return True


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def who_we_are() -> str:
    """This process, for the message to another one."""
    return f"process {os.getpid()} on {socket.gethostname()}"
