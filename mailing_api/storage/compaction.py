"""A SQLite file without anything of its deleted rows: not in free pages, its log, or the disk space that it frees."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, Final

from mailing_api.storage.locks import HeldFile
from mailing_api.storage.overwriting import overwrite

__all__ = ["compact"]

_BUSY: Final = "another connection reads the file"


def compact(execute: Callable[[str], Any], file: HeldFile) -> None:
    """Rewrite a file, held and in WAL mode, so that only its present rows are in it; no transaction may be open.

    Deleting alone leaves copies: SQLite moves rows between pages, and keeps old pages in its log. What the file gives
    up is overwritten before. A kill at any moment leaves the whole content; then this has to be done again.

    Args:
        execute: runs a statement in the file.
        file: held.

    Raises:
        OSError: it cannot be written; or as of `execute`, most often because the disk is full.
    """
    execute("PRAGMA wal_autocheckpoint=0").fetchall()
    execute("VACUUM")
    # The rewritten pages are in the log, on disk: what is behind the last of them is no longer read.
    size = _number(execute, "page_count") * _number(execute, "page_size")
    file.overwrite_behind(size)
    _checkpoint(execute, "RESTART")
    # All of the log is in the file, and the next writer would begin it again.
    if (log := file.open_log()) is not None:
        try:
            overwrite(log, 0)
        finally:
            os.close(log)
    _checkpoint(execute, "TRUNCATE")


def _number(execute: Callable[[str], Any], pragma: str) -> int:
    ((number,),) = execute(f"PRAGMA {pragma}").fetchall()
    return int(number)


def _checkpoint(execute: Callable[[str], Any], mode: str) -> None:
    ((is_busy, _, _),) = execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
    if is_busy:
        raise OSError(errno.EBUSY, _BUSY)
