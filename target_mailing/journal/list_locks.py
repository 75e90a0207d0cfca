"""One run at a time to a list, whatever journal it has: the journal's lock knows only the journal."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.storage.folders import NoHomeError, is_there, make_private, state_folder
from mailing_api.storage.locks import lock_file, who_we_are
from target_mailing.journal.journal import Journal

__all__ = ["ListLocks", "locks_folder"]

logger = logging.getLogger("target-mailing.journal")


class _Note(msgspec.Struct):
    """What the file of a list says: who held it last, and with which journal."""

    holder: str
    journal: str
    place: str


def locks_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where all runs of this user meet; None where there is no such place."""
    with suppress(NoHomeError):
        return state_folder("target-mailing", environ) / "lists"
    return None


class ListLocks:
    """The lists that a run delivers to.

    Runs of the same user on the same machine meet in a folder; runs whose journals are in one PostgreSQL database meet
    there, whoever and wherever they are.
    """

    def __init__(self, folder: Path | None, journal: Journal) -> None:
        """Take nothing yet.

        Args:
            folder: of the locks, the same for all runs; None for no locks in files.
            journal: of the run; the locks in its database end with it.
        """
        self._folder = folder
        self._journal = journal
        #: By the lock's name, the destination that has it, and its file.
        self._files: dict[str, tuple[str, Path, int]] = {}
        self._taken: set[str] = set()
        #: Destinations of which the user was told that another journal serves them, too.
        self._told: set[str] = set()

    def take(self, destination: str, lists: Iterable[str]) -> None:
        """Take the locks of a destination's lists, for as long as the run goes on.

        Args:
            destination: its name, for messages.
            lists: provider, account and list of each: the same texts for whatever settings lead there.

        Raises:
            ConfigurationError: another run delivers to one of them.
            JournalError: the journal cannot be used.
        """
        for one in lists:
            # No text of it stands in a file's name, or in a log of the database.
            name = hashlib.blake2b(one.encode(), digest_size=16).hexdigest()
            if name not in self._taken:
                self._take(name, destination)

    def _take(self, name: str, destination: str) -> None:
        if self._folder is not None:
            self._take_file(self._folder, name, destination)
        if holder := self._journal.hold_list(name):
            raise _held(
                destination,
                holder,
                "another journal of the same database. Wait for it to end. Runs to one list share a journal when "
                "account, `scope` and `list` are the same in both.",
            )
        self._taken.add(name)

    def _take_file(self, folder: Path, name: str, destination: str) -> None:
        try:
            make_private(folder)
            path = folder / f"{name}.lock"
            descriptor = _open(path)
        except OSError as exc:
            logger.debug("Other runs to the same list are not seen: no lock can be made (%s)", exc.strerror)
            return
        note = _note(os.pread(descriptor, 4096, 0))
        if not lock_file(descriptor):
            os.close(descriptor)
            raise _held(
                destination,
                note.holder if note else "another process",
                "another journal. Wait for it to end. Runs to one list share a journal: set `journal` to the same file "
                "in both.",
            )
        self._files[name] = destination, path, descriptor
        own = self._journal.name
        is_new = destination not in self._told
        if is_new and note and note.journal not in ("", own) and own and is_there(Path(note.place)):
            self._told.add(destination)
            logger.warning(
                "The last run to %s had another journal (%s), so this one knows neither its unfinished batches nor its "
                "keys. Set `journal` to the same file for all pipelines to one list.",
                destination,
                note.place,
            )
        note = _Note(who_we_are(), own, self._journal.place)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, msgspec.json.encode(note), 0)
        except OSError as exc:  # the lock is held all the same
            logger.debug("Other runs to the same list do not learn of this one (%s)", exc.strerror)

    def check(self) -> None:
        """See that the locks still keep other runs out; take those again whose files were swept away.

        Raises:
            ConfigurationError: meanwhile another run delivers to one of the lists.
        """
        for name, (destination, path, descriptor) in list(self._files.items()):
            if not _is_still(path, descriptor):
                del self._files[name]
                os.close(descriptor)
                self._take_file(path.parent, name, destination)

    def close(self) -> None:
        """Let go of the files."""
        for *_, descriptor in self._files.values():
            os.close(descriptor)
        self._files = {}


def _held(destination: str, holder: str, journal: str) -> ConfigurationError:
    return ConfigurationError(
        f"Settings `list` and `streams`: another run ({holder}) delivers to {destination} with {journal}"
    )


def _open(path: Path) -> int:
    """Open the file of a list, made where there is none; it is written, so nothing that may be another file's name."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise OSError(errno.EPERM, "what is there is no file of its own")
    return descriptor


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether a name still stands for an open file."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def _note(content: bytes) -> _Note | None:
    with suppress(msgspec.MsgspecError):
        found = msgspec.json.decode(content, type=_Note)
        if all(text.isprintable() for text in (found.holder, found.journal, found.place)):
            return found
    return None
