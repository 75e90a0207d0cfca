"""Amazon SES's statuses, reasons and codes, also those that its model lacks; pure.

AWS's documentation, older services and emulators use other words than the model. An unknown word is read in the most
careful way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import MailingError

__all__ = ["COMPLETED", "TERMINAL_STATUSES", "has_ended", "is_full", "is_invalid", "job_status", "suppression_reason"]

COMPLETED: Final = "COMPLETED"
#: Final statuses of jobs. The documentation's text has ERROR, which its enum lacks.
TERMINAL_STATUSES: Final = frozenset({COMPLETED, "FAILED", "CANCELLED", "ERROR"})
#: Statuses of running jobs.
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
    """Return an import job's status in one spelling, whatever its case and separators; "" for none."""
    status = re.sub(r"[\s_-]+", "_", str(row.get("JobStatus") or "").strip()).upper()
    return _SPELLINGS.get(status, status)


def has_ended(row: Mapping[str, Any]) -> bool:
    """Return whether an import job can no longer change.

    A job with an unknown status has ended if it has a time of completion, which only GetImportJob returns; its result
    is unknown then.
    """
    status = job_status(row)
    return status in TERMINAL_STATUSES or (status not in _OPEN and bool(row.get("CompletedTimestamp")))


def suppression_reason(row: Mapping[str, Any]) -> str:
    """Return why an address is suppressed, in capitals; "" if unknown. It is suppressed in any case."""
    reason = row.get("Reason")
    return reason.strip().upper() if isinstance(reason, str) else ""


def is_invalid(error: MailingError) -> bool:
    """Return whether a request was refused for its content, such as an address or a size."""
    return error.code in _INVALID


def is_full(error: MailingError) -> bool:
    """Return whether an import job was refused because too many are running."""
    return error.code in _FULL
