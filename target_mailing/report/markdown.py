"""A report in Markdown, for CI job summaries and terminals; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from mailing_api.counted import counted, lasting
from mailing_api.process.table import traffic_rows
from target_mailing.report.contents import Contents, Rows
from target_mailing.report.files import MARKDOWN_BEGINS
from target_mailing.report.words import STATUSES, title_of
from target_mailing.sections import time_in_words

__all__ = ["escaped", "markdown"]

#: What has a meaning in Markdown, or in the HTML that it may hold.
_SPECIAL: Final = re.compile(r"([\\`*\[\]<>|~&@$]|(?<!\w)[_#]|_(?!\w)|:(?=//)|(?<=www)\.)")
#: Jobs that are listed, at most.
_MOST_JOBS: Final = 20


def escaped(text: str) -> str:
    """Return a string in which nothing has a meaning in Markdown."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def markdown(told: Contents) -> str:
    """The whole page."""
    return "\n".join(_lines(told)) + "\n"


def _lines(told: Contents) -> Iterator[str]:
    head = told.head
    yield from (MARKDOWN_BEGINS, "", f"# {escaped(title_of(told))}: {head.status}", "")
    if head.error:
        yield from (f"> {escaped(head.error)}", "")
    took = lasting(head.ended - head.began)
    yield f"{escaped(head.provider)} ({escaped(head.account)}), {time_in_words(head.began)}, took {took}."
    yield ""
    for part in [*told.parts, told.whole] if len(told.parts) != 1 else told.parts:
        yield from _part(part)
    if told.more_parts:
        yield from (f"{counted(told.more_parts, 'more stream and list', 'more streams and lists')} are not shown.", "")
    if told.besides:
        yield from _table(("besides the rows", "contacts"), [(words, f"{n:,}") for words, n in told.besides.items()])
    for lists, numbers in told.held.items():
        yield from (f"## Held back: {escaped(lists)}", "")
        yield from _table(("removals", "number"), [(words, f"{number:,}") for words, number in numbers])
    if told.reasons:
        yield from ("## Reasons", "")
        rows = [(one.outcome, one.code, f"{one.rows:,}", one.meaning, one.advice) for one in told.reasons]
        yield from _table(("outcome", "code", "rows", "meaning", "what to do"), rows)
    yield from _jobs(told)
    if calls := traffic_rows(told.traffic):
        yield from (f"## Calls to {escaped(head.provider)}", "")
        yield from _table(("calls", "number"), calls)
    if told.links:
        yield from ("## Files", "")
        yield from _table(("file", "path", "contents"), [(one.words, one.path, one.note) for one in told.links])


def _part(part: Rows) -> Iterator[str]:
    title = f"{part.stream} to {part.lists}" if part.lists else part.stream or "All rows"
    yield from (f"## {escaped(title)}", "")
    yield from _table(("outcome", "rows"), [*part.counts, ("**all**", f"{part.rows:,}")])


def _jobs(told: Contents) -> Iterator[str]:
    if told.jobs_planned is not None:
        yield from (f"A delivery needs {counted(told.jobs_planned, 'job')}. Nothing was delivered.", "")
    if not told.jobs:
        return
    yield from ("## Jobs", "")
    yield from _table(("jobs", "number"), [(STATUSES[name], f"{count:,}") for name, count in told.statuses.items()])
    if len(told.jobs) <= _MOST_JOBS:
        rows = [
            (
                job.job_id,
                told.places[job.destination],
                f"{job.rows:,}",
                f"{job.refused:,}",
                STATUSES[job.status],
                "" if job.ended is None else lasting(max(0.0, job.ended - job.submitted)),
            )
            for job in told.jobs
        ]
        yield from _table(("job", "list", "rows", "refused", "status", "took"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    numbers = {at for at, name in enumerate(head) if name in {"rows", "number", "refused", "contacts", "took"}}
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('--:' if at in numbers else '---' for at in range(len(head)))} |"
    for row in rows:
        yield f"| {' | '.join(cell if cell == '**all**' else escaped(cell) for cell in row)} |"
    yield ""
