"""Mailjet's jobs as it shows them; pure."""

from __future__ import annotations

from typing import Final, Self

import msgspec

from mailing_api.mailjet.answers import Row
from mailing_api.values import integer

__all__ = ["TERMINAL_STATUSES", "CsvImport", "Job"]

#: Job statuses after which nothing changes, in lower case; any other, known or not, is still under way.
TERMINAL_STATUSES: Final = frozenset({"completed", "error", "abort", "aborted"})


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A managemanycontacts job.

    Attributes:
        status: in lower case, trimmed.
        error: text that may quote addresses; "" for none.
        error_file: where the error file is, as given; "" for none.
        count: contacts processed so far, if told; whether those in error are among them is unverified.
    """

    status: str
    error: str
    error_file: str
    count: int | None

    @property
    def is_terminal(self) -> bool:
        """Whether the job can no longer change."""
        return self.status in TERMINAL_STATUSES

    @classmethod
    def of(cls, row: Row) -> Self:
        """From the answer."""
        return cls(
            status=_status(row),
            error=str(row.get("Error") or ""),
            error_file=str(row.get("ErrorFile") or ""),
            count=_number(row, "Count"),
        )


class CsvImport(msgspec.Struct, frozen=True, kw_only=True):
    """A csvimport job. Documentation samples have an empty text in place of numbers.

    Attributes:
        status: in lower case, trimmed.
        errors: rows in error, if told.
        count: rows of the file, or rows processed: which of the two is unverified; if told.
    """

    status: str
    errors: int | None
    count: int | None

    @property
    def is_terminal(self) -> bool:
        """Whether the job can no longer change."""
        return self.status in TERMINAL_STATUSES

    @classmethod
    def of(cls, row: Row) -> Self:
        """From the answer."""
        return cls(status=_status(row), errors=_number(row, "Errcount"), count=_number(row, "Count"))


def _status(row: Row) -> str:
    return str(row.get("Status") or "").strip().lower()


def _number(row: Row, name: str) -> int | None:
    try:
        return integer(row.get(name))
    except (ValueError, TypeError, OverflowError):
        return None
