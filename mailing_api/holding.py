"""What one process holds at a time: a file of its own, or a lock in PostgreSQL, and who it is that holds it."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Final

import filelock

__all__ = ["HOLDER_OF_LOCK", "KEEPALIVE", "LOCK_PATIENCE", "Held", "HeldFile", "who_we_are"]

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


class HeldFile:
    """A file for its owner alone, held by a lock beside it."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is done."""
        self.path = path
        self._lock = filelock.FileLock(path.with_name(f"{path.name}.lock"), mode=0o600)
        self._holder = path.with_name(f"{path.name}.holder")

    def hold(self) -> None:
        """Take the lock, and make the file, empty and private, where there is none.

        Raises:
            Held: another process holds it.
            OSError: it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock.acquire(blocking=False)
        except filelock.Timeout:
            raise Held(self._who_holds()) from None
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
        self.path.chmod(0o600)
        self._holder.write_text(who_we_are(), encoding="utf-8")

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
