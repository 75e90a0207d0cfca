"""The rejects files and history files that hold something of one person, and what is left of them without it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from mailing_api.storage.overwriting import remove, rewrite
from target_mailing.person.files import entries_of, files_in

__all__ = ["Content", "HeldFile", "erase_from", "holding", "unsearched"]


class Content(Protocol):
    """What such files hold."""

    def lines(self, path: Path) -> Iterator[tuple[bytes, bytes | None]]:
        """The lines of a file, each with what is left of it without the person: None for nothing.

        Raises:
            OSError: the file cannot be read.
        """


class HeldFile(msgspec.Struct, frozen=True):
    """A file that holds something of the person.

    Attributes:
        records: how many.
        links: other names of it (hard links), which keep what is erased.
        is_in_use: a run writes it; None where the file system has no locks, so that this is unknown.
    """

    path: Path
    records: int
    links: int
    is_in_use: bool | None


_OPENED: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


#: What a file system says that has no locks, such as some that are mounted from a server.
_NO_LOCKS: Final = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def holding(folder: Path, patterns: Sequence[str], content: Content) -> list[HeldFile]:
    """The files of a folder that hold something of the person, oldest first; a missing folder has none.

    Raises:
        OSError: the folder or a file cannot be read; its `filename` is set.
    """
    found = []
    for path in files_in(folder, patterns):
        records = sum(line != left for line, left in content.lines(path))
        if records:
            found.append(HeldFile(path, records, path.stat().st_nlink - 1, _is_in_use(path)))
    return found


def erase_from(path: Path, content: Content, is_empty: Callable[[Path], bool]) -> bool:
    """Rewrite a file without the person, or remove it if nothing else is in it; returns whether it is still there.

    Args:
        path: of the file, which no run writes.
        content: of it.
        is_empty: whether a rewritten file need not stay.

    Raises:
        OSError: it cannot be rewritten, and is as it was.
    """
    rewrite(path, (left for _, left in content.lines(path) if left is not None))
    if is_empty(path):
        remove(path)
        return False
    return True


def unsearched(folder: Path, begin: str, patterns: Sequence[str]) -> list[str]:
    """Names of other files there that begin so, such as compressed ones, and of links, which are not searched."""
    searched = {*files_in(folder, patterns)}
    return [path.name for path in entries_of(folder) if path.name.startswith(begin) and path not in searched]


def _is_in_use(path: Path) -> bool | None:
    """Whether a run has a file locked; None where the file system has no locks."""
    descriptor = os.open(path, _OPENED)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise OSError(error.errno, error.strerror, str(path)) from None
        return None
    else:
        return False
    finally:
        os.close(descriptor)
