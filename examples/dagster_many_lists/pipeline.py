"""One pipeline: `tap-postgres | target-mailing` for a row of the table `pipelines`, without an orchestrator."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Any

import psycopg

HERE = Path(__file__).parent
#: An error of the tap may quote a row.
ADDRESS = re.compile(r"[^\s\"'<>(),;:]+@[^\s\"'<>(),;:]+")


class PipelineFailed(Exception):
    """Tap or target ended with another status than 0; the message has what they said last."""


class ProgramMissing(Exception):
    """A program of the pipe is not on the `PATH`: to run the pipeline again would not help."""


@dataclass(frozen=True)
class Pipeline:
    """A row of the table."""

    account: str
    list: str
    view: str

    @property
    def name(self) -> str:
        """Unique within the account; the partition of Dagster."""
        return f"{self.list} from {self.view}"


def accounts() -> dict[str, dict[str, Any]]:
    """Read the settings of each account, by its name."""
    found: dict[str, dict[str, Any]] = json.loads((HERE / "accounts.json").read_text(encoding="utf-8"))
    return found


def pipelines() -> list[Pipeline]:
    """Read the table."""
    with psycopg.connect(os.environ["WAREHOUSE_URL"]) as connection:
        rows = connection.execute("SELECT account, list, view FROM pipelines ORDER BY account, list, view")
        return [Pipeline(*row) for row in rows]


def run(pipeline: Pipeline, log: Callable[[str], None]) -> dict[str, Any]:
    """Run it to its end, and return the totals: the field `outcomes` of the target's last log record.

    Each STATE that the target writes is stored at once, whatever happens afterwards.

    Args:
        pipeline: what to deliver where.
        log: called with each line that tap or target logs, from a thread of each.

    Raises:
        PipelineFailed: tap or target failed, or was killed.
        ProgramMissing: there is no tap or target.
    """
    for program in ("tap-postgres", "target-mailing"):
        if shutil.which(program) is None:
            raise ProgramMissing(f"{program} is not on the PATH of the worker: install it, or add its folder")
    with tempfile.TemporaryDirectory() as name, psycopg.connect(os.environ["WAREHOUSE_URL"], autocommit=True) as table:
        tap = ["tap-postgres", *_tap_options(pipeline, _state(table, pipeline), Path(name))]
        target = ["target-mailing", f"--config={_target_config(pipeline, Path(name))}"]
        with _started(tap, stdin=subprocess.DEVNULL) as source, _started(target, stdin=source.stdout) as sink:
            logs = [_Log(source.stderr, log), _Log(sink.stderr, log)]
            source.stdout.close()  # the tap must notice if the target ends
            for line in sink.stdout:
                _keep_state(table, pipeline, line)
            statuses = sink.wait(), source.wait()
            for each in logs:
                each.join()
    if any(statuses):
        said = "\n".join(each.last for each in reversed(logs) if each.last)
        raise PipelineFailed(f"target-mailing ended with {statuses[0]}, tap-postgres with {statuses[1]}:\n{said}")
    return logs[1].outcomes


def _state(table: psycopg.Connection, pipeline: Pipeline) -> Any:
    where = (pipeline.account, pipeline.list, pipeline.view)
    row = table.execute("SELECT state FROM pipelines WHERE (account, list, view) = (%s, %s, %s)", where).fetchone()
    return row and row[0]


def _keep_state(table: psycopg.Connection, pipeline: Pipeline, state: str) -> None:
    row = (state, pipeline.account, pipeline.list, pipeline.view)
    table.execute("UPDATE pipelines SET state = %s WHERE (account, list, view) = (%s, %s, %s)", row)


def _tap_options(pipeline: Pipeline, state: Any, folder: Path) -> Iterator[str]:
    catalog = json.loads(
        (HERE / "catalog.json").read_text(encoding="utf-8").replace("VIEW", json.dumps(pipeline.view)[1:-1])
    )
    files = {"config": _settings("tap.json"), "catalog": catalog, "state": state}
    for option, content in files.items():
        if content is not None:
            (folder / option).write_text(json.dumps(content), encoding="utf-8")
            yield f"--{option}={folder / option}"


def _target_config(pipeline: Pipeline, folder: Path) -> Path:
    path = folder / "target"
    settings = _settings("target.json") | _expanded(accounts()[pipeline.account]) | {"list": pipeline.list}
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def _settings(name: str) -> dict[str, Any]:
    return _expanded(json.loads((HERE / name).read_text(encoding="utf-8")))


def _expanded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Replace `$VARIABLE` by its value, where that is the whole text of a setting."""
    return {
        name: os.environ[value[1:]] if isinstance(value, str) and value.startswith("$") else value
        for name, value in settings.items()
    }


@contextmanager
def _started(command: list[str], stdin: Any) -> Iterator[subprocess.Popen[str]]:
    """A process for the time of the block; SIGTERM ends it if the block fails, such as when a run is cancelled."""
    variables = os.environ | {"SINGER_SDK_LOG_CONFIG": str(HERE / "logging.yaml"), "PGTZ": "UTC"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        cwd=HERE,
        env=variables,
        stdin=stdin,
        stdout=pipe,
        stderr=pipe,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            yield process
        except BaseException:
            process.send_signal(signal.SIGTERM)
            raise


class _Log(Thread):
    """Reads what a process logs: the last message, and the totals."""

    def __init__(self, lines: IO[str], log: Callable[[str], None]) -> None:
        super().__init__(daemon=True)
        self._lines, self._log = lines, log
        self.last = ""
        self.outcomes: dict[str, Any] = {}
        self.start()

    def run(self) -> None:
        for line in self._lines:
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            extra = record.get("extra") if isinstance(record, dict) else None
            text = str(record["message"]) if isinstance(record, dict) and "message" in record else line.rstrip("\n")
            self.last = ADDRESS.sub("<address>", text)
            if isinstance(extra, dict):
                self.outcomes = extra.get("outcomes", self.outcomes)
            if self.last != "METRIC":
                self._log(self.last)
