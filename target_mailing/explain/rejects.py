"""The rejects of one person, in the journal and in the rejects files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from mailing_api.errors import ConfigurationError
from target_mailing.explain.mentions import Mentions
from target_mailing.journal.reject import Reject
from target_mailing.journal.rejects_file import key_properties
from target_mailing.lines import REJECT_COLUMNS

__all__ = ["PersonReject", "RejectsOf"]

#: Whether a record of a stream has the person's key, given the values of its key.
IsKey = Callable[[str, Sequence[Any]], bool]


class PersonReject(msgspec.Struct, frozen=True):
    """A reject of the person.

    Attributes:
        at: when it was rejected (Unix seconds); 0 if that is not known.
        file: the name of its file; None where it is in none yet.
    """

    stream: str
    code: str
    reason: str
    job: str | None
    attempt: int
    at: float
    file: str | None


class _Message(msgspec.Struct):
    type: str
    stream: str = ""
    record: dict[str, Any] | None = None
    schema: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Message).decode
_decode_record = msgspec.json.Decoder(dict[str, Any]).decode


class RejectsOf:
    """Finds the rejects whose record holds one of the person's addresses, or their key."""

    def __init__(self, addresses: Collection[str], is_key: IsKey) -> None:
        """Take the person's addresses, folded, and what recognises their key."""
        self._mentions = Mentions(addresses, [])
        self._is_key = is_key
        #: The columns of the key of each stream, from the files.
        self._keys: dict[str, Sequence[str]] = {}

    def in_files(self, folder: Path) -> Iterator[PersonReject]:
        """Those in the files of a folder, oldest first.

        Raises:
            ConfigurationError: one cannot be read; the error follows those of the others.
        """
        unread: tuple[Path, OSError] | None = None
        try:
            paths = sorted(folder.iterdir())
        except FileNotFoundError:
            return  # no run has made one
        except OSError as error:
            paths, unread = [], (folder, error)
        for path in [one for one in paths if one.match("rejects-*.singer")]:
            try:
                if path.is_file():
                    with path.open("rb") as file:
                        yield from self._in_lines(file, path.name)
            except OSError as error:
                unread = path, error
        if unread is not None:
            raise ConfigurationError(f"Setting `rejects_path`: {unread[0]} cannot be read ({unread[1].strerror}).")

    def in_journal(self, rejects: Iterable[Reject]) -> Iterator[PersonReject]:
        """Those that are in no file yet; of these, keys are recognised in streams that a file has, too."""
        for one in rejects:
            if self._is_theirs(one.stream, _decode_record(one.record)):
                yield PersonReject(one.stream, one.code, one.reason, one.job, one.attempt, one.at, None)

    def _in_lines(self, lines: Iterable[bytes], name: str) -> Iterator[PersonReject]:
        for line in lines:
            try:
                message = _decode(line)
            except (ValueError, RecursionError):
                continue  # cut off by a full disk, or edited
            if message.schema is not None:
                self._keys[message.stream] = key_properties(message.schema, None)
            elif message.record is not None and self._is_theirs(message.stream, message.record):
                yield _read(message.stream, message.record, name)

    def _is_theirs(self, stream: str, record: Mapping[str, Any]) -> bool:
        key = [record.get(name) for name in self._keys.get(stream, ())]
        if key and self._is_key(stream, key):
            return True
        return self._mentions.among({name: value for name, value in record.items() if name not in REJECT_COLUMNS})


def _read(stream: str, record: Mapping[str, Any], name: str) -> PersonReject:
    code, reason, job, attempt, at = (record.get(column) for column in REJECT_COLUMNS)
    try:
        moment = datetime.fromisoformat(str(at)).timestamp()
    except ValueError:
        moment = 0.0
    tries = attempt if isinstance(attempt, int) else 1
    return PersonReject(stream, str(code), str(reason), None if job is None else str(job), tries, moment, name)
