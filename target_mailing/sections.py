"""Answers in words, at 80 columns: sections with a title, and labelled facts under it; pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

__all__ = ["WIDTH", "Fact", "listing", "section", "shown", "time_in_words", "unbroken"]

#: A label, and what is said under it: one item or several.
Fact = tuple[str, Sequence[str]]

#: Columns of a line.
WIDTH: Final = 80
_LABEL: Final = 16
#: A space at which no line is broken; no other text has it.
_SPACE: Final = "\0"


def section(title: str, facts: Iterable[Fact] = ()) -> Iterator[str]:
    """The lines of a section: its title, and its facts."""
    yield from _wrapped(title, "", "")
    for label, items in facts:
        begin = f"  {label}".ljust(_LABEL + 2)
        for item in items:
            yield from _wrapped(item, begin, " " * (_LABEL + 2))
            begin = " " * (_LABEL + 2)


def listing(title: str, items: Iterable[str]) -> Iterator[str]:
    """The lines of a section whose facts have no labels."""
    yield from section(title)
    for item in items:
        yield from _wrapped(item, "  ", "    ")


def unbroken(place: object) -> str:
    """A place that stands in one line of a section if it is an absolute path, so that it can be copied."""
    return str(place).replace(" ", _SPACE) if Path(str(place)).is_absolute() else str(place)


def _wrapped(text: str, begin: str, further: str) -> Iterator[str]:
    visible = _SPACE.join(map(shown, text.split(_SPACE)))
    lines = textwrap.wrap(
        visible,
        WIDTH,
        initial_indent=begin,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return (line.replace(_SPACE, " ") for line in lines)


def shown(text: str) -> str:
    """A string without what would act on a terminal."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def time_in_words(moment: float) -> str:
    """A time (Unix seconds) for people."""
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OSError, OverflowError, ValueError):  # of a wrong clock
        return "at an unknown time"
