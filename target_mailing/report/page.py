"""A report as one page of HTML that needs nothing else: style, script and charts are in it."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from mailing_api.counted import counted, lasting
from mailing_api.process.table import traffic_rows
from target_mailing.report.charts import Lines, jobs_under_way, lines, timeline
from target_mailing.report.contents import Contents, Rows, Segment
from target_mailing.report.files import HTML_BEGINS
from target_mailing.report.job_log import status_of
from target_mailing.report.scale import LEAST_SHARE, shares
from target_mailing.report.words import STATUSES, place_of, title_of
from target_mailing.sections import time_in_words

__all__ = ["html"]

_PACKAGE: Final = "target_mailing.report"
#: Jobs with which search and sorting are offered, at least.
_SEARCHED: Final = 4
#: Heights of the charts over time, in pixels.
_TALL, _LOW = 200, 80


def html(told: Contents) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader(_PACKAGE, "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"lasting": lasting, "number": lambda count: f"{count:,}", "time": time_in_words}
    style, script = (_part(name) for name in ("page.css", "page.js"))
    text = environment.get_template("page.html").render(
        told=told,
        head=told.head,
        title=title_of(told),
        place=place_of(told),
        seconds=max(0.0, told.head.ended - told.head.began),
        style=style,
        script=script,
        policy=_policy(style, script),
        calls=traffic_rows(told.traffic),
        counted=counted,
        bar=_bar,
        statuses=STATUSES,
        status_of=status_of,
        has_thin_parts=any(_is_thin(rows) for rows in [told.whole, *told.parts]),
        is_searched=len(told.jobs) >= _SEARCHED,
        **_charts(told),
    )
    return f"{HTML_BEGINS}\n{text}\n"


def _charts(told: Contents) -> dict[str, Any]:
    """What is drawn over time; None where there is nothing to be seen."""
    points, head = told.points, told.head
    seconds = head.ended - head.began
    rows: Lines | None = None
    busy: Lines | None = None
    if len(points) > 1 and points[-1].standing.read:
        values = {
            "read": lambda one: one.read,
            "ended": lambda one: one.ended,
            "delivered": lambda one: one.delivered,
            "sent": lambda one: one.sent,
        }
        rows = lines(points, seconds, values, height=_TALL, areas="sent")
        if len(told.jobs) == told.jobs_in_all:
            points = jobs_under_way(told.jobs, head.began, head.ended)
        if any(point.standing.jobs for point in points):
            busy = lines(points, seconds, {"jobs": lambda one: one.jobs}, height=_LOW, areas="jobs")
    return {
        "rows_over_time": rows,
        "jobs_over_time": busy,
        "timeline": timeline(told.jobs, head.began, head.ended) if told.jobs else None,
    }


def _bar(segments: list[Segment]) -> list[tuple[Segment, float, float]]:
    """Segments with where they begin and how wide they are, in percent."""
    widths = shares([segment.rows for segment in segments])
    begins = [0.0]
    for width in widths:
        begins.append(begins[-1] + width)
    return [(segment, at, to - at) for segment, (at, to) in zip(segments, pairwise(begins), strict=True)]


def _is_thin(rows: Rows) -> bool:
    """Whether a segment of a bar is drawn wider than it is."""
    return any(100 * segment.rows < LEAST_SHARE * rows.rows for segment in rows.segments)


def _part(name: str) -> str:
    return files(_PACKAGE).joinpath("page", name).read_text(encoding="utf-8").strip()


def _policy(style: str, script: str) -> str:
    """The Content-Security-Policy: nothing is loaded, and of styles and scripts only these two have an effect."""
    hashes = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
