"""What a plan costs, and how near its number of calls is to that of the delivery that follows, by each route.

python benchmarks/bench_plans.py              100,000 rows by the routes that take many, 2,000 by the others
python benchmarks/bench_plans.py --only SES   some of them

The real target against the sandbox, whose jobs take 0.25 s, with default batches: into an empty list, then the same
rows with one in a hundred changed. The sandbox counts the calls.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench_calls import SWITCHES, Case, cases, prepare, write_input
from measure import run, table

from mailing_sandbox.server import Sandbox

VISITS = ("new", "1 % changed")
HEAD = ("route", "rows", "rows are", "plan makes", "it says", "delivery makes", "plan, CPU s", "delivery, CPU s")


def one_in_a_hundred_changed(path: Path, case: Case) -> None:
    """The first rows again, of which every hundredth is the changed one."""
    changed = path.with_suffix(".changed")
    write_input(path, case.rows, 0)
    write_input(changed, case.rows, 1)
    pairs = zip(path.read_text().splitlines(), changed.read_text().splitlines(), strict=True)
    lines = [new if number % 100 == 1 else old for number, (old, new) in enumerate(pairs)]
    path.write_text("".join(f"{line}\n" for line in lines))


def measured(sandbox: Sandbox, folder: Path, case: Case, visit: int) -> list[str]:
    """Plan and deliver; a line of the table."""
    source, plan = folder / "people.singer", folder / "plan.json"
    if visit:
        one_in_a_hundred_changed(source, case)
    else:
        write_input(source, case.rows, 0)
    settings = case.settings | {"journal": str(folder / "journal.sqlite"), "max_removals": "100%", "plan_sample": 0}
    calls, seconds = list[int](), list[float]()
    for mode in ("plan", "deliver"):
        (folder / "config.json").write_text(json.dumps(settings | {"mode": mode, "plan_path": str(plan)}))
        sandbox.counters.reset()
        with source.open("rb") as stdin:
            took = run([sys.executable, "-m", "target_mailing", f"--config={folder / 'config.json'}"], stdin=stdin)
        calls.append(sum(sandbox.counters.calls.values()))
        seconds.append(took.cpu)
    says = json.loads(plan.read_text())["calls"]
    numbers = [f"{one:,}" for one in (calls[0], says, calls[1])]
    route = f"{case.destination} {case.route}"
    return [route, f"{case.rows:,}", VISITS[visit], *numbers, *(f"{one:.1f}" for one in seconds)]


def main() -> None:
    """Run all and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default="", help="destinations and routes that begin so")
    chosen = options.parse_args()
    lines: list[list[str]] = []
    with Sandbox(job_seconds=0.25, switches=SWITCHES) as sandbox:
        for case in cases(sandbox):
            if not f"{case.destination} {case.route}".startswith(chosen.only):
                continue
            prepare(sandbox)
            with tempfile.TemporaryDirectory() as name:
                for visit in range(1 if case.is_replaced else len(VISITS)):
                    lines.append(measured(sandbox, Path(name), case, visit))
                    print(lines[-1], file=sys.stderr)
    table(HEAD, lines)


if __name__ == "__main__":
    main()
