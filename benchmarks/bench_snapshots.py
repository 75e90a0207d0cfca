"""What `change_detection` costs: walks over all contacts with a snapshot, beside a plain walk; nothing asserted.

python benchmarks/bench_snapshots.py              1,000,000 contacts, SQLite, median of 3
python benchmarks/bench_snapshots.py --url URL    the same with PostgreSQL: postgresql://user:password@host/database
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from bench_tap import API_KEY, SECRET_KEY, tap
from measure import Measure, median, run, sandbox, show

PLAIN = "plain walk"


class Pipeline:
    """The tap on the contacts, with a snapshot and the STATE of its last run."""

    def __init__(self, plain: list[str], folder: Path, place: dict[str, str]) -> None:
        *self._program, config, catalog = plain
        self._catalog = Path(catalog.partition("=")[2])
        self._config = folder / "changes.json"
        settings = json.loads(Path(config.partition("=")[2]).read_text())
        self._config.write_text(json.dumps({**settings, "change_detection": place}))
        self._narrower = folder / "narrower.json"
        self._narrower.write_text(json.dumps(deselected(json.loads(self._catalog.read_text()), "is_anonymized")))
        self._state = folder / "state.json"
        self._output = folder / "output"

    def run(self, *, moves: bool = True, narrower: bool = False) -> Measure:
        """One run; where its STATE does not move, the next begins where this one did."""
        command = [
            *self._program,
            f"--config={self._config}",
            f"--catalog={self._narrower if narrower else self._catalog}",
            *([f"--state={self._state}"] if self._state.exists() else []),
        ]
        with self._output.open("w") as output:
            found = run(command, stdout=output)
        records, state = self._read()
        print(f"{records:,} records written", flush=True)
        if moves:
            self._state.write_text(json.dumps(state))
        return found

    def _read(self) -> tuple[int, object]:
        records, state = 0, None
        with self._output.open() as lines:
            for line in lines:
                if line.startswith('{"type":"RECORD"'):
                    records += 1
                elif line.startswith('{"type":"STATE"'):
                    state = json.loads(line)["value"]
        return records, state


def deselected(catalog: Any, column: str) -> Any:
    """The catalog without a column, so that every record differs."""
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] == ["properties", column]:
                entry["metadata"] = {"selected": False}
    return catalog


def plain_walk(command: Sequence[str], folder: Path) -> Measure:
    """One run without a snapshot, which writes to a file, too."""
    with (folder / "output").open("w") as output:
        return run(command, stdout=output)


def change(url: str, each: int) -> None:
    """Rename so many contacts, all over the account, and delete as many others."""
    with httpx.Client(base_url=url, auth=(API_KEY, SECRET_KEY)) as client:
        for offset in range(each):
            page = client.get("/v3/REST/contact", params={"Limit": 2, "Offset": offset * 900, "Sort": "ID"}).json()
            first, second = (row["ID"] for row in page["Data"])
            client.put(f"/v3/REST/contact/{first}", json={"Name": "Changed"}).raise_for_status()
            client.delete(f"/v4/contacts/{second}").raise_for_status()


def size(path: Path) -> float:
    """MB of a snapshot's files."""
    return sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*")) / 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--contacts", type=int, default=1_000_000)
    options.add_argument("--times", type=int, default=3)
    options.add_argument("--url")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name, sandbox(f"--contacts={chosen.contacts}") as url:
        folder = Path(name)
        file = folder / "snapshot.sqlite"
        plain = tap(folder, url, properties=False)
        pipeline = Pipeline(plain, folder, {"url": chosen.url} if chosen.url else {"path": str(file)})
        each = chosen.contacts // 1000
        few = f"{each:,} changed, {each:,} gone"
        runs: dict[str, list[Measure]] = {PLAIN: [], "first walk": [pipeline.run()], "nothing changed": [], few: []}
        if not chosen.url:
            print(f"{size(file):.0f} MB on disk")
        for _ in range(chosen.times):
            runs[PLAIN].append(plain_walk(plain, folder))
            runs["nothing changed"].append(pipeline.run())
        change(url, each)
        for _ in range(chosen.times):
            runs[PLAIN].append(plain_walk(plain, folder))
            runs[few].append(pipeline.run(moves=False))
        runs["all changed"] = [pipeline.run(narrower=True)]
        found = {what: median(some) for what, some in runs.items()}
        print(f"{chosen.contacts:,} contacts, loopback, median of {chosen.times} (first and all changed: one run)")
        show(found, chosen.contacts, PLAIN)


if __name__ == "__main__":
    main()
