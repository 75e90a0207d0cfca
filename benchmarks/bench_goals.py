"""What the target costs beside its goals: one line for each, `today / goal / ratio`. A ratio up to 1 is what it should.

python benchmarks/bench_goals.py               all rows, half an hour
python benchmarks/bench_goals.py wall jobs     these rows
python benchmarks/bench_goals.py --quick       the rows that take a minute at most
python benchmarks/bench_goals.py --list        their names

Against the light stand-in (light_mailjet.py) in a process of its own; "x" is a multiple of the bare writer
(bare_writer.py), which sends the same rows and follows its jobs, in turns with the target.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from delivery import Bench, Delivered, bench, crowd, deleted, people, person, schema, state

MANY: Final = 100_000
MILLION: Final = 1_000_000
TIMES: Final = 3


class Line(msgspec.Struct, frozen=True):
    """One goal.

    Attributes:
        what: is measured.
        today: the figure.
        goal: what it should be at most.
        unit: of both.
    """

    what: str
    today: float
    goal: float
    unit: str

    def __str__(self) -> str:
        ratio = self.today / self.goal if self.goal else float("inf")
        return f"{self.what:46}{_shown(self.today, self.unit):>12}{_shown(self.goal, self.unit):>11}{ratio:>9.2f}"


def _shown(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 or unit == "s" else 2
    return f"{value:,.{digits}f} {unit}" if unit != "jobs" else f"{value:,.0f} jobs"


def mib(run: Delivered) -> float:
    """Peak memory."""
    return run.took.rss * 1e6 / 2**20


def worst(ours: list[float], bare: list[float]) -> float:
    """The worst of several ratios, each of two runs that followed each other."""
    return max(mine / least for mine, least in zip(ours, bare, strict=True))


def _hundred(bench: Bench, *, keyed: bool = True) -> Path:
    return bench.input(f"people-{keyed}", people(MANY, keyed=keyed))


def _million(bench: Bench, *, keyed: bool = True) -> Path:
    return bench.input(f"million-{keyed}", people(MILLION, keyed=keyed))


# Rows of the table


def wall(bench: Bench) -> Iterator[Line]:
    source = _hundred(bench)
    for late, what in ((0.0, "at once"), (0.05, "after 50 ms")):
        ours, bare = [], []
        for _ in range(TIMES):
            bare.append(bench.bare(source, job_seconds=0.25, late=late).took.wall)
            ours.append(bench.ours(source, job_seconds=0.25, late=late).took.wall)
        yield Line(f"wall, jobs of 0.25 s, answers {what}", worst(ours, bare), 1.5, "x")


def cpu(bench: Bench) -> Iterator[Line]:
    for keyed, goal in ((False, 2.5), (True, 3.0)):
        source = _hundred(bench, keyed=keyed)
        ours, bare = [], []
        for _ in range(TIMES):
            bare.append(bench.bare(source).took.cpu)
            ours.append(bench.ours(source).took.cpu)
        yield Line(f"CPU, {'with' if keyed else 'without'} keys", worst(ours, bare), goal, "x")


def slope(bench: Bench) -> Iterator[Line]:
    for keyed, goal in ((False, 2.5), (True, 3.0)):
        few, many = _hundred(bench, keyed=keyed), _million(bench, keyed=keyed)
        bare = bench.bare(many).took.cpu - bench.bare(few).took.cpu
        ours = bench.ours(many).took.cpu - bench.ours(few).took.cpu
        yield Line(f"CPU from 100k to 1 M, {'with' if keyed else 'without'} keys", ours / bare, goal, "x")


def jobs(bench: Bench) -> Iterator[Line]:
    """A tenth of the size: 100,000 rows in batches of 500, and jobs of 3 s."""
    yield from _many_jobs(bench, _hundred(bench), rows=500, seconds=3.0)


def jobs_full(bench: Bench) -> Iterator[Line]:
    yield from _many_jobs(bench, _million(bench), rows=5000, seconds=30.0)


def _many_jobs(bench: Bench, source: Path, *, rows: int, seconds: float) -> Iterator[Line]:
    many = {"jobs_in_flight": 200, "batch_rows": rows}
    submission = bench.ours(source, many, job_seconds=0).counts.submitted_within
    ours = bench.ours(source, many, job_seconds=seconds)
    what = f"200 jobs of {seconds:.0f} s, `jobs_in_flight`"
    yield Line(f"{what} 200", ours.took.wall, submission + seconds * 4 / 3, "s")
    ours = bench.ours(source, {"batch_rows": rows}, job_seconds=seconds)
    yield Line(f"{what} as set", ours.took.wall, 10 * seconds * 1.3, "s")


def memory(bench: Bench) -> Iterator[Line]:
    place, source = bench.place(), _million(bench)
    yield Line("memory, 1 M rows: first run", mib(bench.ours(source, place=place)), 120, "MiB")
    bare, again = bench.bare(source), bench.ours(source, place=place)
    yield Line("memory, 1 M rows: unchanged", mib(again), 120, "MiB")
    yield Line("CPU, 1 M rows, all unchanged", again.took.cpu / bare.took.cpu, 1.6, "x")
    changed = bench.input("million-changed", people(MILLION, changed=100))
    yield Line("memory, 1 M rows: 1 % changed", mib(bench.ours(changed, place=place)), 120, "MiB")
    shutil.rmtree(place)
    changed.unlink()


def memory_wide(bench: Bench) -> Iterator[Line]:
    place = bench.place()
    source = bench.input("wide", people(MILLION, wide=True))
    yield Line("memory, 1 M rows of 910 bytes: first run", mib(bench.ours(source, place=place)), 120, "MiB")
    source.unlink()
    changed = bench.input("wide-changed", people(MILLION, wide=True, changed=250))
    yield Line("memory, 1 M rows of 910 bytes: 1 in 250", mib(bench.ours(changed, place=place)), 120, "MiB")
    changed.unlink()
    shutil.rmtree(place)


def memory_jobs(bench: Bench) -> Iterator[Line]:
    ours = bench.ours(_million(bench), {"jobs_in_flight": 64}, job_seconds=10)
    yield Line(f"memory, 1 M rows, {ours.counts.at_once} jobs in flight", mib(ours), 150, "MiB")


def addresses(bench: Bench) -> Iterator[Line]:
    """The first 5,000 rows fill a batch; the last 500 come while its job runs, and some thousand rows later."""
    rows = ((number, "person.0@example.com") for number in range(10_000, 10_500))
    ours = bench.ours(bench.input("at-one", crowd(8000, rows)), job_seconds=1)
    yield Line("500 keys at one address that is under way", ours.counts.calls["jobs"] - 2, 2, "jobs")


def moves(bench: Bench) -> Iterator[Line]:
    """Jobs of a run after one that delivered them where they were."""
    keys = range(500)
    hall = bench.input("hall", crowd(0, ((key, "hall@example.com") for key in keys)))
    apart = bench.input("apart", crowd(0, ((key, f"own.{key}@example.com") for key in keys)))
    for before, after, what in ((apart, hall, "gather at"), (hall, apart, "leave")):
        place = bench.place()
        bench.ours(before, place=place, job_seconds=0)
        ours = bench.ours(after, {"poll_interval": 0.02}, place=place, job_seconds=0)
        yield Line(f"500 keys that {what} one address", ours.counts.calls["jobs"], 2, "jobs")
        shutil.rmtree(place)


def journal(bench: Bench) -> Iterator[Line]:
    yield from _journal(bench, _hundred(bench), MANY, "100k", 400)


def journal_million(bench: Bench) -> Iterator[Line]:
    yield from _journal(bench, _million(bench), MILLION, "1 M", 600)


def _journal(bench: Bench, source: Path, rows: int, size: str, goal: float) -> Iterator[Line]:
    ours = bench.written(source)
    what = f"journal, bytes a row, {size} keyed"
    yield Line(f"{what} (+ {ours.others / rows:.0f} aside)", ours.journal / rows, goal, "B")


def deletes(bench: Bench) -> Iterator[Line]:
    rows = 3 * MANY
    none, some = (bench.input(f"deleted-{every}", deleted(rows, every=every)) for every in (rows, 1000))
    without, with_deletes = bench.ours(none).took.cpu, bench.ours(some).took.cpu
    yield Line("1 in 1,000 deleted, 300k rows: CPU to none", with_deletes / without, 1.3, "x")
    written = bench.written(some).journal / bench.written(none).journal
    yield Line("1 in 1,000 deleted, 300k rows: journal to none", written, 1.3, "x")


def repeats(bench: Bench) -> Iterator[Line]:
    """Beside a quarter of the rows: linear is 4 without the start."""
    for own_keys in (False, True):
        one, few, many = (
            bench.ours(bench.input(f"repeats-{own_keys}-{rows}", _repeated(rows, own_keys=own_keys)))
            for rows in (1, 20_000, 80_000)
        )
        start = one.took.cpu
        growth = (many.took.cpu - start) / (few.took.cpu - start)
        keys = "one address, new keys" if own_keys else "one address, one key"
        yield Line(f"{keys} 80,000 times, CPU against 20,000", growth, 4.4, "x")
        yield Line(f"{keys} 80,000 times, memory", mib(many), 120, "MiB")


def _repeated(rows: int, *, own_keys: bool) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("w") as file:
            file.write(schema())
            for at in range(rows):
                file.write(person(at if own_keys else 0, email="one@example.com", visits=at + 1))
            file.write(state(rows))

    return write


#: By name; the first ones take a minute at most.
QUICK: Final = (wall, cpu, jobs, addresses, moves, journal, repeats)
LONG: Final = (slope, memory, memory_wide, memory_jobs, journal_million, deletes)
FULL: Final = (jobs_full,)


def named(row: Callable[..., object]) -> str:
    """Its name on the command line."""
    return row.__name__.replace("_", "-")


def main() -> None:
    rows = {named(row): row for row in (*QUICK, *LONG, *FULL)}
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("rows", nargs="*", choices=[[], *rows], help="rows of the table; all but the full ones")
    options.add_argument("--quick", action="store_true", help="the rows that take a minute at most")
    options.add_argument("--list", action="store_true", help="names of the rows")
    chosen = options.parse_args()
    if chosen.list:
        print("\n".join(rows))
        return
    names = chosen.rows or [named(row) for row in (QUICK if chosen.quick else (*QUICK, *LONG))]
    print(f"{'':46}{'today':>12}{'goal':>11}{'ratio':>9}", flush=True)
    with bench() as place:
        for name in names:
            for line in rows[name](place):
                print(line, flush=True)


if __name__ == "__main__":
    main()
