"""The outcomes of one person's rows, in the history files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from mailing_api.errors import ConfigurationError
from target_mailing.history.records import OUTCOMES
from target_mailing.person.files import HISTORIES, files_in

__all__ = ["PersonOutcome", "outcomes_in"]

#: How the line of an outcome begins.
_BEGIN: Final = b'{"type":"RECORD","stream":"%b",' % OUTCOMES.encode()


class PersonOutcome(msgspec.Struct, frozen=True):
    """The outcome of a row; the columns are those of the history."""

    stream: str
    outcome: str
    settled_at: str
    key: str | None = None
    destination: str | None = None
    effect: str | None = None
    code: str | None = None
    job_id: str | None = None


class _Line(msgspec.Struct):
    record: PersonOutcome


_decode: Final = msgspec.json.Decoder(_Line).decode


def outcomes_in(folder: Path, is_key: Callable[[str, str], bool], most: int) -> list[PersonOutcome]:
    """The newest outcomes of the rows that have the person's key, the newest first.

    Args:
        folder: of the history files.
        is_key: whether it is one, given the stream and the key as the history shows it.
        most: how many at most.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    found: list[PersonOutcome] = []
    path = folder
    try:
        for path in reversed(files_in(folder, HISTORIES)):
            with path.open("rb") as lines:
                newest = deque(_matching(lines, is_key), maxlen=most)
            found += [*reversed(newest)][: most - len(found)]
            if len(found) == most:
                break
    except OSError as error:
        raise ConfigurationError(f"Setting `history_path`: {path} cannot be read ({error.strerror}).") from None
    return found


def _matching(lines: Iterable[bytes], is_key: Callable[[str, str], bool]) -> Iterator[PersonOutcome]:
    for line in lines:
        if not line.startswith(_BEGIN):
            continue
        try:
            record = _decode(line).record
        except msgspec.MsgspecError:
            continue  # the last line of a killed run
        if record.key is not None and is_key(record.stream, record.key):
            yield record
