"""Mailjet's refusals: which one contact is to blame for, and which will pass."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Final

from mailing_api.errors import (
    AuthenticationError,
    MailingError,
    NotFound,
    PermissionDenied,
    RequestRefused,
)
from target_mailing.delivery.row_size import refusal_by_size
from target_mailing.destination import Refusal

__all__ = ["UnknownProperties", "about_one", "is_no_address", "is_unknown_property"]

#: Statuses that are about what was sent, whatever it was.
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
    """Why a row is refused, where its contact is to blame for the error; else the error is raised.

    A path that is unknown, a missing right or a cut connection may be the fault of one odd contact, or everybody's.

    Args:
        error: of a call for one contact.
        probe: a look-up like it by ID, which takes no part of a row along.
        what: what was refused, for the reason.
        writes: the call was no look-up, so that a right to do it may be missing.
        size: bytes of the row.
        answered: bytes of the largest row whose calls were answered.
    """
    by_size = refusal_by_size(error, size=size, answered=answered, probe=probe)
    if by_size is not None:
        return by_size
    if isinstance(error, (RequestRefused, NotFound)) and error.status in _OF_THE_ROW:
        return Refusal("refused_by_provider", f"{what}: {error.said or error.code or error.status}")
    if error.code == "unknown_path" or (not writes and isinstance(error, (AuthenticationError, PermissionDenied))):
        if not _is_answered(probe):
            raise error
        said = error.code or f"HTTP {error.status}"
        return Refusal("refused_by_provider", f"{what}: {said}, while another contact can be looked for")
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
    """Whether Mailjet takes it for no address: nobody can be there, nor have opted out."""
    return isinstance(error, RequestRefused) and error.status == 400 and bool(_NO_ADDRESS.search(error.said))


def is_unknown_property(said: str) -> bool:
    """Whether Mailjet says that it does not know a property."""
    return bool(_UNKNOWN_PROPERTY.search(said))


class UnknownProperties:
    """For how long rows go again of which Mailjet says that it does not know a property, although it is defined.

    It has been seen to say so at random, and after a property was made. One object serves all steps of a destination.
    """

    def __init__(self, delay: float) -> None:
        """Take the seconds to wait at first; in all it is waited for twenty times as long."""
        self._delay = delay
        self._patience = 20.0 * delay
        self._lock = threading.Lock()
        #: What was said -> when it began, and when it was said last (monotonic seconds).
        self._said: dict[str, tuple[float, float]] = {}

    def wait(self, said: str) -> bool:
        """Wait a moment, longer each time, before a row goes again; at once False when that led nowhere."""
        now = time.monotonic()
        with self._lock:
            began, last = self._said.get(said, (now, now))
            if now - last > self._patience:
                began = now
            self._said[said] = began, now
        passed = now - began
        if passed >= self._patience:
            return False
        time.sleep(min(_LONGEST_WAIT, max(self._delay, passed)))
        return True
