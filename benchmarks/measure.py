"""Whole processes measured from outside: wall time, CPU time, greatest memory."""

from __future__ import annotations

import compileall
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

HERE = Path(__file__).parent


class Measure(msgspec.Struct, frozen=True):
    """What one run took.

    Attributes:
        wall: seconds.
        cpu: seconds, user and system, of the process and the children it waited for.
        rss: greatest resident memory in MB.
    """

    wall: float
    cpu: float
    rss: float


def run(
    command: Sequence[str],
    *,
    stdin: IO[Any] | int = subprocess.DEVNULL,
    stdout: IO[Any] | None = None,
    env: Mapping[str, str] | None = None,
) -> Measure:
    """Run a command to its end; its log is shown only when it fails.

    Without `stdout` its output goes through a pipe, as it does in a pipeline, and is thrown away there.
    """
    with tempfile.TemporaryFile() as log, contextlib.ExitStack() as stack:
        if stdout is None:
            reader = stack.enter_context(subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
            stdout = reader.stdin
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=log, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            log.seek(0)
            sys.exit(f"{command[0]} ended with {process.returncode}:\n{log.read().decode()[-4000:]}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Measure(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale / 1e6)


def median(runs: Sequence[Measure]) -> Measure:
    """The median of each figure."""
    return Measure(*(statistics.median(getattr(one, name) for one in runs) for name in ("wall", "cpu", "rss")))


def compile_packages() -> None:
    """Compile our packages, as pip does when it installs them; else a run may compile them each time."""
    for name in ("mailing_api", "tap_mailing", "target_mailing", "mailing_sandbox"):
        compileall.compile_dir(HERE.parent / name, quiet=1)


@contextlib.contextmanager
def sandbox(*options: str) -> Iterator[str]:
    """A sandbox in a process of its own; yields its base URL."""
    compile_packages()
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder, "ready")
        command = [sys.executable, "-m", "mailing_sandbox", "--port=0", f"--ready-file={ready}", *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not (ready.exists() and ready.read_text().strip()):
                if process.poll() is not None:
                    sys.exit("The sandbox did not start.")
                time.sleep(0.05)
            yield ready.read_text().strip()
        finally:
            process.terminate()
            process.wait()


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, first column left, the others right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells))


def show(found: dict[str, Measure], rows: int, reference: str) -> None:
    """Print one row a program, with ratios to the one named as reference."""
    base = found[reference]
    table(
        ["", "CPU s", "CPU ratio", "wall s", "wall ratio", "rows/s", "RSS MB"],
        [
            [
                name,
                f"{one.cpu:.2f}",
                f"{one.cpu / base.cpu:.2f}",
                f"{one.wall:.2f}",
                f"{one.wall / base.wall:.2f}",
                f"{rows / one.wall:,.0f}",
                f"{one.rss:.0f}",
            ]
            for name, one in found.items()
        ],
    )
