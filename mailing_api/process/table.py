"""Tables of numbers for people: printed at a terminal, else logged line by line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from mailing_api.counted import lasting
from mailing_api.http.traffic import TrafficTotals
from mailing_api.process.live_bar import clear_line
from mailing_api.process.log_filter import safe_line

__all__ = ["Section", "is_terminal", "show", "table", "traffic_fields", "traffic_rows"]


#: Seconds: what was waited less is not shown.
_LEAST_WAIT: Final = 0.05


class Section(NamedTuple):
    """A part of a table.

    Attributes:
        title: of the part.
        rows: what is counted, and its value.
    """

    title: str
    rows: Sequence[tuple[str, str]]


def table(sections: Iterable[Section]) -> Iterator[str]:
    """The lines of a table, with all values in one column; sections without rows are omitted."""
    filled = [section for section in sections if section.rows]
    rows = [row for section in filled for row in section.rows]
    width = max((len(words) for words, _ in rows), default=0)
    digits = max((len(value) for _, value in rows), default=0)
    for section in filled:
        yield f"{section.title}:"
        yield from (f"  {words:<{width}}  {value:>{digits}}" for words, value in section.rows)


def traffic_rows(totals: TrafficTotals) -> list[tuple[str, str]]:
    """The rows about calls: only what happened."""
    rows = [
        ("calls", totals.calls),
        ("of these retries", totals.retries),
        ("refused as too many (429)", totals.throttled),
    ]
    waited = [("waited for turns and retries", lasting(totals.waited))] if totals.waited >= _LEAST_WAIT else []
    return [*((words, f"{count:,}") for words, count in rows if count), *waited]


def traffic_fields(totals: TrafficTotals) -> dict[str, float]:
    """The same for programs, whether or not it happened."""
    return {
        "calls": totals.calls,
        "retries": totals.retries,
        "throttled": totals.throttled,
        "seconds_waited": round(totals.waited, 3),
    }


def is_terminal() -> bool:
    """Whether somebody reads standard error at a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def show(lines: Iterable[str], logger: logging.Logger) -> None:
    """Print lines for somebody at a terminal, whose columns the prefix of a log line would fill; else log them."""
    if is_terminal():
        if logger.isEnabledFor(logging.INFO):
            text = "".join(f"{safe_line(line)}\n" for line in lines)
            sys.stderr.write(f"{clear_line()}{text}" if text else "")
    else:
        for line in lines:
            logger.info("%s", line)
