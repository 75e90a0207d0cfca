"""A PostGrid account that is used again and again, and a run that is killed at one of its calls."""

from __future__ import annotations

import json

import pytest

from mailing_sandbox.server import Sandbox
from tests.target.postgrid.conftest import LIST, Postgrid
from tests.target.test_command import Command, lines


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.05) as sandbox:
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
        "poll_interval": 0.03,
        "poll_max_interval": 0.05,
        "max_requests_per_second": 1000,
        "max_rejected": "100%",
    }
    return Postgrid(sandbox, tmp_path, config)


def kill(postgrid, messages, *, method, path, skip, when):
    """Kill a run at a call; returns what STATE had left."""
    fault = postgrid.sandbox.faults.add(kind="hold", method=method, path=path, skip=skip, when=when)
    with Command(postgrid).start() as process:
        process.stdin.write(lines(messages))
        process.stdin.close()
        fault.wait_until_held(timeout=30)
        process.kill()
        out = process.stdout.read()
    postgrid.sandbox.faults.clear()
    return [json.loads(line) for line in out.splitlines()]
