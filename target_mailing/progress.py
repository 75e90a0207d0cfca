"""A line in the log every thirty seconds: how far a run is."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from mailing_api.counted import counted, lasting

__all__ = ["Progress", "Standing", "sentence_of"]

logger = logging.getLogger("target-mailing")

#: Seconds between two lines.
_EVERY: Final = 30.0
#: Lines over which the pace is measured, since rows end job by job.
_PACE_OF: Final = 10


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is.

    Attributes:
        read: rows read so far.
        delivered: rows that the provider has.
        ended: rows with any outcome, delivered ones among them.
        sent: rows in jobs that have not ended.
        jobs: those jobs.
        is_whole: the input has ended, so that no more rows will be read.
    """

    read: int
    delivered: int
    ended: int
    sent: int
    jobs: int
    is_whole: bool


class Progress:
    """Tells how far a run is, each time that thirty seconds have passed."""

    def __init__(
        self, look: Callable[[], Standing], *, prefix: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin now.

        Args:
            look: how far the run is.
            prefix: begins every line.
            clock: monotonic seconds.
        """
        #: Called at each turn with the seconds since the beginning, and with what tells how far the run is.
        self.watch: Callable[[float, Callable[[], Standing]], None] | None = None
        #: How far the run is.
        self.look = look
        self._prefix = prefix
        self._clock = clock
        self._began = clock()
        self._next = self._began + _EVERY
        #: Moments of the latest lines, and the rows that had ended.
        self._before: deque[tuple[float, int]] = deque([(self._began, 0)], maxlen=_PACE_OF)

    def turn(self) -> None:
        """Log a line if it is time."""
        now = self._clock()
        if self.watch is not None:
            self.watch(now - self._began, self.look)
        if now < self._next:
            return
        self._next = now + _EVERY
        standing = self.look()
        since, ended = self._before[0]
        pace = (standing.ended - ended) / (now - since)
        self._before.append((now, standing.ended))
        fields = {**msgspec.structs.asdict(standing), "seconds": round(now - self._began, 1)}
        sentence = sentence_of(standing, seconds=now - self._began, pace=pace)
        logger.info("%s%s", self._prefix, sentence, extra={"progress": fields})


def sentence_of(standing: Standing, *, seconds: float, pace: float) -> str:
    """How far a run is, in words; the time to go only where all rows have been read.

    Args:
        standing: how far it is.
        seconds: since it began.
        pace: rows that end in a second.
    """
    waiting, others = standing.read - standing.ended, standing.ended - standing.delivered
    parts = [f"After {lasting(seconds)}: {counted(standing.read, 'row')} read"]
    if not standing.is_whole:
        parts[0] += " so far"
    parts += [f"{count} {words}" for count, words in ((standing.delivered, "delivered"), (others, "ended otherwise"))]
    parts.append(f"{waiting} waiting")
    if standing.jobs:
        parts[-1] += f" ({standing.sent} sent, {counted(standing.jobs, 'job')} under way)"
    if standing.is_whole and waiting and pace > 0:
        parts.append(f"about {lasting(max(10.0, waiting / pace))} to go at this pace")
    return ", ".join(parts)
