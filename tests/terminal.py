"""A terminal for programs that are tested, and what it shows: text, and the few sequences that a bar may use."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
import threading
import time
from collections.abc import Callable
from typing import Self

__all__ = ["Terminal", "shown"]

_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.|[\r\n]|[^\x1b\r\n]")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def shown(output: str, columns: int) -> list[str]:
    """The lines that a terminal shows, those that it has scrolled away among them.

    Raises:
        AssertionError: for a sequence that does anything but clear a line or set a colour.
    """
    lines: list[list[str]] = [[]]
    at = 0
    for one in _SEQUENCE.findall(output):
        if one == "\r":
            at = 0
        elif one == "\n":
            lines.append([])
        elif one == "\x1b[2K":
            lines[-1] = []
        elif not one.startswith("\x1b"):
            if at == columns:
                lines.append([])
                at = 0
            lines[-1] += [" "] * (at - len(lines[-1]))
            lines[-1][at : at + 1] = [one]
            at += 1
        else:
            assert _COLOURS.fullmatch(one), repr(one)
    return ["".join(line).rstrip() for line in lines]


class Terminal:
    """A pseudo-terminal. It takes what is written to it until it is left."""

    def __init__(self, columns: int = 80) -> None:
        """Open it, with so many columns."""
        self.columns = columns
        self._ours, self.theirs = os.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._modes = termios.tcgetattr(self.theirs)
        self._output = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        os.close(self._ours)

    def close(self) -> None:
        """Close the end of programs, and take the rest of what they wrote."""
        if self.theirs >= 0:
            assert termios.tcgetattr(self.theirs) == self._modes, "nobody changes the modes of the terminal"
            os.close(self.theirs)
            self.theirs = -1
            self._reader.join(10)

    @property
    def output(self) -> str:
        """All that was written."""
        return self._output.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """What it shows."""
        return shown(self.output, self.columns)

    @property
    def last(self) -> str:
        """The line at which the cursor is."""
        return self.lines[-1]

    def until(self, text: str | Callable[[str], bool], seconds: float = 15.0) -> str:
        """Wait until the line at the cursor has a text; return the line."""
        has = (lambda line: text in line) if isinstance(text, str) else text
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if has(line := self.last):
                return line
            time.sleep(0.02)
        raise AssertionError(self.lines)

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._ours, 65536)
            except OSError:  # no program has it any more
                return
            if not piece:
                return
            self._output += piece
