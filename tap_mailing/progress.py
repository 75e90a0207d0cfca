"""How far the streams of a run have been read, and a line in the log that tells it every thirty seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from singer_sdk.metrics import Counter, Metric, Tag

from mailing_api.counted import counted, lasting

__all__ = ["Progress", "RowCounter", "StreamCount"]

logger = logging.getLogger("tap-mailing")

#: Seconds between two lines.
_EVERY: Final = 30.0


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
    """Tells how far the tap is, each time that thirty seconds have passed."""

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

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self._clock() - self._began

    def turn(self, stream: str) -> None:
        """A page of a stream was written: log a line if it is time."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + _EVERY
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
