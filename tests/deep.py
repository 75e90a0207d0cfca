"""Run the searches one by one, each time with another seed, until one fails or the time is over.

Within one seed their order is drawn by it, so that repeated short calls reach all of them. Those of the first seed are
as long as in `make test-all`, later ones are ten times as long or more. At the end it says which have not passed yet.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PYTEST = (sys.executable, "-m", "pytest", "-q", "-n", "0")
#: Seconds for a search to end after its signal.
GRACE = 10.0


@dataclass
class Search:
    """One search by one seed, in a process of its own."""

    name: str
    seed: int
    length: str
    started: float = field(default_factory=time.monotonic)
    output: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def __post_init__(self) -> None:
        """Start it. In a session of its own, so that a signal reaches what it started, too."""
        self.process = subprocess.Popen(
            [*PYTEST, "-m", "machine", f"--hypothesis-seed={self.seed}", self.name],
            env=os.environ | {"SEARCH": self.length},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __str__(self) -> str:
        return f"{self.name} (seed {self.seed}, {self.length})"

    def report(self) -> None:
        """Tell how it ended; what it printed only of one that failed."""
        code, seconds = self.process.returncode, time.monotonic() - self.started
        print(f"{'failed' if code else 'passed'} in {seconds:4.0f} s: {self}", flush=True)
        if code:
            self.output.seek(0)
            print(self.output.read().decode(errors="replace"))
            print(
                f"Repeat it: SEARCH={self.length} pytest -n 0 -m machine --hypothesis-seed={self.seed} '{self.name}'",
                flush=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def searches(where: list[str]) -> list[str]:
    """The names of all tests with the marker `machine`; one for all parameters of a test."""
    command = [*PYTEST, "--collect-only", "-m", "machine", *where]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return list(dict.fromkeys(line.partition("[")[0] for line in found.splitlines() if "::" in line))


def stop(running: list[Search]) -> None:
    """End those that are not through."""
    for number in (signal.SIGINT, signal.SIGKILL):
        for search in running:
            search.signal(number)
        until = time.monotonic() + GRACE
        for search in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                search.process.wait(max(0.0, until - time.monotonic()))
    for search in running:
        search.output.close()
        print(f"stopped before its end: {search}")


def ended(running: list[Search]) -> list[Search]:
    """Take those that have ended out of `running`, and report them."""
    over = [search for search in running if search.process.poll() is not None]
    for search in over:
        running.remove(search)
        search.report()
        search.output.close()
    return over


def run(names: list[str], seed: int, workers: int, until: float) -> int:
    """Run all of them again and again; the exit code is 1 if one failed."""
    passed: set[str] = set()
    running: list[Search] = []
    waiting: list[tuple[str, int, str]] = []
    length, code = "long", 0
    try:
        while not code and time.monotonic() < until:
            if not waiting:
                waiting = [(name, seed, length) for name in random.Random(seed).sample(names, len(names))]
                seed, length = seed + 1, "deep"
            if len(running) < workers:
                running.append(Search(*waiting.pop()))
            else:
                time.sleep(0.1)
            over = ended(running)
            passed |= {search.name for search in over if not search.process.returncode}
            code = int(any(search.process.returncode for search in over))
    finally:
        stop(running)
        print(f"{len(passed)} of {len(names)} searches passed at least once; not yet:", flush=True)
        print("\n".join(f"  {name}" for name in names if name not in passed) or "  none", flush=True)
    return code


def main() -> int:
    """Run; 0 if no search failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("where", nargs="*", default=["tests"], help="folders or files with searches; all by default")
    options = parser.parse_args()
    os.chdir(Path(__file__).parent.parent)
    until = time.monotonic() + 60 * options.minutes
    names = searches(options.where)
    print(f"{len(names)} searches from seed {options.seed}", flush=True)
    return run(names, options.seed, options.workers, until)


if __name__ == "__main__":
    sys.exit(main())
