"""Tables of numbers for people: printed at a terminal, else logged line by line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mailing_api.process.log_filter import safe_line

__all__ = ["Section", "show", "table"]


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


def show(lines: Iterable[str], logger: logging.Logger) -> None:
    """Print lines for somebody at a terminal, whose columns the prefix of a log line would fill; else log them."""
    if sys.stderr is not None and sys.stderr.isatty():
        if logger.isEnabledFor(logging.INFO):
            print(*map(safe_line, lines), sep="\n", file=sys.stderr)  # noqa: T201
    else:
        for line in lines:
            logger.info("%s", line)
