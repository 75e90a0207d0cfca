"""The SCHEMAs of streams with open rejects: the latest of the tap's, or that of rejects which were piped back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from target_mailing.journal import tables
from target_mailing.journal.statements import replace_rows

__all__ = ["RejectedStreams"]


class RejectedStreams:
    """The SCHEMA messages that rejects are read by when they are sent again; the caller commits."""

    def __init__(self, connection: sa.Connection) -> None:
        """Use the table."""
        self._connection = connection
        #: By stream, its latest SCHEMA in this run, and whether that is the tap's.
        self._declared: dict[str, tuple[bytes, bool]] = {}
        self._noted: dict[str, bytes] = {}

    def declare(self, stream: str, message: Mapping[str, Any], *, is_taps: bool) -> bool:
        """Take a stream's SCHEMA message; whether it counts: that of rejects does not replace the tap's."""
        if stream in self._declared and not is_taps:
            return False
        self._declared[stream] = msgspec.json.encode(message), is_taps
        return True

    def renew(self, stream: str) -> None:
        """Note the latest one of a stream, if one was noted."""
        if self._message(stream) is not None:
            self.note(stream)

    def note(self, stream: str) -> None:
        """Note the latest one of a stream, which has open rejects."""
        message, is_taps = self._declared.get(stream, (b"", False))
        if not message or self._noted.get(stream) == message:
            return
        self._noted[stream] = message
        if is_taps or self._message(stream) is None:
            replace_rows(self._connection, tables.rejected_streams, [{"name": stream, "message": message}])

    def tidy(self) -> None:
        """Drop those of streams without open rejects."""
        of_none = tables.rejected_streams.c.name.not_in(sa.select(tables.open_rejects.c.stream))
        self._connection.execute(sa.delete(tables.rejected_streams).where(of_none))

    def _message(self, stream: str) -> bytes | None:
        table = tables.rejected_streams.c
        return self._connection.execute(sa.select(table.message).where(table.name == stream)).scalar_one_or_none()
