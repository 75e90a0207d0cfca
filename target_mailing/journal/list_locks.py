"""Locks of lists: one run at a time delivers to a list, also where two runs have different journals."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.storage.folders import NoHomeError, is_there, make_private, state_folder
from mailing_api.storage.locks import lock_file, who_we_are

__all__ = ["ListLocks", "locks_folder"]

logger = logging.getLogger("target-mailing.journal")


class _Note(msgspec.Struct):
    """The content of a lock's file: the run that held it last, and the journal of that run."""

    holder: str
    journal: str
    place: str


def locks_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the locks of all runs of this user; None if the user has no home."""
    with suppress(NoHomeError):
        return state_folder("target-mailing", environ) / "lists"
    return None


class _Journal(Protocol):
    """What the locks need of a journal."""

    @property
    def name(self) -> str:
        """A hash that tells it from others."""

    @property
    def place(self) -> str:
        """Its place, for messages."""

    def hold_list(self, name: str) -> str | None:
        """Lock a list in its place."""

    def check(self) -> None:
        """Check that it is held, and the lists that were locked in its place."""


class ListLocks:
    """The locks of the lists that a run delivers to.

    Runs of one user on one machine share a folder of locks; runs with journals in one PostgreSQL database share its
    advisory locks, whatever their users and machines.
    """

    def __init__(self, folder: Path | None, journal: _Journal, *, leaves_note: bool = True) -> None:
        """Begin without locks.

        Args:
            folder: of the locks, the same for all runs; None for no files.
            journal: of the run; it releases the locks in its database.
            leaves_note: note this run for the next one, which a plan does not.
        """
        self._folder = folder
        self._journal = journal
        self._leaves_note = leaves_note
        #: By the lock's name: destination, path and descriptor.
        self._files: dict[str, tuple[str, Path, int]] = {}
        self._taken: set[str] = set()
        #: Destinations with a logged warning that the last run had another journal.
        self._warned: set[str] = set()

    def take(self, destination: str, lists: Iterable[str]) -> None:
        """Take the locks of a destination's lists, until `close`.

        Args:
            destination: its name, for messages.
            lists: provider, account and list of each, the same strings whatever settings lead to it.

        Raises:
            ConfigurationError: another run delivers to one of them.
            JournalError: the journal cannot be used.
        """
        for account_list in lists:
            # A hash: names of files and logs of the database show no name of a list.
            name = hashlib.blake2b(account_list.encode(), digest_size=16).hexdigest()
            if name not in self._taken:
                self._take(name, destination)

    def _take(self, name: str, destination: str) -> None:
        if self._folder is not None:
            self._take_file(self._folder, name, destination)
        if holder := self._journal.hold_list(name):
            raise _held(
                destination,
                holder,
                "another journal of the same database, or is a plan. Wait for that run to end. Pipelines to one list "
                "must share a journal: give both the same account, `scope` and `list`.",
            )
        self._taken.add(name)

    def _take_file(self, folder: Path, name: str, destination: str) -> None:
        try:
            make_private(folder)
            path = folder / f"{name}.lock"
            descriptor = _open(path)
        except OSError as exc:
            logger.debug("No lock against other runs to the same list: its file cannot be made (%s)", exc.strerror)
            return
        note = _note(os.pread(descriptor, 4096, 0))
        if not lock_file(descriptor):
            os.close(descriptor)
            raise _held(
                destination,
                note.holder if note else "another process",
                "another journal, or is a plan. Wait for that run to end. Pipelines to one list must share a journal: "
                "set `journal` to the same file in both.",
            )
        self._files[name] = destination, path, descriptor
        own = self._journal.name
        is_other = note is not None and own and note.journal not in ("", own)
        if note and is_other and destination not in self._warned and is_there(Path(note.place)):
            self._warned.add(destination)
            logger.warning(
                "The last run to %s had another journal (%s); its unfinished batches and its keys are unknown here. "
                "Set `journal` to the same file for all pipelines to one list.",
                destination,
                note.place,
            )
        if not self._leaves_note:
            return
        note = _Note(who_we_are(), own, self._journal.place)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, msgspec.json.encode(note), 0)
        except OSError as exc:  # the lock is held anyway
            logger.debug("Other runs to the same list will not find the name of this run (%s)", exc.strerror)

    def check(self) -> None:
        """Take the locks again whose files were removed or replaced; the journal's are checked.

        Raises:
            ConfigurationError: another run took one of them.
            JournalError: the journal, or a lock in its database, is no longer held.
        """
        self._journal.check()
        for name, (destination, path, descriptor) in list(self._files.items()):
            if not _is_still(path, descriptor):
                del self._files[name]
                os.close(descriptor)
                self._take_file(path.parent, name, destination)

    def close(self) -> None:
        """Release the locks in files."""
        for *_, descriptor in self._files.values():
            os.close(descriptor)
        self._files = {}


def _held(destination: str, holder: str, journal: str) -> ConfigurationError:
    return ConfigurationError(
        f"Settings `list` and `streams`: another run ({holder}) delivers to {destination} with {journal}"
    )


def _open(path: Path) -> int:
    """Open a lock's file, or make it. It is written, so a link to another file is refused."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid != os.geteuid():
        os.close(descriptor)
        raise OSError(errno.EPERM, "there is something else by its name")
    return descriptor


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether a path still names an open file."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def _note(content: bytes) -> _Note | None:
    with suppress(msgspec.MsgspecError):
        note = msgspec.json.decode(content, type=_Note)
        if all(value.isprintable() for value in (note.holder, note.journal, note.place)):
            return note
    return None
