"""What the target costs as the input grows, as figures and as a picture.

python benchmarks/bench_growth.py              10,000, 100,000 and 1,000,000 rows; writes growth.json and the picture
python benchmarks/bench_growth.py --draw       only draws docs/performance.svg from growth.json

The CPU time of whole processes, beside the bare writer; and the time that a run takes where every job takes 3 s at the
provider, with the batches and the jobs in flight that are set by default, beside the time of the jobs alone.
"""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path
from typing import Final

import msgspec
from delivery import Bench, bench, people
from picture import Panel, drawn

ROWS: Final = (10_000, 100_000, 1_000_000)
JOB_SECONDS: Final = 3.0
#: Jobs that Mailjet runs side by side, and rows of a batch, by default.
SIDE_BY_SIDE: Final = 20
BATCH_ROWS: Final = 5000

FIGURES: Final = Path(__file__).with_name("growth.json")
PICTURE: Final = Path(__file__).parents[1] / "docs" / "performance.svg"

Points = list[tuple[int, float]]


def measured(bench: Bench) -> list[Panel]:
    cpu: dict[str, Points] = {name: [] for name in ("bare writer", "target, new rows", "target, unchanged rows")}
    wall: dict[str, Points] = {name: [] for name in ("the jobs alone", "target")}
    for rows in ROWS:
        source, place = bench.input(f"people-{rows}", people(rows)), bench.place()
        cpu["bare writer"].append((rows, bench.bare(source).took.cpu))
        new = bench.ours(source, place=place, job_seconds=JOB_SECONDS)
        cpu["target, new rows"].append((rows, new.took.cpu))
        cpu["target, unchanged rows"].append((rows, bench.ours(source, place=place).took.cpu))
        rounds = math.ceil(math.ceil(rows / BATCH_ROWS) / SIDE_BY_SIDE)
        wall["the jobs alone"].append((rows, rounds * JOB_SECONDS))
        wall["target"].append((rows, new.took.wall))
        shutil.rmtree(place)
        print(f"{rows:,} rows measured", flush=True)
    return [
        Panel("CPU time by rows", cpu),
        Panel(f"Time by rows, where a job takes {JOB_SECONDS:.0f} s", wall),
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--draw", action="store_true", help="draw only")
    if not options.parse_args().draw:
        with bench() as place:
            FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(measured(place))) + b"\n")
    PICTURE.write_text(drawn(msgspec.json.decode(FIGURES.read_bytes(), type=list[Panel])))


if __name__ == "__main__":
    main()
