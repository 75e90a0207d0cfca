"""The rejects file: a Singer stream of the rows that were not delivered, to be corrected and piped back in."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.storage.folders import is_there, make_private, unmakable
from mailing_api.values import timestamp_of
from target_mailing.journal.journal import Journal, Reject
from target_mailing.rows.lines import REJECT_COLUMNS
from target_mailing.run_identity import RUN_ID

__all__ = [
    "NAMES",
    "REJECT_PROPERTIES",
    "Rejects",
    "RejectsFile",
    "check_folder",
    "key_properties",
    "write_pending",
]

#: The member of the file's SCHEMAs that names the stream's key. As `key_properties` it would make other targets refuse
#: rows that were rejected because their key is missing, and overwrite a reject by the next one with the same key.
_KEYS = "x-key-properties"

#: The names of rejects files: of runs, and of the processes of runs of earlier versions.
NAMES: Final = re.compile(rf"rejects-({RUN_ID}|\d{{8}}T\d{{6}}\.\d{{6}}-\d+)\.singer")

_SAFE = os.O_CREAT | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC

#: Attempt and file of a reject that is not in any file.
_NEVER: Final = (0, "")
_ANYTHING = {"type": ["string", "number", "integer", "boolean", "object", "array", "null"]}
#: The columns that the file adds to a record.
REJECT_PROPERTIES: Final = {
    "_reject_code": {"type": "string"},
    "_reject_reason": {"type": "string"},
    "_reject_job": {"type": ["string", "null"]},
    "_reject_attempt": {"type": "integer"},
    "_reject_at": {"type": "string", "format": "date-time"},
}


class Rejects(Protocol):
    """Where a run's rejects go; the attributes are those of `RejectsFile`."""

    rows: int
    left: int
    earlier: Counter[str]
    path: Path

    @property
    def files(self) -> list[str]:
        """The files with rejects of this run."""

    def declare(self, stream: str, columns: Iterable[str], keys: Sequence[str]) -> None:
        """Take a stream's columns and key from its SCHEMA."""

    def count_earlier(self, files: Iterable[str]) -> None:
        """Count rejects of this run that are in files of earlier runs: for each of them, its file."""

    def write(self, rejects: Sequence[Reject]) -> None:
        """Take more rejects."""

    def close(self) -> None:
        """Take no more."""


