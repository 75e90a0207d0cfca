"""A line at the bottom of a terminal that tells how far a run is: drawn again and again, with the log above it.

The programs of a pipe share one terminal, and any of them may be killed. So the bar is a single line, written by a
single call; the cursor stays visible, at its beginning; and no mode of the terminal is changed. What another program
writes takes the bar's place until it is drawn again below.
"""

from __future__ import annotations

import io
import logging
import os
import select
import stat
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["LiveBar", "clear_line", "clock_of", "close_bar", "is_piped", "live_bar", "takes_bar"]

#: To the beginning of the line, and clear it.
_CLEAR: Final = "\r\x1b[2K"
#: Columns of a terminal that does not tell its width.
_USUAL: Final = 80
#: Columns of the chart, in a terminal of usual width and in a wide one.
_CHART: Final = 6
_WIDE_CHART: Final = 20
_WIDE: Final = 120
#: Readable on light and on dark ground.
_DONE: Final = "green"
_LEFT: Final = "bright_black"
#: Seconds that a thread waits for another one, whose terminal may take nothing.
_PATIENCE: Final = 0.2
#: Values of CI that mean no.
_NO: Final = frozenset({"", "0", "false", "no"})
#: The bars that are open: one at most, but in tests.
_OPEN: list[LiveBar] = []


class LiveBar:
    """The bar of a run; it appears when it is first drawn."""

    def __init__(self, stream: TextIO) -> None:
        """Make a bar that is not drawn yet.

        Args:
            stream: the terminal.
        """
        self._stream = stream
        self._descriptor = stream.fileno()
        self._lock = threading.RLock()
        self._console: Console | None = None
        #: What is drawn.
        self._line = ""
        self._is_closed = False

    def draw(self, share: float | None, variants: Sequence[str]) -> None:
        """Draw it, unless the terminal takes nothing, or another job has it.

        Args:
            share: of the work that is done, from 0 to 1; None where that is unknown, so that no chart is drawn.
            variants: what it says, the longest first; the first one that leaves room for a chart is shown.
        """
        with suppress(OSError, ValueError):  # the terminal is gone: no reason to fail
            columns = os.get_terminal_size(self._descriptor).columns or _USUAL
            if not self.is_in_background() and self._takes_output():
                self._write_bar(self._rendered(share, variants, columns - 1))

    def is_in_background(self) -> bool:
        """Whether another job has the terminal, as after `&`, so that nothing is drawn."""
        try:
            return os.tcgetpgrp(self._descriptor) != os.getpgrp()
        except OSError:  # not our controlling terminal: it has no foreground
            return False

    def clear(self) -> None:
        """Remove it, for another output; the next call draws it again."""
        self._write_bar("")

    def close(self) -> None:
        """Remove it permanently, unless the terminal takes nothing."""
        if self._lock.acquire(timeout=_PATIENCE):
            try:
                with suppress(OSError, ValueError):
                    if self._takes_output():  # else it might wait for ever
                        self._write_bar("")
            finally:
                self._is_closed = True
                self._lock.release()

    def write_above(self, text: str) -> None:
        """Write whole lines above it, in one piece."""
        with self._lock:
            self._stream.write(text if self.is_in_background() else f"{_CLEAR}{text}{self._line}")
            self._stream.flush()

    def _write_bar(self, line: str) -> None:
        with self._lock, suppress(OSError, ValueError, RuntimeError):  # the last one: a signal came during a write
            if not self._is_closed and (line or self._line):
                self._line = f"{line}\r" if line else ""
                self._stream.write(_CLEAR + self._line)
                self._stream.flush()

    def _takes_output(self) -> bool:
        return bool(select.select([], [self._descriptor], [], 0)[1])  # not after Ctrl-S

    def _rendered(self, share: float | None, variants: Sequence[str], width: int) -> str:
        from rich.cells import cell_len  # noqa: PLC0415 - loaded only where a bar is drawn
        from rich.console import Console  # noqa: PLC0415
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        if self._console is None:
            self._console = Console(file=self._stream, force_terminal=True, highlight=False, markup=False)
        console, chart = self._console, 0 if share is None else _WIDE_CHART if width >= _WIDE else _CHART
        text = next((text for text in variants if cell_len(text) + chart + 1 <= width), variants[-1])
        shown = Text(text, end="", no_wrap=True)
        shown.truncate(max(0, width), overflow="ellipsis")
        console.width = max(1, width)
        with console.capture() as captured:
            if share is not None and shown.cell_len + chart + 1 <= width:
                parts = ProgressBar(
                    1.0, min(1.0, share), width=chart, style=_LEFT, complete_style=_DONE, finished_style=_DONE
                )
                console.print(parts, end="")
                console.print(" ", end="")
            console.print(shown, end="")
        return captured.get()


class _Above(io.TextIOBase):
    """The stream of a log handler, whose lines stand above the bar."""

    def __init__(self, bar: LiveBar) -> None:
        super().__init__()
        self._bar = bar

    def write(self, text: str, /) -> int:
        """Write a whole line."""
        self._bar.write_above(text)
        return len(text)

    def writable(self) -> bool:
        """True."""
        return True


@contextmanager
def live_bar(logger: logging.Logger, environ: Mapping[str, str] = os.environ) -> Iterator[LiveBar | None]:
    """A bar for a run, with the log above it; None where nobody would see one, or lines for programs are logged.

    Args:
        logger: of the plugin; where it logs no INFO, there is no bar.
        environ: environment variables.
    """
    handlers = [one for one in logging.root.handlers if isinstance(one, logging.StreamHandler)]
    handlers = [handler for handler in handlers if handler.stream is sys.stderr]  # not those of files
    if not (handlers and logger.isEnabledFor(logging.INFO) and takes_bar(environ)):
        yield None
        return
    bar = LiveBar(sys.stderr)
    _OPEN.append(bar)
    plain = [(handler, handler.setStream(_Above(bar))) for handler in handlers]
    try:
        yield bar
    finally:
        bar.close()
        for handler, stream in plain:
            handler.setStream(stream or sys.stderr)
        _OPEN.remove(bar)


def close_bar() -> None:
    """Remove the bar, from any thread, since the process ends at once."""
    for bar in [*_OPEN]:
        bar.close()


def takes_bar(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether standard error is a terminal that can show a bar, and not that of a CI service."""
    if sys.stderr is None or not sys.stderr.isatty() or environ.get("TERM", "") in {"", "dumb", "unknown"}:
        return False
    return environ.get("CI", "").lower() in _NO and "SINGER_SDK_LOG_CONFIG" not in environ


def clear_line() -> str:
    """What clears a line of the terminal before it is written, since it may hold the bar of the next program."""
    return _CLEAR if takes_bar() else ""


def clock_of(seconds: float) -> str:
    """A time that passes, such as `1:05` or `2:00:05`: its width rarely changes."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def is_piped() -> bool:
    """Whether standard output is a pipe, so that the program that reads it may draw a bar."""
    try:
        mode = os.fstat(sys.stdout.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
