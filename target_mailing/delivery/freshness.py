"""How long what a step read about contacts may be used before their job is submitted.

Consent is read before a job is submitted. If the job cannot be submitted at once, because the provider is busy, the
same reading is used for a while: reading again before each attempt would take most of the calls.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import MailingError
from target_mailing.interface.destination import Again, Work

__all__ = ["FRESH", "is_outdated", "later", "reading"]

logger = logging.getLogger("target-mailing.delivery")

#: Seconds for which contacts may be used that were read in less time.
FRESH: Final = 60.0
#: Seconds that are waited at most until the next attempt.
_LONGEST: Final = 3600.0

_READ: Final = "read"


def reading(begun_at: float, ended_at: float) -> dict[str, Any]:
    """The evidence of a reading (Unix seconds): its end, and the seconds that it took."""
    return {_READ: [ended_at, ended_at - begun_at]}


def is_outdated(evidence: Mapping[str, Mapping[str, Any]], moment: float) -> bool:
    """Whether what a step of a batch read is too old to be used at a moment (Unix seconds).

    It may be as old as its reading took, since its beginning was as old when it ended, or `FRESH` seconds. If the clock
    was put back meanwhile, it is too old.
    """
    readings = [noted[_READ] for noted in evidence.values() if _READ in noted]
    return any(not 0.0 <= moment - ended_at <= max(FRESH, took) for ended_at, took in readings)


def later(work: Work, error: MailingError, seconds: float, *, is_crowded: bool = False) -> Again:
    """Take the step again in so many seconds, because its call was refused; if need be, after reading once more.

    Args:
        work: of the step.
        error: the refusal, for the log.
        seconds: until then; an hour at most, whatever the provider requests.
        is_crowded: as in `Again`.
    """
    seconds = min(seconds, _LONGEST)
    rewinds = is_outdated(work.evidence, time.time() + seconds)
    way = "reading the contacts again and retrying" if rewinds else "retrying"
    logger.info("Job not started (%s); %s in %.1f s", error, way, seconds)
    return Again(seconds, rewind=rewinds, is_crowded=is_crowded)
