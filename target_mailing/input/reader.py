"""The input, read as numbered lines in its own thread, so that a silent input blocks nothing."""

from __future__ import annotations

import fcntl
import os
import select
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from target_mailing.rows.lines import InputError, Lines
from target_mailing.rows.unreadable import foreign

__all__ = ["LineReader"]

_CHUNK = 1 << 18


class LineReader:
    """Reads an input to its end and hands it over in chunks of lines."""

    def __init__(
        self,
        source: IO[Any] | None,
        *,
        take: Callable[[Lines], None],
        end: Callable[[InputError | None], None],
        max_line_bytes: int,
        credits_: int = 2,
    ) -> None:
        """Make a reader.

        Args:
            source: where to read; None for standard input.
            take: gets the lines, from another thread.
            end: is called once after the last line, from that thread.
            max_line_bytes: a longer line is an error.
            credits_: the most chunks that are handed over before `more` is called.
        """
        self._read = _reading(source if source is not None else sys.stdin)
        self._take = take
        self._end = end
        self._max_line_bytes = max_line_bytes
        self._credits = threading.Semaphore(credits_)

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._run, name="input", daemon=True).start()

    def turn(self) -> None:
        """Nothing: lines come from a thread of its own."""

    def more(self) -> None:
        """Allow one more chunk, since one was processed."""
        self._credits.release()

    def _run(self) -> None:
        try:
            error = self._read_all()
        except Exception as exc:  # noqa: BLE001 - whatever it is, the run must learn that the input has ended
            why = exc.strerror if isinstance(exc, OSError) and exc.strerror else type(exc).__name__
            error = InputError(f"The input cannot be read ({why}).")
        self._end(error)

    def _read_all(self) -> InputError | None:
        number = 1
        begun: list[bytes] = []
        size = 0
        while data := self._read():
            whole, end, rest = data.rpartition(b"\n")
            if not end:
                begun.append(rest)
                size += len(rest)
                if size > self._max_line_bytes:
                    return self._too_long(number)
                continue
            each = b"".join([*begun, whole]).split(b"\n")
            fitting = self._fitting(each) if size + len(whole) > self._max_line_bytes else len(each)
            if fitting:
                self._credits.acquire()
                self._take(Lines(number, each[:fitting]))
            if fitting < len(each):
                return self._too_long(number + fitting)
            number += len(each)
            begun, size = [rest], len(rest)
        rest = b"".join(begun).strip()
        if form := foreign(rest):
            return InputError(f"Line {number} of the input is not a Singer message: {form}.")
        if rest:
            return InputError(
                f"Line {number} of the input is cut off: it has no line end. Most often the tap was stopped, or its "
                "disk was full: see the tap's log, and run it again."
            )
        return None

    def _fitting(self, each: list[bytes]) -> int:
        """The number of lines before the first that is too long."""
        return next((at for at, line in enumerate(each) if len(line) > self._max_line_bytes), len(each))

    def _too_long(self, number: int) -> InputError:
        return InputError(
            f"Line {number} of the input is longer than {self._max_line_bytes} bytes. If such lines are expected, "
            "increase `max_line_bytes`."
        )


def _reading(source: IO[Any]) -> Callable[[], bytes]:
    """A function that returns some bytes of a source as soon as there are any, and none at its end."""
    try:
        number = source.fileno()
    except (AttributeError, OSError, ValueError):  # a file in memory
        binary = getattr(source, "buffer", source)
        read = getattr(binary, "read1", binary.read)
        return lambda: _bytes(read(_CHUNK))
    with suppress(AttributeError, OSError):  # not every system can, and a pipe only
        fcntl.fcntl(number, fcntl.F_SETPIPE_SZ, _CHUNK)  # a pipe usually holds less
    return lambda: _read_some(number)


def _bytes(data: str | bytes) -> bytes:
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data


def _read_some(number: int) -> bytes:
    """Some bytes of a file, once there are any, even if a process that shares the file made it non-blocking."""
    while True:
        try:
            return os.read(number, _CHUNK)
        except BlockingIOError:
            poll = select.poll()
            poll.register(number, select.POLLIN)
            poll.poll()
