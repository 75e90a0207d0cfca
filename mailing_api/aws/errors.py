"""Error codes that AWS's services share: which of them are temporary, and the format of a code; pure."""

from __future__ import annotations

import re
from typing import Final

from mailing_api.errors import MailingError, ProviderFault, RateLimited

__all__ = ["CLOCK", "PASSING", "SKEWED", "THROTTLED", "error_code", "passing", "says_another_time"]

#: "Too many requests", whatever the HTTP status: the codes that botocore retries, without `LimitExceededException`:
#: Amazon SES uses it for quotas, too, which waiting does not change.
THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)

#: Temporary failures with the HTTP status of a refusal: those that botocore retries, and conflicts with another
#: request for the same resource, which Amazon S3 says to retry.
PASSING: Final = frozenset(
    {"ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "RequestTimeoutException"}
)

#: The time of the request differs from the service's.
SKEWED: Final = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})

#: The advice for these codes.
CLOCK: Final = "The clock of this machine is wrong: set it."

_OTHER_TIME = re.compile("Signature (?:expired|not yet current)").search
_WELL_FORMED = re.compile(r"[A-Za-z][A-Za-z0-9]{0,79}(?:\.[A-Za-z][A-Za-z0-9]{0,79}){0,3}").fullmatch


def passing(code: str | None) -> type[MailingError] | None:
    """Return the error for a code of a temporary failure; None for any other code."""
    if code in THROTTLED:
        return RateLimited
    return ProviderFault if code in PASSING else None


def error_code(text: str) -> str | None:
    """Return a service's error code, such as `SlowDown` or `KMS.DisabledException`; None if the text is not a code."""
    return text if _WELL_FORMED(text) else None


def says_another_time(message: str) -> bool:
    """Return whether a service refuses a signature for its time: Amazon SES and STS have no separate code for that."""
    return _OTHER_TIME(message) is not None
