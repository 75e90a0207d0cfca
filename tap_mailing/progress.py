"""How far the streams of a run have been read: a line in the log every thirty seconds, or a bar at a terminal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

from singer_sdk.metrics import Counter, Metric, Tag

from mailing_api.counted import counted, lasting
from mailing_api.process.live_bar import LiveBar, clock_of, is_piped, live_bar

__all__ = ["Progress", "RowCounter", "StreamCount", "texts_of"]

logger = logging.getLogger("tap-mailing")

#: Seconds between two lines.
_EVERY: Final = 30.0
#: Seconds between two drawings of the bar.
_DRAWN_EVERY: Final = 0.25


class Sized(Protocol):
    """A listing of the provider."""

    @property
    def size(self) -> int | None:
        """The number of its rows as the provider said last; None if it did not say."""


class StreamCount:
    """How far a stream has been read.

    Attributes:
        written: rows written.
        listing: whose rows the stream has; None where no single listing has them.
        is_over: no more rows will come.
    """

    def __init__(self) -> None:
        self.written = 0
        self.listing: Sized | None = None
        self.is_over = False

    @property
    def total(self) -> int | None:
        """The rows that the provider has, changed or not; None where that is unknown."""
        size = None if self.listing is None else self.listing.size
        return None if size is None or size < self.written else size

    def __str__(self) -> str:
        """Rows written, of how many if that is known."""
        return f"{self.written:,} of {self.total:,}" if self.total else f"{self.written:,}"


class RowCounter(Counter):
    """The SDK's counter of the rows of a stream, which notes how far the stream is, too."""

    def __init__(self, stream: str, count: StreamCount, turn: Callable[[str], None] | None) -> None:
        """Count the rows of a stream; `turn` is called with its name after every page."""
        super().__init__(Metric.RECORD_COUNT, {Tag.STREAM: stream})
        self._stream = stream
        self._count = count
        self._turn = turn

    def increment(self, value: int = 1) -> None:
        """Count rows that were written."""
        super().increment(value)
        self._count.written += value
        if self._turn is not None:
            self._turn(self._stream)

    def exit(self) -> None:
        """Log the count: the stream is over."""
        super().exit()
        self._count.is_over = True


class Progress:
    """Tells how far the tap is: each time that thirty seconds have passed, or several times a second in a bar."""

    def __init__(self, counts: Mapping[str, StreamCount], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now.

        Args:
            counts: of the streams that are read.
            clock: monotonic seconds.
        """
        self._counts = counts
        self._clock = clock
        self._began = clock()
        self._next = self._began + _EVERY
        self._has_lines = True
        self._bar: LiveBar | None = None
        #: The stream that was written last.
        self._stream = next(iter(counts), "")

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self._began

    @contextmanager
    def shown(self, how: str) -> Iterator[None]:
        """Tell it meanwhile; `how` is the setting `progress`.

        In a pipe the bar is left to the next program: two of them in one terminal would replace each other.
        """
        self._has_lines = how != "off"
        if how != "auto" or not self._counts:
            yield
            return
        with live_bar(logger) as bar:
            if bar is None or is_piped():
                yield
                return
            self._bar, is_over = bar, threading.Event()
            drawing = threading.Thread(target=self._draw, args=[bar, is_over], name="bar", daemon=True)
            drawing.start()
            try:
                yield
            finally:
                self._bar = None
                is_over.set()

    def turn(self, stream: str) -> None:
        """A page of a stream was written: log a line if it is time."""
        self._stream = stream
        if self._clock() < self._next:
            return
        self._next = self._clock() + _EVERY
        if not self._has_lines or not (self._bar is None or self._bar.is_in_background()):
            return
        counts = self._counts.values()
        logger.info(
            "After %s: %s read, %d of %s done; %s: %s",
            lasting(self.seconds),
            counted(sum(count.written for count in counts), "row"),
            sum(count.is_over for count in counts),
            counted(len(counts), "stream"),
            stream,
            str(self._counts[stream]),
        )

    def _draw(self, bar: LiveBar, is_over: threading.Event) -> None:
        """Draw the bar again and again, in a thread of its own: pages may take long."""
        while not is_over.wait(_DRAWN_EVERY):
            stream = self._stream
            if self._counts[stream].is_over:
                stream = next((name for name, count in self._counts.items() if not count.is_over), stream)
            count = self._counts[stream]
            share = count.written / count.total if count.total else None
            bar.draw(share, texts_of(stream, self._counts, seconds=self.seconds))


def texts_of(stream: str, counts: Mapping[str, StreamCount], *, seconds: float) -> list[str]:
    """How far the streams are, in short for a bar, from the longest text to the shortest.

    Args:
        stream: the one that is read.
        counts: of all streams.
        seconds: since the run began.
    """
    at, count = clock_of(seconds), str(counts[stream])
    rows = sum(one.written for one in counts.values())
    done = f"{sum(one.is_over for one in counts.values())} of {counted(len(counts), 'stream')} done"
    return [
        f"{at}  {stream} {count}; {done}, {rows:,} rows read",
        f"{at}  {stream} {count}; {done}",
        f"{at}  {stream} {count}",
        f"{stream} {count}",
        count,
    ]
