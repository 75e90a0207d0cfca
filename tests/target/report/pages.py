"""Reports of runs of every shape, made without a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mailing_api.http.traffic import TrafficTotals
from target_mailing.report.codes import CODES
from target_mailing.report.contents import Contents, Head, Link, Reason, Rows, Segment
from target_mailing.report.job_log import JobLog
from target_mailing.report.series import Series
from target_mailing.report.shown_settings import shown_settings
from target_mailing.run.progress import Standing
from target_mailing.run_events import Job

__all__ = ["PAGES"]

BEGAN = 1_790_000_000.0
HISTORY = "history/history-20260121T024844.105731Z-0a1b2c3d.singer"
#: Names that are long, run from right to left, are wide, have no place to break, or mean something in HTML.
NAMES = [
    "a-very-long-stream-name_" * 8,
    "נרשמים לעלון החודשי של הקהילה",
    "المشتركون في النشرة الإخبارية",
    "ニュースレター購読者・東京都・大阪府・北海道" * 3,
    "W" * 120,
    "<b>bold</b> & \"quoted\" 'people'",
]


def rows(stream: str = "", lists: str = "", **counts: int) -> Rows:
    words = {"open": "without an outcome"}
    notes = {"delivered": "added or updated"}
    segments = [
        Segment(name, words.get(name, name), count, notes.get(name, "")) for name, count in counts.items() if count
    ]
    detail = [(words.get(name, name), f"{count:,}") for name, count in counts.items()]
    return Rows(stream, lists, segments, detail, sum(counts.values()))


def reasons(*codes: str) -> list[Reason]:
    return [Reason(code, "rejected", 3 * at + 1, *CODES[code]) for at, code in enumerate(codes)]


def jobs(
    count: int, seconds: float, *, at_once: int = 4, status: Callable[[int], str] = lambda _: "completed"
) -> JobLog:
    """So many jobs, one after another in some lanes."""
    log = JobLog()
    each = seconds / (count / at_once + 1)
    for number in range(count):
        begins = BEGAN + 0.02 * seconds + number // at_once * each * 0.97
        job = Job(number, f"35633{number:05}", "d", "json", "addnoforce", 1000, begins)
        log.take(job)
        how = status(number)
        if how != "submitted":
            ended = None if how == "unfinished" else begins + each * (0.5 + number * 7 % 10 / 22)
            refused = 2 if how == "refused" else 0
            kind = "completed" if how == "refused" else how
            log.take(msgspec.structs.replace(job, ended=ended, looks=5, status=kind, refused=refused))
    return log


def points(seconds: float, read: int) -> Series:
    series = Series()
    for step in range(100):
        share = step / 99
        ended = int(read * max(0.0, share - 0.1) / 0.9)
        sent = min(read - ended, read // 8)
        standing = Standing(
            read=min(read, int(read * share * 2)), delivered=ended, ended=ended, sent=sent, jobs=4, is_whole=step > 50
        )
        series.add(seconds * share, standing)
    return series


def contents(
    whole: Rows,
    log: JobLog | None = None,
    *,
    seconds: float = 95.0,
    head: Mapping[str, Any] | None = None,
    **others: Any,
) -> Contents:
    about = Head(
        is_plan=False,
        run_id="20260121T024844.105731Z-0a1b2c3d",
        provider="Mailjet",
        account="mailjet-default",
        version="0.1.0",
        began=BEGAN,
        ended=BEGAN + seconds,
        status="completed",
        error="",
    )
    log = log or JobLog()
    values = {
        "lists": ["Newsletter"],
        "parts": [whole._replace(stream="crm-people", lists="Newsletter")],
        "more_parts": 0,
        "is_divided": False,
        "besides": {},
        "held": {},
        "reasons": [],
        "jobs_planned": None,
        "points": points(seconds, whole.rows).points if whole.rows else [],
        "traffic": TrafficTotals(1234, 7, 3, 12.5),
        "links": [Link("History", HISTORY, HISTORY, "the outcome of every row and job")],
        "settings": [*shown_settings({"list": "Newsletter", "sync": "mirror", "mapping": {"email": "mail"}})],
        "places": {"d": "Newsletter"},
    }  # fmt: skip
    kept = {"jobs": log.kept(), "statuses": log.statuses, "job_rows": log.rows}
    return Contents(head=about._replace(**(head or {})), whole=whole, **kept, **(values | others))


def _named() -> Contents:
    parts = [rows(name, name[::-1][:200], delivered=90 + at, rejected=at) for at, name in enumerate(NAMES)]
    whole = rows(delivered=sum(90 + at for at in range(6)), rejected=15)
    held = {NAMES[4]: [("contacts that would be removed", 25), ("most that may leave (max_removals)", 20)]}
    error = f"Stream {NAMES[0]!r} failed at {NAMES[4]}"
    named = {"parts": parts, "lists": NAMES, "held": held, "places": {"d": NAMES[4]}}
    return contents(whole, jobs(9, 95.0), **named, head={"status": "failed", "error": error, "account": NAMES[4]})


_ERROR = (
    "Mailjet refuses the credentials (HTTP 401). Check `mailjet_api_key` and `mailjet_secret_key`; nothing was sent."
)
_STATUSES = {3: "refused", 4: "divided", 7: "repeated", 10: "unfinished", 11: "submitted"}
PAGES: dict[str, Callable[[], Contents]] = {
    "first": lambda: contents(rows(delivered=24_310, superseded=12), jobs(25, 95.0)),
    "rejects": lambda: contents(
        rows(delivered=17_001, unchanged=6_020, superseded=12, skipped=3, withheld=310, rejected=240),
        jobs(25, 95.0, status=lambda number: _STATUSES.get(number, "completed")),
        reasons=reasons("bad_address", "wrong_type", "refused_by_provider", "unconfirmed", "unknown_property"),
        besides={"former addresses removed": 12},
    ),
    "failed": lambda: contents(
        rows(delivered=2000, rejected=1, open=22_310),
        jobs(4, 5.0, status=lambda number: "unfinished" if number > 1 else "completed"),
        seconds=5.0,
        head={"status": "failed", "error": _ERROR},
    ),
    "many jobs": lambda: contents(
        rows(delivered=1_000_000),
        jobs(1000, 3600.0, at_once=12, status=lambda number: "refused" if number % 97 == 0 else "completed"),
        seconds=3600.0,
    ),
    "empty": lambda: contents(rows(), parts=[], lists=[], links=[], traffic=TrafficTotals(), seconds=0.1),
    "names": _named,
    "plan": lambda: contents(rows(delivered=300, held=26), jobs_planned=4, head={"is_plan": True}, points=[]),
}
