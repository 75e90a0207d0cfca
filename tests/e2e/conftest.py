from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.target.conftest import mailjet  # noqa: F401 - the same account, for the published plugins

DEMO = Path(__file__).parents[2] / "examples" / "demo" / "demo.py"
CONTACTS = 1500


class DemoRun:
    """The demo, started; everything it starts carries a mark in its environment."""

    def __init__(self, output: Path, temporary: Path) -> None:
        self.output = output
        self.temporary = temporary
        self._mark = uuid.uuid4().hex
        self._said = output.with_suffix(".txt")
        with self._said.open("w", encoding="utf-8") as said:
            self.process = subprocess.Popen(
                [sys.executable, DEMO, f"--contacts={CONTACTS}", f"--output={output}"],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={**os.environ, "DEMO_MARK": self._mark, "TMPDIR": str(temporary)},
                cwd=output.parent,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._said.read_text(encoding="utf-8")

    def processes(self) -> list[str]:
        """The commands of all processes that the demo started and that are still there; zombies are not."""
        return [command for process in psutil.process_iter() if (command := self._command(process))]

    def wait_for_process(self, pattern: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not any(re.search(pattern, command) for command in self.processes()):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, f"no process {pattern!r}:\n{self.said}"
            time.sleep(0.05)

    def wait(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the demo did not end:\n{self.said}")

    def interrupt(self, number: signal.Signals) -> None:
        """As a terminal does: the signal goes to the demo's process group."""
        os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Kill what is left, so that a failed test leaves nothing behind."""
        for process in psutil.process_iter():
            if self._command(process):
                with suppress(psutil.Error):
                    process.kill()
        self.process.wait()

    def _command(self, process: psutil.Process) -> str | None:
        with suppress(psutil.Error):
            if process.environ().get("DEMO_MARK") == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                return " ".join(process.cmdline())
        return None


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder of all workers of this run, in which each published plugin is installed once."""
    mine = tmp_path_factory.getbasetemp()
    folder = (mine.parent if hasattr(request.config, "workerinput") else mine) / "environments"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Callable[[], DemoRun]]:
    """Starts the demo with its files in a folder whose name has a space."""
    runs: list[DemoRun] = []
    with tempfile.TemporaryDirectory(prefix="demo-test-", dir="/tmp") as temporary:

        def start() -> DemoRun:
            runs.append(DemoRun(tmp_path / "my demo", Path(temporary)))
            return runs[-1]

        yield start
        for run in runs:
            run.end()
