"""Processes that the demo starts: each in a group of its own, so that it can be stopped with its children."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from interrupts import Interrupts

PATIENCE = 10.0
"""Seconds that a process has to stop."""


class CommandFailed(Exception):
    """A command ended with an error; `log` holds what it said."""

    def __init__(self, command: str, status: int, log: Path) -> None:
        super().__init__(f"`{command}` ended with status {status}")
        self.log = log


@contextmanager
def running(
    interrupts: Interrupts, command: Sequence[str], *, output: IO[str], env: Mapping[str, str], cwd: Path
) -> Iterator[subprocess.Popen[str]]:
    """Run a command during the block; afterwards it and its children are gone."""
    process: subprocess.Popen[str] | None = None
    try:
        with interrupts.held_back():
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                text=True,
                start_new_session=True,
            )
        yield process
    finally:
        if process is not None:
            with interrupts.held_back():
                stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    """Ask the process and its children to stop, and make them after a while."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    # Also when the process is gone: one of its children may have stayed.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
