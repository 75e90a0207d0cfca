"""How the file of a journal is copied, and what tells that it changed meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["copy_files"]


def copy_files(path: Path, copy: Path) -> bool:
    """Copy a SQLite file with the log beside it; returns whether neither changed meanwhile.

    Raises:
        OSError: that is not possible.
    """
    log = path.with_name(f"{path.name}-wal")
    parts = [(path, copy), (log, copy.with_name(f"{copy.name}-wal"))]
    before = [_version_of(part) for part, _ in parts]
    for part, target in parts:
        if part.exists():
            shutil.copyfile(part, target)
    return before == [_version_of(part) for part, _ in parts]


def _version_of(path: Path) -> tuple[int, int, int] | None:
    """What changes with a file's content; None if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
