"""Folders of this user: the home, the folder for state, and private folders."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

__all__ = ["NoHomeError", "delete_old", "expanded", "is_there", "make_private", "state_folder", "unmakable"]


class NoHomeError(Exception):
    """There is no home folder: HOME is not set to an absolute path, and this user has no entry in /etc/passwd."""


def expanded(path: str) -> Path:
    """Return a path with `~` or `~user` replaced.

    Raises:
        NoHomeError: that home folder is unknown.
        ValueError: no file can have this name; the message says why.
    """
    if "\0" in path:
        raise ValueError("it holds a NUL character")
    if not path.strip():
        raise ValueError("it is blank")
    if not path.startswith("~"):
        return Path(path)
    if path.split("/", 1)[0] == "~" and "HOME" in os.environ and not os.path.isabs(os.environ["HOME"]):  # noqa: PTH117
        raise NoHomeError
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise NoHomeError from None


def state_folder(program: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for a program's state, by the XDG Base Directory Specification.

    Raises:
        NoHomeError: XDG_STATE_HOME is not set, and there is no home folder.
    """
    named = environ.get("XDG_STATE_HOME", "")
    # By the specification, relative paths are ignored.
    base = Path(named) if os.path.isabs(named) else expanded("~") / ".local" / "state"  # noqa: PTH117
    return base / program


def make_private(folder: Path) -> None:
    """Make a folder and its missing parents, for this user alone; existing folders are not changed.

    Raises:
        OSError: it cannot be made.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(folder))


def is_there(path: Path) -> bool:
    """Return whether a path exists, as far as this user can see."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def delete_old(folder: Path, names: re.Pattern[str], before: float) -> int:
    """Delete files of a folder that have such a name as a whole, last written before a time; never links or others.

    Args:
        folder: with the files; it may be missing.
        names: of the files that may be deleted.
        before: Unix seconds.

    Returns:
        How many were deleted.
    """
    deleted = 0
    with suppress(OSError):
        for path in folder.iterdir():
            if names.fullmatch(path.name):
                deleted += _is_deleted(path, before)
    return deleted


def _is_deleted(path: Path, before: float) -> bool:
    with suppress(OSError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_mtime < before:
            path.unlink()
            return True
    return False


def unmakable(path: Path) -> str | None:
    """Return why a missing file could not be created; None if it could. The attempt leaves no trace."""
    folder = path.parent
    try:
        path.lstat()
    except FileNotFoundError:
        while not folder.exists():
            folder = folder.parent
    except OSError as exc:
        return exc.strerror
    if not folder.is_dir():
        return f"{folder} is not a folder"
    try:
        Path(mkdtemp(dir=folder)).rmdir()  # permissions are not enough: think of system folders and full disks
    except OSError:
        return f"{folder} cannot be written"
    return None
