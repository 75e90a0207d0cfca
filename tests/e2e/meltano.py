"""A Meltano project with this repository's meltano.yml, and runs of it that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.totals import meltano_logging, meltano_totals

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
STATE_ID = "demo:tap-postgres-to-target-mailing"
PIPELINE = ("tap-postgres", "target-mailing")

#: Meltano takes PYTHONPATH away from plugins, so this makes sure that the code beside these tests is what runs.
LAUNCHER = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from target_mailing.__main__ import main
main()
"""


def until(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What `look` finds, as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


class Run:
    """A `meltano` command, in a process group of its own; it and what it starts carry a mark in their environment."""

    def __init__(self, project: Path, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._mark = uuid.uuid4().hex
        self._said = project / f"{self._mark}.log"
        config, self._lines = meltano_logging(project, self._mark)
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                [BIN / "meltano", f"--log-config={config}", *arguments],
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd=project,
                env={**environment, "RUN_MARK": self._mark}, start_new_session=True,
            )  # fmt: skip

    @property
    def said(self) -> str:
        return self._said.read_text(encoding="utf-8")

    @property
    def outcomes(self) -> dict[str, Any] | None:
        """What target-mailing told at its end, if it came to tell it."""
        found = [fields for _, fields in self.totals.values()]
        return found[-1] if found else None

    @property
    def totals(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """The sentence and the fields of each target's totals."""
        return meltano_totals(self._lines)

    def processes(self, name: str = "") -> list[psutil.Process]:
        """What is still there of the run; a name chooses. Zombies are not."""
        return [process for process in psutil.process_iter() if self._is_ours(process, name)]

    def send(self, number: signal.Signals, *, to_all: bool = False) -> None:
        """A signal to Meltano, or also to the plugins that it runs."""
        with suppress(ProcessLookupError):
            (os.killpg if to_all else os.kill)(self.process.pid, number)

    def end(self, seconds: float = 300.0) -> int:
        """Wait for Meltano and then for what it left behind; returns its exit code."""
        status = self.process.wait(seconds)
        until(lambda: not self.processes(), seconds)
        return status

    def kill(self) -> None:
        """Leave nothing behind."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        self.process.wait()

    def _is_ours(self, process: psutil.Process, name: str) -> bool:
        with suppress(psutil.Error):
            if process.environ().get("RUN_MARK") == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                return name in " ".join(process.cmdline())
        return False


def copy_project(folder: Path) -> None:
    """Copy meltano.yml and the lock files, without `pip_url`: the plugins are on the PATH, not to be installed."""
    (folder / "meltano.yml").write_text((ROOT / "meltano.yml").read_text().replace("    pip_url: -e .[ses]\n", ""))
    for path in (ROOT / "plugins").glob("*/*.lock"):
        definition = {key: value for key, value in json.loads(path.read_text()).items() if key != "pip_url"}
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        copy.write_text(json.dumps(definition))


class Project:
    """A folder with the project; tap-postgres is installed, target-mailing is the code beside these tests."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.journal = folder / "journal" / "crm-people.sqlite"
        self._runs: list[Run] = []
        launchers = folder / "bin"
        launchers.mkdir(parents=True)
        (launchers / "target-mailing").write_text(LAUNCHER)
        (launchers / "target-mailing").chmod(0o700)
        copy_project(folder)
        forgotten = ("TAP_", "TARGET_", "MELTANO_", "MJ_")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(forgotten)},
            "PATH": os.pathsep.join([str(launchers), str(BIN), os.environ.get("PATH", os.defpath)]),
            "XDG_STATE_HOME": str(folder / "state"),
            "NO_COLOR": "1",
            "PGTZ": "UTC",
            "DEMO_OUTPUT": str(folder),
            "DEMO_RUN": "run",
            # The table is there from the start, so its catalog may be kept.
            "TAP_POSTGRES__USE_CACHED_CATALOG": "true",
            **variables,
        }
        done = self.start("install", "extractor", "tap-postgres")
        assert done.end() == 0, done.said

    def run(self, *options: str) -> Run:
        """`meltano run` of the pipeline."""
        return self.start("run", *options, *PIPELINE)

    def variables(self, changes: Mapping[str, str | None]) -> dict[str, str | None]:
        """Change variables of later runs, None for unset; returns them as they were."""
        before = {name: self._environment.get(name) for name in changes}
        for name, value in changes.items():
            self._environment.pop(name, None)
            if value is not None:
                self._environment[name] = value
        return before

    def bookmark(self) -> str | None:
        """Up to where the next run need not read, as Meltano's state backend has it."""
        got = self.start("state", "get", STATE_ID)
        assert got.end() == 0, got.said
        state = json.loads(next((line for line in got.said.splitlines() if line.startswith("{")), "{}"))
        bookmark = state.get("singer_state", {}).get("bookmarks", {}).get("crm-people", {})
        return bookmark.get("replication_key_value")

    def clear(self) -> None:
        """Kill what still runs."""
        for run in self._runs:
            run.kill()

    def start(self, *arguments: str) -> Run:
        """Another `meltano` command."""
        self._runs.append(Run(self.folder, ("--environment=demo", *arguments), self._environment))
        return self._runs[-1]
