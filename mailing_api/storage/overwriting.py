"""Files whose former content is overwritten on disk, and not only given up."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["finish_rewrites", "overwrite", "remove", "rewrite"]

_BLOCK: Final = 1 << 20
_OPENED: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
#: Suffixes of hidden files beside the one that is rewritten: its new content, and its former one.
_NEW: Final = ".new"
_FORMER: Final = ".former"


def overwrite(descriptor: int, begin: int) -> None:
    """Overwrite an open file with zeros, from a position to its end, and wait until they are on disk.

    Raises:
        OSError: it cannot be written.
    """
    size = os.fstat(descriptor).st_size
    while begin < size:
        begin += os.pwrite(descriptor, bytes(min(_BLOCK, size - begin)), begin)
    os.fsync(descriptor)


def remove(path: Path) -> None:
    """Remove a file, overwritten unless it has other names. A kill leaves a hidden file, see `finish_rewrites`.

    Raises:
        OSError: it cannot be written or removed, or is no regular file.
    """
    former = _beside(path, _FORMER)
    path.rename(former)
    _sync(path.parent)
    _destroy(former)


def rewrite(path: Path, content: Iterable[bytes]) -> None:
    """Give a file other content, at once and with the same times; its former content is overwritten.

    Where the file has other names (hard links), these keep the former content.

    The file has either content at any moment, whole. A kill leaves at most hidden files, see `finish_rewrites`.

    Args:
        path: of a regular file that nobody writes meanwhile.
        content: may be read from the file itself.

    Raises:
        OSError: it cannot be written; it is as it was.
    """
    status = path.lstat()
    new, former = _beside(path, _NEW), _beside(path, _FORMER)
    new.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(new, flags, 0o600), "wb") as file:
            file.writelines(content)
            file.flush()
            os.utime(file.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            os.fsync(file.fileno())
        os.link(path, former, follow_symlinks=False)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    new.rename(path)
    _sync(path.parent)
    _destroy(former)


def finish_rewrites(folder: Path, pattern: str) -> int:
    """Finish what kills left in a folder: former content is overwritten and removed, and so is new content.

    Args:
        folder: may be missing.
        pattern: of the names of the files that were rewritten.

    Returns:
        How many files held former content.

    Raises:
        OSError: a file cannot be written or removed.
    """
    finished = 0
    for former in _hidden(folder, pattern, _FORMER):
        path = folder / former.name.removeprefix(".").removesuffix(_FORMER)
        if path.exists() and path.samefile(former):
            former.unlink()  # killed before the new content took its place: it is under its own name, too
            continue
        _destroy(former)
        finished += 1
    for new in _hidden(folder, pattern, _NEW):
        name = Path(new.name.removeprefix(".").removesuffix(_NEW))
        # Another process may be about to put it in its file's place. After a kill it is found as former content.
        taken = _beside(folder / f"{name.stem}{_NEW}{name.suffix}", _FORMER)
        new.rename(taken)
        _destroy(taken)
    return finished


def _destroy(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | _OPENED)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "no regular file")
        if status.st_nlink == 1:  # under another name it is somebody's backup
            overwrite(descriptor, 0)
    finally:
        os.close(descriptor)
    path.unlink()


def _hidden(folder: Path, pattern: str, suffix: str) -> Iterator[Path]:
    for path in [*folder.glob(f".{pattern}{suffix}")]:
        if path.is_file() and not path.is_symlink():
            yield path


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}{suffix}")


def _sync(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
