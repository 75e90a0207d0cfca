"""How far a run is: a line in the log every thirty seconds, or a bar at a terminal."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from mailing_api.counted import counted, lasting
from mailing_api.process.live_bar import LiveBar, clock_of, live_bar

__all__ = ["Progress", "Standing", "sentence_of", "texts_of"]

logger = logging.getLogger("target-mailing")

#: Seconds between two lines.
_EVERY: Final = 30.0
#: Seconds between two turns, at most.
_TURN_EVERY: Final = 1.0
#: Seconds between two drawings of the bar.
_DRAWN_EVERY: Final = 0.25
#: Seconds over which the pace is measured, since rows end job by job, and those between two measurements.
_PACE_OF: Final = 300.0
_MEASURED_EVERY: Final = 5.0


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is.

    Attributes:
        read: rows read so far.
        delivered: rows that the provider has.
        ended: rows with any outcome, delivered ones among them.
        sent: rows in jobs that have not ended.
        jobs: those jobs.
        is_whole: the input has ended, so that no more rows will be read.
        is_unreachable: the latest poll of a job failed, so that nobody knows how long it takes.
    """

    read: int
    delivered: int
    ended: int
    sent: int
    jobs: int
    is_whole: bool
    is_unreachable: bool = False


class Progress:
    """Tells how far a run is: each time that thirty seconds have passed, or several times a second in a bar."""

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
        #: In place of lines.
        self.bar: LiveBar | None = None
        #: Whether lines are logged where there is no bar.
        self.has_lines = True
        self._prefix = prefix
        self._clock = clock
        self._began = clock()
        self._next = self._began + _EVERY
        self._drawn_at = self._began
        self._measure_at = self._began + _MEASURED_EVERY
        #: Moments at which the pace was measured, and the rows that had ended.
        self._before: deque[tuple[float, int]] = deque([(self._began, 0)], maxlen=round(_PACE_OF / _MEASURED_EVERY))

    def turn(self) -> None:
        """Draw the bar, or log a line, if it is time."""
        now = self._clock()
        if self.watch is not None:
            self.watch(now - self._began, self.look)
        if now >= self._measure_at:
            self._measure(now)
        if self.bar is not None and now >= self._drawn_at + _DRAWN_EVERY:
            self._draw(self.bar, now)
        if now >= self._next:
            self._next = now + _EVERY
            if self.has_lines and (self.bar is None or self.bar.is_in_background()):
                self._log(now)

    @contextmanager
    def shown(self, how: str) -> Iterator[None]:
        """Tell it meanwhile; `how` is the setting `progress`."""
        self.has_lines = how != "off"
        if how != "auto":
            yield
            return
        with live_bar(logger) as self.bar:
            yield

    @property
    def patience(self) -> float:
        """Seconds until the next turn, at most."""
        return _TURN_EVERY if self.bar is None else _DRAWN_EVERY

    def clear(self) -> None:
        """Remove the bar for another output to the terminal; the next turns draw it again."""
        if self.bar is not None:
            self.bar.clear()

    def _measure(self, now: float) -> None:
        self._measure_at = now + _MEASURED_EVERY
        self._before.append((now, self._standing(now).ended))

    def _standing(self, now: float) -> Standing:
        standing = self.look()
        if standing.is_unreachable:  # the time in which nothing can end says nothing about the time to go
            self._before.clear()
            self._before.append((now, standing.ended))
        return standing

    def _pace(self, standing: Standing, now: float) -> float:
        """Rows that end in a second."""
        since, ended = self._before[0]
        return (standing.ended - ended) / (now - since) if now > since else 0.0

    def _draw(self, bar: LiveBar, now: float) -> None:
        self._drawn_at, standing = now, self._standing(now)
        seconds, pace = now - self._began, self._pace(standing, now)
        share = standing.ended / standing.read if standing.is_whole and standing.read else None
        bar.draw(share, [f"{self._prefix}{text}" for text in texts_of(standing, seconds=seconds, pace=pace)])

    def _log(self, now: float) -> None:
        standing = self._standing(now)
        fields = {**msgspec.structs.asdict(standing), "seconds": round(now - self._began, 1)}
        sentence = sentence_of(standing, seconds=now - self._began, pace=self._pace(standing, now))
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
    if to_go := _to_go(standing, pace):
        parts.append(f"{to_go} at this pace" if to_go.endswith("to go") else to_go)
    return ", ".join(parts)


def texts_of(standing: Standing, *, seconds: float, pace: float) -> list[str]:
    """The same in short for a bar, from the longest text to the shortest."""
    at, to_go = clock_of(seconds), _to_go(standing, pace)
    read, waiting = f"{standing.read:,}", f"{standing.read - standing.ended:,} waiting"
    if not standing.is_whole:
        read += " so far"
    ends = f"{standing.delivered:,} delivered, {standing.ended - standing.delivered:,} ended otherwise"
    sent, jobs = f"{standing.sent:,}", counted(standing.jobs, "job")
    done, rest = f"{at}  {standing.ended:,} of {read}", f", {to_go}" if to_go else ""
    return [
        f"{at}  {read} read, {ends}, {waiting}{f' ({sent} sent, {jobs} under way)' if standing.jobs else ''}{rest}",
        f"{done}, {waiting}{f' ({sent} in {jobs})' if standing.jobs else ''}{rest}",
        f"{done}, {waiting}{f' ({jobs})' if standing.jobs else ''}{rest}",
        f"{done}, {waiting}{rest}",
        f"{done}{rest.replace('about ', '')}",
        done,
    ]


def _to_go(standing: Standing, pace: float) -> str:
    if standing.is_unreachable:
        return "the provider does not answer"
    waiting = standing.read - standing.ended
    # Rows that end at once, such as those with a bad address, say nothing about those that wait for the provider.
    is_known = standing.is_whole and waiting and standing.delivered and pace > 0
    return f"about {lasting(max(10.0, waiting / pace))} to go" if is_known else ""
