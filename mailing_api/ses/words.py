"""The words of Amazon SES that decide, also where they are not those of its model; pure.

AWS's prose, older services and emulators have others than the model. A word that is unknown is read so that nothing
follows from it that the word might not have meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import MailingError

__all__ = ["COMPLETED", "TERMINAL_STATUSES", "has_ended", "is_full", "is_invalid", "job_status", "suppression_reason"]

COMPLETED: Final = "COMPLETED"
#: Statuses of jobs that can no longer change. The documentation's prose names ERROR, which its enum does not have.
TERMINAL_STATUSES: Final = frozenset({COMPLETED, "FAILED", "CANCELLED", "ERROR"})
#: Statuses of jobs under way.
_OPEN: Final = frozenset({"CREATED", "PROCESSING"})
_SPELLINGS: Final = {"CANCELED": "CANCELLED"}
_INVALID: Final = frozenset(
    {
        "BadRequestException", "ValidationException", "ValidationError", "InvalidParameterException",
        "InvalidParameterValue", "InvalidParameterValueException",
    }
)  # fmt: skip
_FULL: Final = frozenset({"LimitExceededException", "LimitExceeded", "ServiceQuotaExceededException"})


def job_status(row: Mapping[str, Any]) -> str:
    """An import job's status, whatever its letter case and signs between words; "" for none."""
    found = re.sub(r"[\s_-]+", "_", str(row.get("JobStatus") or "").strip()).upper()
    return _SPELLINGS.get(found, found)


def has_ended(row: Mapping[str, Any]) -> bool:
    """Whether an import job can no longer change.

    With an unknown status it has ended if it says when, which GetImportJob alone does; else it is under way. Whoever
    sent its records does not know then how it ended.
    """
    status = job_status(row)
    return status in TERMINAL_STATUSES or (status not in _OPEN and bool(row.get("CompletedTimestamp")))


def suppression_reason(row: Mapping[str, Any]) -> str:
    """Why an address is suppressed, in capitals; "" if that is not told. It is suppressed in any case."""
    found = row.get("Reason")
    return found.strip().upper() if isinstance(found, str) else ""


def is_invalid(error: MailingError) -> bool:
    """Whether a request was refused for what it says, such as an address or a size."""
    return error.code in _INVALID


def is_full(error: MailingError) -> bool:
    """Whether an import job was refused because as many are under way as there may be."""
    return error.code in _FULL
