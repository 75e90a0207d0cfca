"""Folders of this user: the home, the place for state, and folders that nobody else may look into."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

__all__ = ["NoHomeError", "expanded", "is_there", "make_private", "state_folder", "unmakable"]


class NoHomeError(Exception):
    """There is no home folder: HOME is not set to an absolute path, and this user has no entry in /etc/passwd."""


def expanded(path: str) -> Path:
    """A path with `~` or `~user` replaced.

    Raises:
        NoHomeError: that home is not known.
        ValueError: no file can have this name; the text says why.
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
    """Where a program keeps what it remembers, by the XDG Base Directory Specification.

    Raises:
        NoHomeError: it is not told, and there is no home.
    """
    told = environ.get("XDG_STATE_HOME", "")
    # The specification has relative paths ignored.
    base = Path(told) if os.path.isabs(told) else expanded("~") / ".local" / "state"  # noqa: PTH117
    return base / program


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone; what is there stays as it is.

    Raises:
        OSError: it cannot be made.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(folder))


def is_there(path: Path) -> bool:
    """Whether there is something by this name that this user can find."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def unmakable(path: Path) -> str | None:
    """Why a file that is not there could not be made; None if it could. Nothing stays of the attempt."""
    folder = path.parent
    try:
        path.lstat()
    except FileNotFoundError:
        while not folder.exists():
            folder = folder.parent
    except OSError as exc:
        return exc.strerror
    if not folder.is_dir():
        return f"{folder} is no folder"
    try:
        Path(mkdtemp(dir=folder)).rmdir()  # rights alone do not tell: of a system's own folder, a full disk, ...
    except OSError:
        return f"{folder} cannot be written"
    return None
