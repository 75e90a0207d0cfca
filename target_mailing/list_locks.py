"""One run at a time to a list, whatever journal it has: the journal's lock knows only the journal."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.folders import NoHomeError, make_private, state_folder
from mailing_api.holding import lock_file, who_we_are

__all__ = ["ListLocks", "locks_folder"]

logger = logging.getLogger("target-mailing.journal")

#: Ends of names of settings that say which account it is, where labels do not.
_TELLING: Final = ("_url", "_api_key", "_key_id", "_profile", "_role_arn")


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
    """The lists that a run delivers to. Runs of other users and machines are not seen."""

    def __init__(self, folder: Path | None, config: Mapping[str, Any], *, journal: str, place: str) -> None:
        """Take nothing yet.

        Args:
            folder: of the locks, the same for all runs; None for no locks.
            config: the plugin's settings.
            journal: a name for the run's journal, the same in each run; "" for none.
            place: where that is kept.
        """
        self._folder = folder
        telling: Iterable[str] = (f"{name}={config[name]}" for name in sorted(config) if name.endswith(_TELLING))
        self._account = "\n".join(telling)
        self._journal, self._place = journal, place
        self._held: dict[str, int] = {}

    def take(self, destination: str) -> None:
        """Take the lock of a destination, for as long as the run goes on.

        Raises:
            ConfigurationError: another run delivers to it.
        """
        if self._folder is None or destination in self._held:
            return
        name = hashlib.blake2b(f"{destination}\n{self._account}".encode(), digest_size=16).hexdigest()
        try:
            make_private(self._folder)
            path = self._folder / f"{name}.lock"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            logger.debug("Other runs to the same list are not seen: no lock can be made (%s)", exc.strerror)
            return
        note = _note(os.pread(descriptor, 4096, 0))
        if not lock_file(descriptor):
            os.close(descriptor)
            holder = note.holder if note else "another process"
            raise ConfigurationError(
                f"Settings `list` and `streams`: another run ({holder}) delivers to {destination} with another "
                "journal. Wait for it to end. Runs to one list share a journal: set `journal` to the same file in both."
            )
        self._held[destination] = descriptor
        if note and note.journal not in ("", self._journal) and self._journal and Path(note.place).exists():
            logger.warning(
                "The last run to %s had another journal (%s), so this one knows neither its unfinished batches nor its "
                "keys. Set `journal` to the same file for all pipelines to one list.",
                destination,
                note.place,
            )
        note = _Note(who_we_are(), self._journal, self._place)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, msgspec.json.encode(note), 0)
        except OSError as exc:  # the lock is held all the same
            logger.debug("Other runs to the same list do not learn of this one (%s)", exc.strerror)

    def close(self) -> None:
        """Let go of all."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held = {}


def _note(content: bytes) -> _Note | None:
    with suppress(msgspec.MsgspecError):
        found = msgspec.json.decode(content, type=_Note)
        if all(text.isprintable() for text in (found.holder, found.journal, found.place)):
            return found
    return None
