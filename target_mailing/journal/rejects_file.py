"""The rejects file: a Singer stream of the rows that were not delivered, to be mended and piped back in."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.storage.folders import is_there, make_private, unmakable
from mailing_api.values import timestamp_of
from target_mailing.journal.journal import Reject
from target_mailing.lines import REJECT_COLUMNS

__all__ = ["RejectsFile", "check_folder", "delete_old", "key_properties"]

#: Where the SCHEMAs of the file name the stream's key. As `key_properties` it would make other targets refuse a row
#: that was rejected for want of its key, and overwrite a reject by the next one of the same key.
_KEYS = "x-key-properties"

_SAFE = os.O_CREAT | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC

_ANYTHING = {"type": ["string", "number", "integer", "boolean", "object", "array", "null"]}


class RejectsFile:
    """One file per run, made when the first reject is written; mode 0600, for it holds contact data."""

    def __init__(self, folder: Path) -> None:
        """Choose the file's name.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        self.rows = 0
        #: Rejects of this run that are in files of earlier ones, by file.
        self.earlier: Counter[str] = Counter()
        self._keys: dict[str, Sequence[str]] = {}
        self._columns: dict[str, dict[str, Any]] = {}
        self._file: BinaryIO | None = None
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
        self.path = folder.absolute() / f"rejects-{moment}-{os.getpid()}.singer"
        try:
            make_private(folder)
            os.close(os.open(self.path, _SAFE | os.O_EXCL, 0o600))
            self.path.unlink()
        except OSError as exc:
            raise _unwritable(folder, exc) from None

    @property
    def files(self) -> list[str]:
        """The files that hold rejects of this run: its own, if it was made, and those of earlier runs."""
        return [*([str(self.path)] if self.rows else []), *sorted(self.earlier)]

    def declare(self, stream: str, columns: Iterable[str], keys: Sequence[str]) -> None:
        """A stream's columns and key, as its SCHEMA gives them."""
        self._columns[stream] = {name: _ANYTHING for name in columns if name not in REJECT_COLUMNS}
        self._keys[stream] = keys

    def kept(self, files: Iterable[str]) -> None:
        """Rejects of this run are in files of earlier ones, as they are; each is named once for each of them."""
        self.earlier.update(files)

    def write(self, rejects: Sequence[Reject]) -> None:
        """Append rejects and wait until they are on disk.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        if not rejects:
            return
        try:
            if self._file is None:
                # Nobody else's file, whose owner could read what is written.
                self._file = os.fdopen(os.open(self.path, _SAFE | os.O_APPEND | os.O_EXCL, 0o600), "wb")
                self._declared: dict[str, int] = {}
            for reject in rejects:
                self._append(self._file, reject)
            self._file.flush()
            os.fsync(self._file.fileno())
            if not os.fstat(self._file.fileno()).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "somebody removed it")
        except OSError as exc:
            raise _unwritable(self.path, exc) from None

    def close(self) -> None:
        """Close the file. What `write` could not write is tried once more, in vain or not: it has told."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _append(self, file: BinaryIO, reject: Reject) -> None:
        record = msgspec.json.decode(reject.record)
        columns = self._columns.setdefault(reject.stream, {})
        columns.update({name: _ANYTHING for name in record if name not in columns})
        if self._declared.get(reject.stream) != len(columns):
            self._declared[reject.stream] = len(columns)
            _write_line(file, self._schema(reject.stream, columns))
        record |= dict(
            zip(
                REJECT_COLUMNS,
                (
                    reject.code,
                    reject.reason,
                    reject.job,
                    reject.attempt,
                    timestamp_of(datetime.fromtimestamp(reject.at, UTC)),
                ),
                strict=True,
            )
        )
        _write_line(file, {"type": "RECORD", "stream": reject.stream, "record": record})
        self.rows += 1

    def _schema(self, stream: str, columns: Mapping[str, Any]) -> dict[str, Any]:
        about = {
            "_reject_code": {"type": "string"},
            "_reject_reason": {"type": "string"},
            "_reject_job": {"type": ["string", "null"]},
            "_reject_attempt": {"type": "integer"},
            "_reject_at": {"type": "string", "format": "date-time"},
        }
        return {
            "type": "SCHEMA",
            "stream": stream,
            "schema": {
                "type": "object",
                "properties": {**columns, **about},
                _KEYS: list(self._keys.get(stream, ())),
            },
            "key_properties": [],
        }


def check_folder(folder: Path) -> str:
    """What is said of the folder of rejects, which is not made.

    Raises:
        ConfigurationError: it cannot be written, or could not be made.
    """
    if is_there(folder):
        RejectsFile(folder).close()
        return f"{folder} can be written"
    if why := unmakable(folder):
        raise ConfigurationError(f"Setting `rejects_path`: {folder} could not be made ({why}). Choose another place.")
    return f"{folder} would be created"


def delete_old(folder: Path, before: float) -> int:
    """Delete the rejects files of a folder that were last written before this time (Unix seconds); how many it were."""
    deleted = 0
    for path in folder.glob("rejects-*.singer"):
        with suppress(OSError):
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_mtime < before:
                path.unlink()
                deleted += 1
    return deleted


def key_properties(schema: Mapping[str, Any], given: Sequence[str] | None) -> Sequence[str]:
    """A stream's key: what its SCHEMA message gives, or in a rejects file what the schema itself tells."""
    told = schema.get(_KEYS)
    if given or not isinstance(told, list):
        return given or []
    return [name for name in told if isinstance(name, str)]


def _write_line(file: BinaryIO, message: dict[str, Any]) -> None:
    file.write(msgspec.json.encode(message) + b"\n")


def _unwritable(path: Path, exc: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"Setting `rejects_path`: {path} cannot be written ({exc.strerror}). Choose a place that can be; rejects are "
        "written before STATE moves past them."
    )
