"""What learns whom the records of an input name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from target_mailing.contacts.mapping import Values
from target_mailing.input.messages import Message
from target_mailing.input.stream import Stream
from target_mailing.rows.row import Row
from target_mailing.rows.row_queue import RowQueue
from target_mailing.settings.settings import StreamSettings

__all__ = ["InputObserver"]


class InputObserver(Protocol):
    """Told of each message of an input, in order."""

    def add(
        self,
        source: str,
        queue: RowQueue,
        settings: StreamSettings,
        bookmarks: Sequence[str],
        *,
        columns: Mapping[str, Any],
        key_form: tuple[bytes, bool],
    ) -> None:
        """A SCHEMA came, whose records go to a queue."""

    def read(self, source: str, messages: Sequence[Message]) -> None:
        """Records of a stream come."""

    def other(self, message: Message, state: Mapping[str, Any]) -> None:
        """A STATE, whose value is given, or ACTIVATE_VERSION came."""

    def replayed(self, source: str) -> None:
        """Rows of a stream came from a rejects file."""

    def unreadable(self) -> None:
        """A line cannot be read."""

    def name_rows(self, stream: Stream, rows: Sequence[Row], values: Sequence[Values]) -> None:
        """Rows name contacts; `values` are those of their records, and of others."""

    def name(self, stream: Stream, values: Sequence[Values]) -> None:
        """Records that became no rows, or none yet, name contacts."""

    def name_filtered(self, streams: Sequence[Stream | None], record: Mapping[str, Any]) -> None:
        """A record that stream maps omit names a contact."""
