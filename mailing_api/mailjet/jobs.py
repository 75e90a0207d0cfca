"""Mailjet's jobs; pure."""

from __future__ import annotations

from typing import Final, Self

import msgspec

from mailing_api.mailjet.answers import Row
from mailing_api.values import count

__all__ = ["TERMINAL_STATUSES", "CsvImport", "Job"]

#: Final statuses of jobs, in lower case; a job with any other status, known or not, is still running.
TERMINAL_STATUSES: Final = frozenset({"completed", "error", "abort", "aborted"})


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    """The common part of both kinds of jobs.

    Attributes:
        status: in lower case, trimmed.
        count: contacts or rows processed so far, or None. Unverified: whether this includes contacts in error, and
            whether a csvimport job counts all rows of its file from the beginning.
    """

    status: str
    count: int | None

    @property
    def is_terminal(self) -> bool:
        """Whether the job can no longer change."""
        return self.status in TERMINAL_STATUSES

    @property
    def progress(self) -> tuple[str, int | None]:
        """How far it is: this changes only when the job moves on."""
        return self.status, self.count


class Job(_Job, frozen=True, kw_only=True):
    """A managemanycontacts job.

    Attributes:
        error: Mailjet's message, which may quote addresses; "" for none.
        error_file: the URL or path of the error file; "" for none.
    """

    error: str
    error_file: str

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a job from a response."""
        return cls(
            status=_status(row),
            error=str(row.get("Error") or ""),
            error_file=str(row.get("ErrorFile") or ""),
            count=count(row.get("Count")),
        )


class CsvImport(_Job, frozen=True, kw_only=True):
    """A csvimport job. Samples in the documentation have an empty string in place of numbers.

    Attributes:
        errors: rows in error, or None.
    """

    errors: int | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a job from a response."""
        return cls(status=_status(row), errors=count(row.get("Errcount")), count=count(row.get("Count")))


def _status(row: Row) -> str:
    return str(row.get("Status") or "").strip().lower()
