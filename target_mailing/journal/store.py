"""A place for a journal: what all of them have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

import sqlalchemy as sa

__all__ = ["FORMER_FORMAT", "RESTORE", "JournalError", "JournalHeldError", "JournalInUseError", "Store"]

#: What is wrong with a journal that only a delivery takes over, and what to do about it.
FORMER_FORMAT: Final = "has the format of an earlier version. Deliver once before"
#: What to do about a damaged journal.
RESTORE: Final = "Restore it from a backup, or move it away and keep it: a new journal is empty"


class JournalError(Exception):
    """The journal cannot be opened or written; the message says where and what to do."""


class JournalHeldError(JournalError):
    """Another run holds the journal."""


class JournalInUseError(JournalError):
    """A run changes the journal while it is copied."""


class Store(ABC):
    """A place for a journal.

    Attributes:
        name: for messages and logs; holds no password.
        is_new: it was empty when it was opened.
        errors: exceptions that its use may raise, the driver's own among them.
        folder: where files beside it may be; None for the folder of temporary files.
    """

    name: str
    is_new = True
    folder: Path | None = None
    errors: tuple[type[Exception], ...] = (sa.exc.SQLAlchemyError, OSError)

    def would_be_made(self) -> bool:
        """Whether the place does not exist and could be made; it is not made.

        Raises:
            JournalError: it cannot be used, or could not be made.
        """
        return False

    def read_only(self) -> tuple[sa.Connection, str | None] | None:
        """Connect for reading alone, also while another process holds the place; no lock is taken.

        Returns:
            The connection, and the process that holds the place, if the system says so; None if there is no journal.

        Raises:
            JournalError: it cannot be used.
        """
        return None

    def overwrite(self, connection: sa.Connection) -> None:  # noqa: B027 - most places have no log
        """Remove deleted content from a log."""

    def compact(self, connection: sa.Connection) -> None:  # noqa: B027 - what is in memory ends
        """Rewrite all of it, so that nothing of deleted rows is left; no transaction may be open."""

    @abstractmethod
    def open(self) -> sa.Connection:
        """Connect, and hold the place until `close`.

        Raises:
            JournalError: another process holds it, or it cannot be used.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the place."""

    def commit(self, connection: sa.Connection) -> None:
        """Commit.

        Raises:
            Exception: one of `errors`, also where this process no longer holds the place: nothing is committed.
        """
        connection.commit()

    def hold_list(self, connection: sa.Connection, name: str) -> str | None:  # noqa: ARG002
        """Lock a list against runs with other journals in the same place, until `close`.

        Returns:
            The run that holds the lock; None if it was taken, or if a place holds only one journal.
        """
        return None

    def failure(self, error: Exception) -> str:
        """A message for an error of the driver, whose own message may hold a password."""
        return f"cannot be used ({type(error).__name__})"

    def error(self, message: str) -> JournalError:
        """The error that names the place."""
        return JournalError(f"Setting `journal`: {self.name} {message}.")

    def held(self, holder: str) -> JournalHeldError:
        """The error for a place that another run holds."""
        return JournalHeldError(
            f"Setting `journal`: {self.name} is held by {holder}. Wait for that run to end. A pipeline to another list "
            "may have a journal of its own."
        )

    def damaged(self, error: Exception) -> JournalError:
        """The error for content that no version writes."""
        return self.error(f"is damaged ({type(error).__name__} while it was read). {RESTORE}")

    def check(self) -> None:  # noqa: B027 - most places cannot disappear unnoticed
        """Check that the place still exists.

        Raises:
            JournalError: it was removed or replaced.
        """

    def prove(self) -> None:
        """Check that this process holds the place and its lists, before anything leaves that depends on it.

        Raises:
            JournalError: it does not.
        """
        self.check()
