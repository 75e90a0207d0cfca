"""What one process holds at a time: a file of its own, or a lock in PostgreSQL, and who it is that holds it."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

import filelock
import msgspec

__all__ = ["HOLDER_OF_LOCK", "KEEPALIVE", "LOCK_PATIENCE", "Foreign", "Held", "HeldFile", "Mark", "who_we_are"]

#: Seconds to wait for a lock in PostgreSQL: the server learns a moment late that a killed holder is gone.
LOCK_PATIENCE: Final = 5.0
#: libpq's options by which a worker that is gone without a word is noticed, and its locks are free, within a minute.
KEEPALIVE: Final[dict[str, Any]] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
#: PostgreSQL: who holds the advisory lock of a text's hash; to be formatted with the sign of the text's parameter.
HOLDER_OF_LOCK: Final = (
    "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND (classid::bigint << 32 | objid::bigint) = hashtextextended({}, 0)"
)


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

_LEFT: Final = "and is left as it is; give a file of its own"


class HeldFile:
    """A SQLite file for its owner alone, held by a lock beside it."""

    def __init__(self, path: Path, mark: Mark) -> None:
        """Name the file; nothing is done."""
        self.path = path
        self._mark = mark
        self._lock = filelock.FileLock(path.with_name(f"{path.name}.lock"), mode=0o600)
        self._holder = path.with_name(f"{path.name}.holder")

    def hold(self) -> None:
        """Take the lock, and make the file, empty and private, where there is none.

        Raises:
            Foreign: what is there is no file of ours; nothing was changed.
            Held: another process holds it.
            OSError: it cannot be written.
        """
        self._check()
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout:
            raise Held(self._who_holds()) from None
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
        self.path.chmod(0o600)
        self._holder.write_text(who_we_are(), encoding="utf-8")

    def mark(self, execute: Callable[[str], Any]) -> None:
        """Mark the file as ours: before anything else, so that the mark is in the file itself and not in a log.

        Args:
            execute: runs a statement in the file.
        """
        ((found,),) = execute("PRAGMA application_id").fetchall()
        if found != self._mark.application_id:
            execute(f"PRAGMA application_id={self._mark.application_id}")

    def _check(self) -> None:
        """Look at what is there, and leave no trace of that."""
        if self.path.is_dir():
            raise Foreign("is a folder; give a file in it")
        if not self.path.exists():
            return
        if not self.path.is_file():
            raise Foreign("is no file; give one")
        with self.path.open("rb") as file:
            head = file.read(100)
        if not head:
            return
        if not head.startswith(_MAGIC):
            raise Foreign(f"is no SQLite file, {_LEFT}")
        found = int.from_bytes(head[_APPLICATION_ID])
        if found != self._mark.application_id and (found or not self._has_our_tables()):
            raise Foreign(f"is a database of something else, {_LEFT}")

    def _has_our_tables(self) -> bool:
        """Whether a file without application ID has our tables, or none yet."""
        # Immutable, SQLite leaves nothing beside the file; with a log beside it, it is all there already.
        log = self.path.with_name(f"{self.path.name}-wal")
        mode = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
        try:
            with contextlib.closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?{mode}", uri=True)) as database:
                names = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.Error:
            return False
        return not names or self._mark.tables <= names

    def let_go(self) -> None:
        """Let go of the lock, if it was taken."""
        if self._lock.is_locked:
            self._holder.unlink(missing_ok=True)
            self._lock.release()

    def _who_holds(self) -> str:
        try:
            return self._holder.read_text(encoding="utf-8")
        except OSError:
            return "another process"


def who_we_are() -> str:
    """This process, for the message to another one."""
    return f"process {os.getpid()} on {socket.gethostname()}"
