"""Singer messages as numbered lines, read in a thread of their own so that a silent input blocks nothing."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import IO, Any

import msgspec

__all__ = ["InputError", "LineReader", "Message", "parse"]

_CHUNK = 1 << 18


class InputError(Exception):
    """The input is not a whole Singer stream; the message names the line."""


class Message(msgspec.Struct):
    """A Singer message, its payload not decoded yet."""

    type: str
    stream: str = ""
    record: msgspec.Raw = msgspec.Raw(b"")
    schema: msgspec.Raw = msgspec.Raw(b"")
    value: msgspec.Raw = msgspec.Raw(b"")
    key_properties: list[str] | None = None


_DECODER = msgspec.json.Decoder(Message)


def parse(number: int, line: bytes) -> Message:
    """The message in a line.

    Raises:
        InputError: it is none. The line is not quoted, for it may hold addresses.
    """
    try:
        return _DECODER.decode(line)
    except msgspec.MsgspecError:
        raise InputError(
            f"Line {number} of the input is no Singer message. Check what the tap writes to its standard output."
        ) from None


class LineReader:
    """Reads an input to its end and hands it over in chunks of lines."""

    def __init__(
        self,
        source: IO[Any] | None,
        *,
        take: Callable[[int, list[bytes]], None],
        end: Callable[[InputError | None], None],
        credits_: int = 2,
    ) -> None:
        """Make a reader.

        Args:
            source: where to read; None for standard input.
            take: is given the number of the first line and the lines, from another thread.
            end: is called once after the last line, from that thread.
            credits_: chunks handed over at most before `more` is called.
        """
        source = source if source is not None else sys.stdin
        self._source: IO[Any] = getattr(source, "buffer", source)
        self._take = take
        self._end = end
        self._credits = threading.Semaphore(credits_)

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._run, name="input", daemon=True).start()

    def more(self) -> None:
        """A chunk was used up; another may come."""
        self._credits.release()

    def _run(self) -> None:
        try:
            error = self._read()
        except (OSError, ValueError) as exc:
            error = InputError(f"The input cannot be read ({type(exc).__name__}).")
        self._end(error)

    def _read(self) -> InputError | None:
        read = getattr(self._source, "read1", self._source.read)
        number, rest = 1, b""
        while data := read(_CHUNK):
            lines = (rest + (data.encode() if isinstance(data, str) else data)).split(b"\n")
            rest = lines.pop()
            if lines:
                self._credits.acquire()
                self._take(number, lines)
                number += len(lines)
        if rest.strip():
            return InputError(
                f"Line {number} of the input is cut off: it has no line end. The tap was stopped, or its output lost."
            )
        return None
