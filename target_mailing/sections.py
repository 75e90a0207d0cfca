"""Answers in words, at 80 columns: sections with a title, and labelled facts under it; pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

__all__ = ["WIDTH", "Fact", "listing", "section", "shown", "time_in_words"]

#: A label, and what is said under it: one item or several.
Fact = tuple[str, Sequence[str]]

#: Columns of a line.
WIDTH: Final = 80
_LABEL: Final = 16


def section(title: str, facts: Iterable[Fact] = ()) -> Iterator[str]:
    """The lines of a section: its title, and its facts."""
    yield from textwrap.wrap(shown(title), WIDTH, break_long_words=False, break_on_hyphens=False)
    for label, items in facts:
        begin = f"  {label}".ljust(_LABEL + 2)
        for item in items:
            yield from textwrap.wrap(
                shown(item), WIDTH, initial_indent=begin, subsequent_indent=" " * (_LABEL + 2),
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
            begin = " " * (_LABEL + 2)


def listing(title: str, items: Iterable[str]) -> Iterator[str]:
    """The lines of a section whose facts have no labels."""
    yield from section(title)
    for item in items:
        yield from textwrap.wrap(
            shown(item), WIDTH, initial_indent="  ", subsequent_indent="    ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip


def shown(text: str) -> str:
    """A string without what would act on a terminal."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def time_in_words(moment: float) -> str:
    """A time (Unix seconds) for people."""
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OSError, OverflowError, ValueError):  # of a wrong clock
        return "at an unknown time"
