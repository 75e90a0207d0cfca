"""One process holds a journal at a time, and says who it is."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import filelock

__all__ = ["JournalError", "holder_file", "take_lock"]


class JournalError(Exception):
    """The journal cannot be opened or written; the message says where and what to do."""


def take_lock(path: Path) -> filelock.BaseFileLock:
    """Take the lock of a journal, and make its file, private, where there is none.

    Raises:
        JournalError: another process holds it, or the place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = filelock.FileLock(path.with_name(f"{path.name}.lock"), mode=0o600)
        lock.acquire(blocking=False)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        holder_file(path).write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    except filelock.Timeout:
        try:
            holder = holder_file(path).read_text(encoding="utf-8")
        except OSError:
            holder = "another process"
        raise JournalError(
            f"Setting `journal`: {path} is held by {holder}. Wait for it to end, or give this pipeline another journal."
        ) from None
    except OSError as exc:
        raise JournalError(
            f"Setting `journal`: {path} cannot be written ({exc.strerror}). Choose a place that can be."
        ) from None
    return lock


def holder_file(path: Path) -> Path:
    """Where the holder of a journal says who it is."""
    return path.with_name(f"{path.name}.holder")
