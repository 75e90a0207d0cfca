"""Example Mail's package, built and installed into a folder of its own, and the real commands that find it there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mailing_sandbox.server import Sandbox
from tests.faults.process import Target
from tests.fifth.emulator import ExampleMail
from tests.fork_server import ForkServer
from tests.history import check_history, files_of
from tests.target.conftest import person, schema, state
from tests.totals import ENVIRONMENT, totals

PACKAGE = Path(__file__).parent / "package"
LIST = "Readers"


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """The folder into which the package is installed; nothing else sees it."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    options = ["--no-build-isolation", "--python", sys.executable, "--target", str(folder), str(PACKAGE)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def forks(installed):
    """Runs the commands with the package."""
    server = ForkServer(installed)
    yield server
    server.close()


@dataclass
class Result:
    """What a run left."""

    code: int
    messages: list[dict[str, Any]]
    log: str
    rejects: list[dict[str, Any]] = field(default_factory=list)

    @property
    def outcomes(self) -> dict[str, int]:
        found = totals(self.log)
        names = ("delivered", "unchanged", "withheld", "superseded", "skipped", "rejected")
        return {name: found[name] for name in names if found.get(name)}

    @property
    def totals(self) -> dict[str, Any]:
        return totals(self.log)

    @property
    def states(self) -> list[Any]:
        """Of a target."""
        return self.messages

    def records(self, stream: str) -> list[dict[str, Any]]:
        """Of a tap."""
        return [one["record"] for one in self.messages if one["type"] == "RECORD" and one["stream"] == stream]

    @property
    def state(self) -> Any:
        """The last one of a tap."""
        return [one["value"] for one in self.messages if one["type"] == "STATE"][-1]


@dataclass
class World:
    """A workspace with one audience, and runs of both commands against it."""

    sandbox: Sandbox
    mail: ExampleMail
    folder: Path
    forks: ForkServer
    audience: str
    config: dict[str, Any]

    @property
    def target(self) -> dict[str, Any]:
        """The target's settings."""
        return {"list": LIST, "journal": str(self.folder / "journal.sqlite"), "poll_interval": 0.015,
                "poll_max_interval": 0.03, "max_rejected": "100%", "properties": ["city"]}  # fmt: skip

    def run(self, module: str, *arguments: str, text: str = "", **config: Any) -> Result:
        path = self.folder / "config.json"
        settings = {name: value for name, value in (self.config | config).items() if value is not None}
        path.write_text(json.dumps(settings))
        before, histories = set(self.folder.glob("rejects/*")), files_of(self.folder)
        around = ENVIRONMENT | {"TARGET_MAILING_LOGLEVEL": "DEBUG", "TAP_MAILING_LOGLEVEL": "DEBUG"}
        done = self.forks.run(
            module, f"--config={path}", *arguments, input=text, text=True, cwd=self.folder, env=os.environ | around
        )
        printed = done.stderr if module == "tap_mailing" else done.stderr + done.stdout
        assert "canary" not in printed, [line for line in printed.splitlines() if "canary" in line][:3]
        assert "Traceback" not in done.stderr, done.stderr
        check_history(self.folder, histories, {})
        rejects = [
            json.loads(line)
            for file in sorted(set(self.folder.glob("rejects/*")) - before)
            for line in file.read_text().splitlines()
        ]
        messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return Result(done.returncode, messages, done.stderr, [one for one in rejects if one["type"] == "RECORD"])

    def deliver(self, rows: Iterable[Any], **config: Any) -> Result:
        """Pipe rows into the target, with a STATE after them."""
        lines = [schema(), *rows, state(1)]
        text = "".join(json.dumps(one) + "\n" for one in lines)
        return self.run("target_mailing", text=text, **self.target | config)

    def extract(self, state: Any = None, **config: Any) -> Result:
        """Read all streams."""
        arguments = []
        if state is not None:
            (self.folder / "state.json").write_text(json.dumps(state))
            arguments.append(f"--state={self.folder / 'state.json'}")
        return self.run("tap_mailing", *arguments, lookback=0, **config)

    def kill(self, messages: Iterable[Any], *, when: str = "after", **config: Any) -> None:
        """Kill a target's run at the call that submits its first job, before its work is done or after it."""
        hold = self.sandbox.faults.add(kind="hold", method="POST", path="*/jobs", when=when)
        (self.folder / "killed.json").write_text(json.dumps(self.config | self.target | config))
        lines = [json.dumps(one).encode() + b"\n" for one in [schema(), *messages, state(1)]]
        target = Target(self.folder / "killed.json", lines, witness=lambda _: None, forks=self.forks)
        hold.wait_until_held()
        target.kill()
        target.wait()
        self.sandbox.faults.clear()
        assert target.states == []

    def contact(self, email: str) -> dict[str, Any]:
        """The one contact with an address."""
        (found,) = [one for one in self.mail.contacts() if one["email"] == email]
        return found

    def standings(self) -> dict[str, str]:
        """By ID, the address and the standing of each contact."""
        return {one["id"]: f"{one['email']} {one['standing']}" for one in self.mail.contacts()}


@pytest.fixture
def world(forks, tmp_path):
    with Sandbox(others=[ExampleMail]) as sandbox:
        mail = sandbox.providers[-1]
        assert isinstance(mail, ExampleMail)
        mail.change(examplemail_job_seconds=0.02)
        config = {"examplemail_api_token": mail.token, "examplemail_base_url": sandbox.url}
        yield World(sandbox, mail, tmp_path, forks, mail.add_audience(LIST), config)


def rows(numbers: Iterable[int], **columns: Any) -> list[dict[str, Any]]:
    """People whose addresses and names are never to be printed."""
    return [
        person(number, **{"email": f"canary{number}@example.com", "name": f"Canary {number}", **columns})
        for number in numbers
    ]
