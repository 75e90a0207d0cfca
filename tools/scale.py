"""The tables of docs/scale.md: calls, hours and journal bytes for many contacts, by formulae.

python tools/scale.py    prints them, as the page has them

What is measured or documented stands here as a number, with where it comes from; all else is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

__all__ = ["BYTES", "CASES", "SIZES", "journals", "tables"]

#: Contacts.
SIZES: Final = (1_000_000, 10_000_000, 100_000_000)
#: Calls a second: what MPDX's headers and AWS's quotas say, the plugins' own pace for PostGrid, and an assumption for
#: Mailjet. The last two publish none.
MAILJET, SES, POSTGRID, MPDX = 10.0, 1.0, 4.0, 5.0
#: Bytes of the journal on disk for each contact with a key, after a first run of a million (see docs/scale.md).
BYTES: Final = {"SQLite": 136, "PostgreSQL": 389}


def each(calls_per_100_000: float) -> Callable[[int], float]:
    """So many calls for each 100,000 contacts, as docs/performance.md has them measured."""
    return lambda contacts: contacts / 100_000 * calls_per_100_000


def pages(rows: int, listings: int = 1) -> Callable[[int], float]:
    """All contacts, page by page, in so many listings."""
    return lambda contacts: contacts / rows * listings


def into_list(batch_rows: int, *, is_new: bool) -> Callable[[int], float]:
    """Import jobs of which each reads the list before, 1,000 contacts a page.

    A batch of new contacts reads those of the batches before it, twice unless there are none; a batch of changed ones
    reads the whole list. Batches that read at the same time share a reading, so this is the most.
    """

    def calls(contacts: int) -> float:
        batches = max(1.0, contacts / batch_rows)
        read = batches * (batches - 1) * min(contacts, batch_rows) if is_new else batches * contacts
        return read / 1000 + 4 * batches

    return calls


class Case(NamedTuple):
    """One way to read or to deliver contacts.

    Attributes:
        name: of provider and route.
        work: what is done.
        pace: calls a second.
        calls: for so many contacts.
    """

    name: str
    work: str
    pace: float
    calls: Callable[[int], float]


CASES: Final = (
    Case("Mailjet", "read, with properties", MAILJET, pages(1000, 2)),
    Case("Mailjet `json`", "new or changed", MAILJET, each(43)),
    Case("Mailjet `csv`", "new or changed", MAILJET, each(63)),
    Case("Mailjet `contact`", "new", MAILJET, each(400_250)),
    Case("Amazon SES", "read", SES, pages(1000)),
    Case("Amazon SES `import`", "new, `batch_rows` as by default", SES, into_list(100_000, is_new=True)),
    Case("Amazon SES `import`", "new, `batch_rows: 1000000`", SES, into_list(1_000_000, is_new=True)),
    Case("Amazon SES `import`", "changed, `batch_rows` as by default", SES, into_list(100_000, is_new=False)),
    Case("Amazon SES `import`", "changed, `batch_rows: 1000000`", SES, into_list(1_000_000, is_new=False)),
    Case("Amazon SES `direct`", "new", SES, each(100_100)),
    Case("Amazon SES, suppressions, `import`", "new or changed", SES, each(3)),
    Case("PostGrid", "read", POSTGRID, pages(100)),
    Case("PostGrid `contacts`", "new", POSTGRID, each(101_050)),
    Case("PostGrid `import`", "new", POSTGRID, each(111)),
    Case("PostGrid `import`", "replaced", POSTGRID, each(165)),
    Case("MPDX", "people, read in full", MPDX, pages(100)),
)


def _rounded(value: float) -> str:
    """Two digits that count, as the formulae are not better than that."""
    unit = 10 ** (len(str(int(value))) - 2)
    return f"{math.floor(value / unit + 0.5) * unit:,.0f}" if value >= 10 else f"{value:.2g}"


def _time(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{_rounded(seconds / size)} {unit}"
    return f"{_rounded(seconds)} s"


def _calls(case: Case, contacts: int) -> str:
    calls = case.calls(contacts)
    return f"{_rounded(round(calls))} calls, {_time(calls / case.pace)}"


def _bytes(value: float) -> str:
    return f"{_rounded(value / 1e9)} GB" if value >= 1e9 else f"{_rounded(value / 1e6)} MB"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables() -> str:
    """Calls, and their time at the provider's pace."""
    header = ["", "contacts are", "calls a second", *(f"{size // 1_000_000} million" for size in SIZES)]
    return _table(
        header,
        [
            [
                case.name,
                case.work,
                f"{case.pace:g}",
                *(
                    f"{_rounded(round(case.calls(size)))} calls, {_time(case.calls(size) / case.pace)}"
                    for size in SIZES
                ),
            ]
            for case in CASES
        ],
    )


def journals() -> str:
    """Bytes of journals."""
    header = ["journal in", "bytes a contact", *(f"{size // 1_000_000} million" for size in SIZES)]
    return _table(header, [[name, f"{one}", *(_bytes(one * size) for size in SIZES)] for name, one in BYTES.items()])


if __name__ == "__main__":
    print(tables(), journals(), sep="\n\n")