class RejectsFile:
    """One file per run, made when the first reject is written; mode 0600, for it holds contact data.

    Attributes:
        path: of the file.
        rows: rejects in it that are on disk.
        left: how many of them an earlier run left in the journal, because it did not end well.
        earlier: rejects of this run that are in files of earlier runs, by file.
    """

    def __init__(self, folder: Path, run: str) -> None:
        """Choose the file's name.

        Args:
            folder: of the rejects files; it is made.
            run: the ID of the run, after which the file is named.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        self.rows = self.left = 0
        self._began_at = time.time()
        self.earlier: Counter[str] = Counter()
        self._keys: dict[str, Sequence[str]] = {}
        self._columns: dict[str, dict[str, Any]] = {}
        #: Columns of the SCHEMA last written, by stream.
        self._declared: dict[str, int] = {}
        self._file: int | None = None
        self.path = folder.absolute() / f"rejects-{run}.singer"
        try:
            make_private(folder)
            os.close(os.open(self.path, _SAFE | os.O_EXCL, 0o600))
            self.path.unlink()
        except OSError as exc:
            raise _unwritable(folder, exc) from None

    @property
    def files(self) -> list[str]:
        """The files with rejects of this run: its own, if it was made, and those of earlier runs."""
        return [*([str(self.path)] if self.rows else []), *sorted(self.earlier)]

    def declare(self, stream: str, columns: Iterable[str], keys: Sequence[str]) -> None:
        """Take a stream's columns and key from its SCHEMA."""
        self._columns[stream] = {name: _ANYTHING for name in columns if name not in REJECT_COLUMNS}
        self._keys[stream] = keys

    def count_earlier(self, files: Iterable[str]) -> None:
        """Count rejects of this run that are in files of earlier runs: for each of them, its file."""
        self.earlier.update(files)

    def write(self, rejects: Sequence[Reject]) -> None:
        """Append rejects, all of them or none, and wait until they are on disk.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        if not rejects:
            return
        try:
            if self._file is None:
                # A new file: the owner of another one could read it.
                self._file = os.open(self.path, _SAFE | os.O_APPEND | os.O_EXCL, 0o600)
                with suppress(OSError):  # some file systems have no locks
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an erasure lets it alone
            self._append(self._file, rejects)
            if not os.fstat(self._file).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "the file was removed")
            self.rows += len(rejects)
            self.left += sum(reject.at < self._began_at for reject in rejects)
        except OSError as exc:
            raise _unwritable(self.path, exc) from None

    def close(self) -> None:
        """Close the file. An error of what is still to be written was raised by `write`."""
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)

    def _append(self, file: int, rejects: Sequence[Reject]) -> None:
        size = os.fstat(file).st_size
        try:
            for reject in rejects:
                rest = memoryview(self._lines(reject))
                while rest:
                    rest = rest[os.write(file, rest) :]
            os.fsync(file)
        except OSError:
            self._declared.clear()
            with suppress(OSError):
                os.ftruncate(file, size)
            raise

    def _lines(self, reject: Reject) -> bytes:
        record = msgspec.json.decode(reject.record)
        columns = self._columns.setdefault(reject.stream, {})
        columns.update({name: _ANYTHING for name in record if name not in columns})
        messages = []
        if self._declared.get(reject.stream) != len(columns):
            self._declared[reject.stream] = len(columns)
            messages.append(self._schema(reject.stream, columns))
        record |= {
            "_reject_code": reject.code,
            "_reject_reason": reject.reason,
            "_reject_job": reject.job,
            "_reject_attempt": reject.attempt,
            "_reject_at": timestamp_of(datetime.fromtimestamp(reject.at, UTC)),
        }
        messages.append({"type": "RECORD", "stream": reject.stream, "record": record})
        return b"".join(msgspec.json.encode(message) + b"\n" for message in messages)

    def _schema(self, stream: str, columns: Mapping[str, Any]) -> dict[str, Any]:
        properties = {**columns, **REJECT_PROPERTIES}
        schema = {"type": "object", "properties": properties, _KEYS: list(self._keys.get(stream, ()))}
        return {"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": []}


def write_pending(journal: Journal, file: Rejects) -> None:
    """Write the rejects of a journal that are in no file yet.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    while pending := journal.rejects.pending(1000):
        rejects = {journal.rejects.id_of(reject): reject for _, reject in pending}
        known = journal.rejects.written([*rejects])
        current = {one: known[one] for one, reject in rejects.items() if known.get(one, _NEVER)[0] >= reject.attempt}
        file.write([reject for one, reject in rejects.items() if one not in current])
        file.count_earlier(path for _, path in current.values())
        written = [(one, *current.get(one, (reject.attempt, str(file.path)))) for one, reject in rejects.items()]
        journal.rejects.erase(pending[-1][0], written=written)


def check_folder(folder: Path) -> str:
    """Check that the folder of rejects can be written; it is not made. Returns a sentence about it.

    Raises:
        ConfigurationError: it cannot be written or made.
    """
    if is_there(folder):
        RejectsFile(folder, f"check-{os.getpid()}").close()
        return f"{folder} can be written"
    if reason := unmakable(folder):
        raise ConfigurationError(
            f"Setting `rejects_path`: {folder} could not be made ({reason}). Choose another place."
        )
    return f"{folder} would be created"


def key_properties(schema: Mapping[str, Any], declared: Sequence[str] | None) -> Sequence[str]:
    """A stream's key: as its SCHEMA message declares it, or as the schema of a rejects file names it."""
    keys = schema.get(_KEYS)
    if declared or not isinstance(keys, list):
        return declared or []
    return [name for name in keys if isinstance(name, str)]


def _unwritable(path: Path, exc: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"Setting `rejects_path`: {path} cannot be written ({exc.strerror}). Fix the cause, or choose another place: "
        "STATE leaves only when the rejects before it are on disk."
    )
