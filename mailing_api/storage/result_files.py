"""Files that replace an earlier one of the same kind, and nothing else; only their owner may read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["begin_draft", "beginning"]


def beginning(path: Path, size: int) -> bytes | None:
    """The first bytes of a file, so many at most; None if nothing is there.

    Raises:
        OSError: it cannot be read, or is no regular file: to open a pipe would wait for its other end.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError
        with path.open("rb") as file:
            return file.read(size)
    except FileNotFoundError:
        return None


def begin_draft(path: Path) -> tuple[Path, BinaryIO]:
    """Begin a file beside the one that it is to replace, and the folders in which it is.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return draft, os.fdopen(os.open(draft, flags, 0o600), "wb")
