"""Date ranges in filters, with the traps of a pattern that is not anchored (MPDX reference, date ranges)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mailing_sandbox.mpdx.refusal import Refusal

_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = rf"{_DATE}T\d{{2}}:\d{{2}}:\d{{2}}(?:Z|\+\d{{2}}:\d{{2}})"
_TIMES = re.compile(rf"({_TIME})(\.{{2,3}})({_TIME})")
_DATES = re.compile(rf"({_DATE})(\.{{2,3}})({_DATE})")
_ONE = re.compile(_DATE)

DAY = 86_400

Test = Callable[[float], bool]


def within(text: str) -> Test:
    """Return whether a moment lies in a range; anything else means the day of its first date. 400 for no date."""
    found = _TIMES.search(text) or _DATES.search(text)
    if found is None:
        single = _ONE.search(text)
        if single is None:
            raise Refusal(400, f"invalid date range '{text}'")
        start = _seconds(single[0], text)
        return lambda at: start <= at < start + DAY
    first, last = _seconds(found[1], text), _seconds(found[3], text)
    if found[2] == "...":
        return lambda at: first <= at < last
    return lambda at: first <= at <= last


def since(text: str, now: float) -> Test:
    """Return whether a moment lies in a range; one that has no end ends tomorrow."""
    if ".." in text:
        return within(text)
    tomorrow = datetime.fromtimestamp(now, UTC) + timedelta(days=1)
    return within(f"{text}..{tomorrow.strftime('%Y-%m-%dT%H:%M:%SZ' if 'T' in text else '%Y-%m-%d')}")


def _seconds(date: str, text: str) -> float:
    try:
        found = datetime.fromisoformat(date)
    except ValueError as error:
        raise Refusal(400, f"invalid date range '{text}'") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
