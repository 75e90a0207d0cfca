"""Mailjet's refusals: those caused by one contact, and those that pass."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from mailing_api.errors import (
    AuthenticationError,
    MailingError,
    NotFound,
    PermissionDenied,
    RequestRefused,
)
from target_mailing.delivery.row_size import refusal_by_size
from target_mailing.interface.destination import Refusal

__all__ = ["UnknownProperties", "about_one", "is_no_address", "is_unknown_property"]

#: Statuses of answers to the content of a request.
_OF_THE_ROW: Final = frozenset({None, 400, 404, 409, 410, 422})
_NO_ADDRESS: Final = re.compile(r"invalid email address", re.IGNORECASE)
_UNKNOWN_PROPERTY: Final = re.compile(r"invalid key name|property not defined", re.IGNORECASE)
_LONGEST_WAIT: Final = 10.0


def about_one(
    error: MailingError,
    *,
    probe: Callable[[], object],
    what: str,
    writes: bool = False,
    size: int = 0,
    answered: int = 0,
) -> Refusal:
    """The refusal of a row whose contact caused the error; if it did not, the error is raised.

    An unknown path, a missing permission or a cut connection may be caused by one odd contact, or concern all.

    Args:
        error: of a call for one contact.
        probe: a similar look-up by ID, without any value of the row.
        what: what was refused, for the reason.
        writes: the call was no look-up, so its permission may be missing.
        size: bytes of the row.
        answered: bytes of the largest row whose calls were answered.
    """
    by_size = refusal_by_size(error, size=size, answered=answered, probe=probe)
    if by_size is not None:
        return by_size
    if isinstance(error, (RequestRefused, NotFound)) and error.status in _OF_THE_ROW:
        return Refusal("refused_by_provider", f"{what}: {error.said or error.code_or_status}")
    is_denied = isinstance(error, (AuthenticationError, PermissionDenied)) and not writes
    if (is_denied or error.code == "unknown_path") and _is_answered(probe):
        reason = f"{what}: {error.code_or_status}, while look-ups of other contacts work"
        return Refusal("refused_by_provider", reason)
    raise error


def _is_answered(probe: Callable[[], object]) -> bool:
    try:
        probe()
    except NotFound as error:
        return error.code in {"object_not_found", "empty"}
    except MailingError:
        return False
    return True


def is_no_address(error: MailingError) -> bool:
    """Whether Mailjet refuses the address as invalid: then it has no such contact, and no opt-out of one."""
    return isinstance(error, RequestRefused) and error.status == 400 and bool(_NO_ADDRESS.search(error.said))


def is_unknown_property(message: str) -> bool:
    """Whether Mailjet reports a property as unknown."""
    return bool(_UNKNOWN_PROPERTY.search(message))


class UnknownProperties:
    """How long to repeat calls that Mailjet refuses because of an unknown property, although the property is defined.

    Mailjet has been seen to do so at random, and after a property was created. All steps of a destination share one
    object.
    """

    def __init__(self, delay: float) -> None:
        """Take the seconds of the first wait; the longest time in all is twenty times as long."""
        self._delay = delay
        self._patience = 20.0 * delay
        self._lock = threading.Lock()
        #: Message -> when it first came, and when it last came (monotonic seconds).
        self._seen: dict[str, tuple[float, float]] = {}

    def wait(self, message: str) -> bool:
        """Wait before the call is repeated, longer each time; False at once if repeating it took too long."""
        now = time.monotonic()
        with self._lock:
            began, last = self._seen.get(message, (now, now))
            if now - last > self._patience:
                began = now
            self._seen[message] = began, now
        passed = now - began
        if passed >= self._patience:
            return False
        time.sleep(min(_LONGEST_WAIT, max(self._delay, passed)))
        return True

    def retried(self, refusals: Mapping[int, Refusal]) -> list[int]:
        """Wait, if any of these rows was refused because of an unknown property; the rows to send again after that."""
        rows = [position for position, refusal in refusals.items() if is_unknown_property(refusal.reason)]
        return rows if rows and self.wait(refusals[rows[0]].reason) else []
