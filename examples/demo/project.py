"""The Meltano project: a copy of this repository's meltano.yml and plugins/, run by real `meltano` commands."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from interrupts import Interrupts
from processes import CommandFailed, running

REPOSITORY = Path(__file__).parents[2]
FORGOTTEN = ("TAP_", "TARGET_", "MELTANO_", "MJ_")
"""Prefixes of environment variables that would change the settings: your own account must not be touched."""


class OutcomesMissing(Exception):
    """target-mailing ended without a line of outcomes."""


class Project:
    """A folder with meltano.yml in it. Installed plugins stay for the next demo; state does not."""

    def __init__(self, interrupts: Interrupts, folder: Path, logs: Path, variables: Mapping[str, str]) -> None:
        self._interrupts = interrupts
        self._folder = folder
        self._logs = logs
        self._runs = 0
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FORGOTTEN)}
        # tap-mailing and target-mailing are in the environment that this program runs in.
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        # Meltano keeps its own logs in the user's state folder.
        state = str(folder / ".meltano" / "state")
        self._env = {**kept, **variables, "PATH": path, "XDG_STATE_HOME": state, "NO_COLOR": "1"}
        folder.mkdir(parents=True, exist_ok=True)
        copy_project(folder)
        forget_state(folder)

    def install(self) -> None:
        """Install tap-postgres and target-postgres, unless they are."""
        self._meltano("install", "install")

    def run(self, name: str, *arguments: str, **settings: str) -> Path:
        """`meltano run`, and the file of what it logged as JSON lines.

        Args:
            name: of the log.
            arguments: of the command.
            settings: environment variables of this command alone, such as TARGET_MAILING_MODE.

        Raises:
            CommandFailed: with the log to look at.
        """
        return self._meltano(name, "run", *arguments, settings=settings)

    def run_that_fails(self, name: str, *arguments: str) -> Path:
        """`meltano run` that has to end with status 1, and the file of what it logged as JSON lines.

        Raises:
            CommandFailed: it ended otherwise; with the log to look at.
        """
        return self._meltano(name, "run", *arguments, expected=1)

    def _meltano(
        self, name: str, *arguments: str, settings: Mapping[str, str] = MappingProxyType({}), expected: int = 0
    ) -> Path:
        self._runs += 1
        log = self._logs / f"{self._runs}-{name}.log"
        lines = log.with_suffix(".jsonl")
        config = self._folder / "logging.yaml"
        config.write_text(logging_config(lines), encoding="utf-8")
        command = ["meltano", "--environment=demo", f"--log-config={config}", *arguments]
        with (
            log.open("w", encoding="utf-8") as output,
            running(
                self._interrupts,
                [str(Path(sys.executable).with_name(command[0])), *command[1:]],
                output=output,
                env={**self._env, "DEMO_RUN": name, **settings},
                cwd=self._folder,
            ) as process,
        ):
            status = process.wait()
        if status != expected:
            raise CommandFailed(" ".join(command), status, log)
        return lines


def copy_project(folder: Path) -> None:
    """Copy meltano.yml and the lock files, without `pip_url`: the plugins are on the PATH, not to be installed."""
    text = (REPOSITORY / "meltano.yml").read_text(encoding="utf-8").replace("    pip_url: -e .[ses]\n", "")
    (folder / "meltano.yml").write_text(text, encoding="utf-8")
    for path in (REPOSITORY / "plugins").glob("*/*.lock"):
        definition = json.loads(path.read_text(encoding="utf-8"))
        del definition["pip_url"]
        copy = folder / path.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(json.dumps(definition), encoding="utf-8")


def forget_state(folder: Path) -> None:
    """Remove what earlier runs left in a project, except for its installed plugins."""
    system = folder / ".meltano"
    shutil.rmtree(system / "run", ignore_errors=True)
    for database in system.glob("meltano.db*"):
        database.unlink()


def logging_config(lines: Path) -> str:
    """A log configuration of Meltano: text for people on standard error, and JSON lines, with all fields, in a file."""
    return json.dumps(  # which is YAML, too
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "console": {"()": "meltano.core.logging.console_log_formatter", "colors": False},
                "json": {"()": "meltano.core.logging.json_formatter"},
            },
            "handlers": {
                "console": {"class": "logging.StreamHandler", "formatter": "console", "stream": "ext://sys.stderr"},
                "file": {"class": "logging.FileHandler", "formatter": "json", "filename": str(lines), "delay": True},
            },
            "root": {"level": "INFO", "handlers": ["console", "file"]},
        }
    )


def outcomes(lines: Path) -> dict[str, Any]:
    """Return the rows' outcomes that target-mailing logged, and the `sentence` that it logged with them.

    Args:
        lines: a log of JSON lines.

    Raises:
        OutcomesMissing: there is no such line.
    """
    found = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()] if lines.exists() else []
    totals: list[dict[str, Any]] = [
        line["outcomes"] | {"sentence": line["event"]} for line in found if "outcomes" in line
    ]
    if not totals:
        raise OutcomesMissing("target-mailing did not log the outcomes of its rows")
    return totals[-1]
