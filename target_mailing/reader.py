"""The input, read as numbered lines in a thread of its own, so that a silent input blocks nothing."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from target_mailing.lines import InputError, Lines

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
        credits_: int = 2,
    ) -> None:
        """Make a reader.

        Args:
            source: where to read; None for standard input.
            take: is given the lines, from another thread.
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
            whole, end, rest = (rest + (data.encode() if isinstance(data, str) else data)).rpartition(b"\n")
            if end:
                self._credits.acquire()
                each = whole.split(b"\n")
                self._take(Lines(number, each))
                number += len(each)
        if rest.strip():
            return InputError(
                f"Line {number} of the input is cut off: it has no line end. The tap was stopped, or its output lost."
            )
        return None
