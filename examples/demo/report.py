"""What the demo prints: the story in lines of 80 columns, its claims, and the summary at the end."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

WIDTH = 80
CONTENTS = {
    "journal/": "what target-mailing remembers: jobs, outcomes, row hashes",
    "rejects/": "rejected rows with their reasons, as Singer streams",
    "history/": "the outcome of every row and job, as Singer streams",
    "logs/": "the logs of Meltano and the sandbox",
    "reports/": "a page about each run of target-mailing",
    "plan.md": "what the plan found, with some rows of each kind",
    "project/": "the Meltano project, with its plugins",
    "summary.json": "the numbers above",
}
FIRST_REPORT = Path("reports", "deliver.html")


class ClaimFailed(Exception):
    """Something that the demo claims is not true."""


class Report:
    """Prints the story and its claims; the first claim that does not hold ends the demo."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the demo began."""
        return round(time.monotonic() - self._began, 1)

    def say(self, text: str) -> None:
        """Print a step of the story."""
        print_wrapped(text, f"[{self.seconds:5.1f} s] ")

    def check(self, holds: bool, claim: str) -> None:
        """Print a claim.

        Raises:
            ClaimFailed: the claim does not hold.
        """
        if not holds:
            raise ClaimFailed(f"this does not hold: {claim}")
        print_wrapped(claim, f"{'':10}ok: ")


def print_wrapped(text: str, first: str) -> None:
    """Print wrapped text after a prefix, with its other lines indented as far."""
    indent = " " * len(first)
    wrapped = textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    print("\n".join(wrapped), flush=True)


def print_summary(summary: Mapping[str, Any], output: Path) -> None:
    """Print the tables' rows, the targets' totals, and where the files are."""
    print("\nIn the warehouse")
    for table, rows in summary["warehouse"].items():
        print(f"  {table:32}{rows:10,} rows")
    print("\nThe last line of target-mailing in each run that delivered")
    for run, outcomes in summary["deliveries"].items():
        print(f"  {run} (import jobs: {outcomes['batches']}, all ended)")
        print_wrapped(outcomes["sentence"], "    ")
    print(f"\nIn {output}")
    for name, what in CONTENTS.items():
        print(f"  {name:14}{what}")
    print(f"\nDone in {summary['seconds']} s; nothing is left running.")
    print(f"What the first delivery did:\n{(output / FIRST_REPORT).absolute().as_uri()}")
