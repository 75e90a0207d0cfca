"""Workers on one account whose provider allows four calls a second: alone, and with a shared rate budget.

python benchmarks/bench_budget.py                  1, 2 and 4 workers, each with and without; takes six minutes
python benchmarks/bench_budget.py --seconds 20     of each case

Each worker is a target with a list of its own and more rows than it can deliver, by bulk jobs of fifty, which it looks
at every second. The sandbox refuses what is beyond four calls a second; its bucket holds one second's worth. The first
40 calls are not counted, so that a full bucket at the beginning helps nobody.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Final

import msgspec
from measure import compile_packages, table

sys.path.insert(0, str(Path(__file__).parents[1]))

from mailing_sandbox.gateway import RateLimit
from mailing_sandbox.server import Sandbox
from tests.postgresql import postgresql

RATE: Final = 4.0
WORKERS: Final = (1, 2, 4)
ROWS: Final = 20_000
BATCH: Final = 50
#: Seconds at the full rate, before the measured ones.
WARM_UP: Final = 10


class Recording(RateLimit):
    """Notes when it let calls through and when it refused some."""

    def __init__(self, per_second: float) -> None:
        super().__init__(per_second)
        self.accepted: list[float] = []
        self.refused: list[float] = []

    def refuses(self) -> bool:
        """As any limit."""
        is_refused = super().refuses()
        (self.refused if is_refused else self.accepted).append(time.monotonic())
        return is_refused


class Found(msgspec.Struct, frozen=True):
    """One case.

    Attributes:
        share: of the allowed rate.
        refused: calls.
        accepted: calls.
        rows: contacts a second.
    """

    share: float
    refused: int
    accepted: int
    rows: float


def write_input(path: Path, rows: range) -> None:
    """People."""
    columns = {"id": {"type": "integer"}, "email": {"type": "string"}}
    schema = {"type": "object", "properties": columns}
    with path.open("w") as file:
        file.write(
            json.dumps({"type": "SCHEMA", "stream": "people", "schema": schema, "key_properties": ["id"]}) + "\n"
        )
        for number in rows:
            record = {"id": number, "email": f"person.{number}@example.com"}
            file.write(json.dumps({"type": "RECORD", "stream": "people", "record": record}) + "\n")
        file.write(json.dumps({"type": "STATE", "value": {"at": rows.stop}}) + "\n")


@contextmanager
def worker(sandbox: Sandbox, folder: Path, number: int, rows: range, budget: str | None) -> Iterator[subprocess.Popen]:
    """One target at work."""
    source, config, log = folder / f"{number}.singer", folder / f"{number}.json", folder / f"{number}.log"
    write_input(source, rows)
    sandbox.mailjet.add_list(f"List {number}")
    settings = {
        "mailjet_api_key": sandbox.api_key,
        "mailjet_secret_key": sandbox.secret_key,
        "mailjet_base_url": sandbox.url,
        "list": f"List {number}",
        "route": "json",
        "batch_rows": BATCH,
        "jobs_in_flight": 16,
        "poll_interval": 1,
        "poll_max_interval": 1,
        "journal": str(folder / f"{number}.sqlite"),
        "rate_budget": budget,
    }
    config.write_text(json.dumps(settings))
    with source.open("rb") as stdin, log.open("wb") as stderr:
        command = [sys.executable, "-m", "target_mailing", f"--config={config}"]
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def run(seconds: float, workers: int, budget: str | None) -> Found:
    """Measure so many workers for some seconds."""
    limit = Recording(RATE)
    sandbox = Sandbox(switches={"keep_received": False})
    sandbox.limit = limit
    with sandbox, tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        for number in range(workers):
            rows = range(number * ROWS, (number + 1) * ROWS)
            stack.enter_context(worker(sandbox, folder, number, rows, budget))
        while len(limit.accepted) < RATE * WARM_UP:
            time.sleep(0.05)
        began, refused, before = time.monotonic(), len(limit.refused), len(sandbox.mailjet.contacts())
        time.sleep(seconds)
        ended = time.monotonic()
        accepted = sum(began < at <= ended for at in limit.accepted)
        delivered = len(sandbox.mailjet.contacts()) - before
        return Found(
            accepted / (RATE * (ended - began)), len(limit.refused) - refused, accepted, delivered / (ended - began)
        )


def main() -> None:
    """Run all and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=45.0)
    options.add_argument("--workers", type=int, nargs="*", default=WORKERS)
    options.add_argument("--only", choices=("alone", "shared"))
    chosen = options.parse_args()
    compile_packages()
    lines: list[list[str]] = []
    single = 0.0
    for way in ("alone", "shared"):
        if chosen.only not in (None, way):
            continue
        for workers in chosen.workers:
            with postgresql() if way == "shared" else nullcontext(None) as url:
                found = run(chosen.seconds, workers, url)
            refused = found.refused / found.accepted
            if workers == 1 and way == "alone":
                single = refused
            lines.append(
                [
                    f"{workers} {'worker' if workers == 1 else 'workers'}, {way}",
                    f"{found.share:.0%}",
                    f"{found.refused}",
                    f"{found.accepted}",
                    f"{refused / single:.2f}" if single else "",
                    f"{found.rows:.2f}",
                ]
            )
            print(lines[-1], file=sys.stderr)
    table(["", "of the rate", "429s", "calls", "429s by calls, ratio", "rows/s"], lines)


if __name__ == "__main__":
    main()
