"""Singer messages to standard output: records a page at a time, other messages one by one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from itertools import repeat
from typing import Any, NoReturn

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib.encoding.simple import Message

__all__ = ["PageWriter"]

logger = logging.getLogger(__name__)


class _Record(msgspec.Struct, tag_field="type", tag="RECORD", gc=False):
    stream: str
    record: Any
    time_extracted: str


class PageWriter(MsgSpecWriter):
    """Writes messages. If standard output cannot be written, logs one line and ends the program with status 1."""

    def __init__(self) -> None:
        super().__init__()
        self._encoder = msgspec.json.Encoder()

    def write_message(self, message: Message) -> None:
        """Write one message."""
        try:
            super().write_message(message)
        except OSError as exc:
            _output_failed(exc)

    def write_records(self, stream: str, rows: Iterable[Any], time_extracted: str) -> None:
        """Write a page of records at once.

        Args:
            stream: the stream's name.
            rows: the records, as structs or mappings.
            time_extracted: when the page was read, RFC 3339.
        """
        lines = list(map(_Record, repeat(stream), rows, repeat(time_extracted)))
        if not lines:
            return
        try:
            sys.stdout.buffer.write(self._encoder.encode_lines(lines))
            sys.stdout.buffer.flush()
        except OSError as exc:
            _output_failed(exc)


def _output_failed(exc: OSError) -> NoReturn:
    if isinstance(exc, BrokenPipeError):
        logger.error("The program that reads standard output closed it, so the run failed. See that program's log.")
    else:
        logger.error("Standard output cannot be written (%s), so the run failed.", exc.strerror)
    sys.exit(1)
