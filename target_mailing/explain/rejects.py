"""The rejects of one person: those in the files, and those in the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from mailing_api.errors import ConfigurationError
from target_mailing.journal.person_rows import OpenReject
from target_mailing.journal.reject import Reject
from target_mailing.person.files import REJECTS, files_in
from target_mailing.person.rejects import PersonRejects, decoded
from target_mailing.rows.lines import REJECT_COLUMNS

__all__ = ["PersonReject", "in_journal", "open_and_others", "rejects_in"]


class PersonReject(msgspec.Struct, frozen=True):
    """A reject of the person.

    Attributes:
        content: the record, encoded.
        at: when it was rejected (Unix seconds); 0 if that is not known.
        place: the name of its file, or where else it is.
        fate: of an open one: whether it is sent again, and what keeps it.
    """

    stream: str
    code: str
    reason: str
    job: str | None
    attempt: int
    at: float
    content: bytes
    place: str
    fate: str = ""

    @property
    def identity(self) -> tuple[Any, ...]:
        """What is the same of a reject in a file and in the journal."""
        return self.stream, self.code, self.attempt, self.content


def rejects_in(
    folders: Iterable[Path], rejects: PersonRejects, note: Callable[[ConfigurationError], None]
) -> list[PersonReject]:
    """Those in the files of some folders; `note` takes an error where files cannot be read, after the others."""
    theirs: list[PersonReject] = []
    unread: tuple[Path, OSError] | None = None
    for folder in folders:
        try:
            paths = files_in(folder, REJECTS)
        except OSError as error:
            paths, unread = [], (folder, error)
        for path in paths:
            try:
                theirs += [_in_line(line, path.name) for line, left in rejects.lines(path) if _is_told(line, left)]
            except OSError as error:
                unread = path, error
    if unread is not None:
        note(ConfigurationError(f"Setting `rejects_path`: {unread[0]} cannot be read ({unread[1].strerror})."))
    return theirs


def _is_told(line: bytes, left: bytes | None) -> bool:
    """Whether a line is of the person, and not only the torn end of a file."""
    return left is None and (line.endswith(b"\n") or decoded(line) is not None)


def _in_line(line: bytes, name: str) -> PersonReject:
    message = decoded(line)
    if message is None or message.record is None:
        return PersonReject("", "a damaged line", "", None, 1, 0.0, line, name)
    code, reason, job, attempt, at = (message.record.get(column) for column in REJECT_COLUMNS)
    try:
        moment = datetime.fromisoformat(str(at)).timestamp()
    except ValueError:
        moment = 0.0
    record = {column: value for column, value in message.record.items() if column not in REJECT_COLUMNS}
    return PersonReject(
        message.stream,
        str(code),
        str(reason),
        None if job is None else str(job),
        attempt if isinstance(attempt, int) else 1,
        moment,
        msgspec.json.encode(record),
        name,
    )


def in_journal(reject: Reject, place: str, fate: str = "") -> PersonReject:
    """One that the journal has."""
    content = msgspec.json.encode(msgspec.json.decode(reject.record))
    return PersonReject(
        reject.stream, reject.code, reject.reason, reject.job, reject.attempt, reject.at, content, place, fate
    )


def open_and_others(
    opened: Iterable[OpenReject], written: Sequence[PersonReject], fate_of: Callable[[OpenReject], str]
) -> tuple[list[PersonReject], list[PersonReject]]:
    """The open rejects, with the reason and the file of those that were written; and the other written ones.

    Args:
        opened: in the journal.
        written: in the files, or to be written.
        fate_of: whether an open one is sent again.
    """
    newest: Mapping[tuple[Any, ...], PersonReject] = {
        one.identity: one for one in sorted(written, key=lambda one: one.at)
    }
    is_open: set[int] = set()

    def merged() -> Iterator[PersonReject]:
        for each in opened:
            one = in_journal(each.reject, "in the journal", fate_of(each))
            same = newest.get(one.identity)
            if same is not None:
                is_open.add(id(same))
                one = msgspec.structs.replace(one, reason=same.reason, place=same.place)
            yield one

    theirs = [*merged()]
    return theirs, [one for one in written if id(one) not in is_open]
