"""A PostGrid account that is used again and again, and a run that is killed at one of its calls."""

from __future__ import annotations

import json

import pytest

from mailing_sandbox.server import Sandbox
from tests.faults.process import Target
from tests.target.postgrid.conftest import LIST, Postgrid


class Killable(Postgrid):
    """The account, and runs against it."""

    def kill(self, messages, *, method, path, skip, when):
        """Kill a run at a call; returns what STATE had left."""
        fault = self.sandbox.faults.add(kind="hold", method=method, path=path, skip=skip, when=when)
        config = self.folder / "config.json"
        config.write_text(json.dumps(self.settings()))
        lines = [json.dumps(message).encode() + b"\n" for message in messages]
        target = Target(config, lines, witness=lambda _: None)
        fault.wait_until_held(timeout=30)
        target.kill()
        target.wait()
        self.sandbox.faults.clear()
        return target.states


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.02) as sandbox:
        yield sandbox


@pytest.fixture
def postgrid(sandbox, tmp_path):
    sandbox.postgrid.reset()
    sandbox.faults.clear()
    sandbox.postgrid.add_list(LIST)
    config = {
        "postgrid_api_key": sandbox.postgrid.test_key,
        "postgrid_base_url": sandbox.url,
        "list": LIST,
        "journal": str(tmp_path / "journal.sqlite"),
        "batch_rows": 2,
        "poll_interval": 0.015,
        "poll_max_interval": 0.03,
        "max_requests_per_second": 1000,
        "max_rejected": "100%",
    }
    return Killable(sandbox, tmp_path, config)
