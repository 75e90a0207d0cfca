"""The geometry of the page's charts; pure. Widths and places across are percents, or of 1000 in a path."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from mailing_api.counted import lasting
from target_mailing.report.job_log import status_of
from target_mailing.report.scale import steps, time_ticks
from target_mailing.report.series import Point
from target_mailing.run.progress import Standing
from target_mailing.run_events import Job

__all__ = ["Axes", "Bar", "Lines", "Timeline", "jobs_under_way", "lines", "timeline"]

#: The width in which paths are drawn.
_WIDTH: Final = 1000
#: Jobs side by side that are drawn, at most; further ones are drawn over these.
_MOST_LANES: Final = 40
#: Heights of a job and of a timeline, in pixels.
_LANE, _LEAST_LANE, _TALLEST = 18, 5, 240


class Tick(NamedTuple):
    """A mark of an axis: where, and what it says."""

    at: float
    words: str


class Axes(NamedTuple):
    """The marks of both axes: across in percents, down in pixels."""

    across: Sequence[Tick]
    down: Sequence[Tick]


class Lines(NamedTuple):
    """A chart of steps over time.

    Attributes:
        paths: by name, what is drawn in a box of 1000 by `height`.
        height: pixels.
        axes: its marks.
    """

    paths: dict[str, str]
    height: int
    axes: Axes


class Bar(NamedTuple):
    """A job: where it begins and how wide it is, in percents; its upper edge in pixels; its status, and the job."""

    at: float
    width: float
    top: float
    status: str
    job: Job


class Timeline(NamedTuple):
    """Jobs over time, in lanes.

    Attributes:
        bars: of the jobs.
        lane: height of one, in pixels.
        height: of all, in pixels.
        axes: the time.
    """

    bars: Sequence[Bar]
    lane: float
    height: float
    axes: Axes


def lines(
    points: Sequence[Point], seconds: float, values: dict[str, Callable[[Standing], int]], *, height: int, areas: str
) -> Lines:
    """Steps over time: a value lasts until the next point.

    Args:
        points: in order, at least one.
        seconds: how long the run took.
        values: by name, what is drawn of a standing.
        height: pixels.
        areas: names of values, separated by spaces, under which the space is filled.
    """
    most = max(value(point.standing) for value in values.values() for point in points)
    ticks = steps(most)
    scale = height / ticks[-1]
    whole = max(seconds, points[-1].seconds, 1e-9)
    paths = {}
    for name, value in values.items():
        places = [(_WIDTH * point.seconds / whole, height - scale * value(point.standing)) for point in points]
        path = f"M0 {places[0][1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in places) + f"H{_WIDTH}"
        paths[name] = f"{path}V{height}H0Z" if name in areas.split() else path
    down = [Tick(height - scale * tick, f"{tick:,}") for tick in ticks]
    return Lines(paths, height, Axes(_times(whole), down))


def jobs_under_way(jobs: Sequence[Job], began: float, ended: float) -> list[Point]:
    """How many jobs are under way, at each moment at which that changes; arguments as for `timeline`."""
    changes: Counter[float] = Counter({0.0: 0})
    for job in jobs:
        start, end = _within(job, began, ended)
        changes[start - began] += 1
        if job.ended is not None:
            changes[end - began] -= 1
    numbers = accumulate(changes[moment] for moment in sorted(changes))
    return [
        Point(moment, Standing(read=0, delivered=0, ended=0, sent=0, jobs=number, is_whole=False))
        for moment, number in zip(sorted(changes), numbers, strict=True)
    ]


def timeline(jobs: Sequence[Job], began: float, ended: float) -> Timeline:
    """Jobs in as few lanes as they need to be drawn side by side, but for very many.

    Args:
        jobs: in the order in which they were submitted.
        began: when the run began, Unix seconds; a job of an earlier run is drawn from there.
        ended: when it ended; a job that has not ended is drawn until then.
    """
    whole = max(ended - began, 1e-9)
    free: list[tuple[float, int]] = []
    lanes = 0
    places: list[tuple[float, float, int]] = []
    for job in jobs:
        start, end = _within(job, began, ended)
        if free and free[0][0] <= start:
            _, lane = heapq.heappop(free)
        else:
            lane, lanes = lanes, lanes + 1
        heapq.heappush(free, (end, lane))
        places.append((100 * (start - began) / whole, 100 * (end - start) / whole, lane))
    drawn = min(max(1, lanes), _MOST_LANES)
    height = min(_LANE, max(_LEAST_LANE, _TALLEST / drawn))
    bars = [
        Bar(at, width, (lane % drawn) * height, status_of(job), job)
        for job, (at, width, lane) in zip(jobs, places, strict=True)
    ]
    return Timeline(bars, height, drawn * height, Axes(_times(whole), []))


def _within(job: Job, began: float, ended: float) -> tuple[float, float]:
    """When a job began and ended, within the run."""
    start = min(max(job.submitted, began), ended)
    return start, min(max(job.ended if job.ended is not None else ended, start), ended)


def _times(whole: float) -> list[Tick]:
    return [Tick(100 * tick / whole, lasting(tick) if tick else "0 s") for tick in time_ticks(whole)]
