"""The file of a run's history: whole lines only, under its final name once the run has ended."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mailing_api.storage.folders import make_private
from target_mailing.run_identity import RUN_ID

__all__ = ["NAMES", "HistoryFile", "complete_left"]

#: The names of files of runs that have ended.
NAMES: Final = re.compile(rf"history-{RUN_ID}\.singer")
_PATTERN: Final = "history-*.singer"
#: The suffix of the file of a run that has not ended.
_OPEN: Final = ".part"
_SAFE: Final = os.O_NOFOLLOW | os.O_CLOEXEC
#: Seconds after which an empty file is no longer that of a run that is about to lock it.
_ABANDONED: Final = 60.0
#: Bytes that are read at a time to find the last line's end.
_BLOCK: Final = 1 << 16


class HistoryFile:
    """The file of one run; mode 0600.

    As long as the run lasts, its name ends in `.part`, and it is locked: so a loader of `*.singer` never finds half a
    file, and the next run can tell the file of a killed run from that of a run that has not ended.

    Attributes:
        path: the final name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Make the file.

        Raises:
            OSError: it cannot be made.
        """
        make_private(folder)
        self.path = folder.absolute() / f"history-{name}.singer"
        self._open = self.path.with_name(f"{self.path.name}{_OPEN}")
        self._file = os.open(self._open, _SAFE | os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        self._size = 0
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError:
            os.close(self._file)
            raise

    def append(self, lines: bytes) -> None:
        """Append whole lines; all of them or none.

        Raises:
            OSError: they cannot be written.
        """
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(lines)

    def finish(self, *, is_hurried: bool) -> None:
        """Give the file its final name; unless there is no time, it is on disk before.

        Raises:
            OSError: that is not possible.
        """
        try:
            if not is_hurried:
                os.fsync(self._file)
        finally:
            try:
                self._open.rename(self.path)
            finally:
                os.close(self._file)


def complete_left(folder: Path) -> int:
    """Complete the files that killed runs left in a folder: their last lines are whole, and their names final.

    Returns:
        How many were completed; those of runs that have not ended stay as they are.
    """
    completed = 0
    for path in sorted(folder.glob(_PATTERN + _OPEN)):
        with suppress(OSError), _locked(path) as file:
            end = _end_of_lines(file)
            if end:
                os.ftruncate(file, end)
                path.rename(path.with_name(path.name.removesuffix(_OPEN)))
                completed += 1
            elif time.time() - os.fstat(file).st_mtime > _ABANDONED:
                path.unlink()
    return completed


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """A file that no run writes, opened.

    Raises:
        OSError: a run writes it, or it cannot be opened.
    """
    file = os.open(path, _SAFE | os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file
    finally:
        os.close(file)


def _end_of_lines(file: int) -> int:
    """The length of a file up to the end of its last whole line."""
    end = os.fstat(file).st_size
    while end:
        begin = max(0, end - _BLOCK)
        at = os.pread(file, end - begin, begin).rfind(b"\n")
        if at >= 0:
            return begin + at + 1
        end = begin
    return 0
