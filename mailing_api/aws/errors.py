"""Error codes that AWS's services share: which of them pass by themselves, and how a code looks; pure."""

from __future__ import annotations

import re
from typing import Final

from mailing_api.errors import MailingError, ProviderFault, RateLimited

__all__ = ["CLOCK", "PASSING", "SKEWED", "THROTTLED", "error_code", "passing", "says_another_time"]

#: "Too many requests", whatever the HTTP status: the names that botocore waits for. `LimitExceededException` is left
#: out: Amazon SES calls quotas so, too, and waiting changes none.
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

#: Failures that pass, though their HTTP status is one of refusals: those that botocore tries again, and conflicts with
#: another request for the same resource, of which Amazon S3 says to try again.
PASSING: Final = frozenset(
    {"ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "RequestTimeoutException"}
)

#: The time of the request is not the service's.
SKEWED: Final = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})

#: What to say of that.
CLOCK: Final = "The clock of this machine is wrong: set it."

_OTHER_TIME = re.compile("Signature (?:expired|not yet current)").search
_WELL_FORMED = re.compile(r"[A-Za-z][A-Za-z0-9]{0,79}(?:\.[A-Za-z][A-Za-z0-9]{0,79}){0,3}").fullmatch


def passing(code: str | None) -> type[MailingError] | None:
    """The error for a code that passes by itself; None for any other."""
    if code in THROTTLED:
        return RateLimited
    return ProviderFault if code in PASSING else None


def error_code(text: str) -> str | None:
    """A service's error code, such as `SlowDown` or `KMS.DisabledException`; None for what cannot be one."""
    return text if _WELL_FORMED(text) else None


def says_another_time(said: str) -> bool:
    """Whether a service refuses a signature for its time: Amazon SES and STS have no code of its own for that."""
    return _OTHER_TIME(said) is not None
