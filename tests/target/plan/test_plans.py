"""A plan says what the run after it does, and writes nothing."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from mailing_sandbox.server import Sandbox
from tests.searching import machine
from tests.target.conftest import state
from tests.target.machines import keys_of_one_person
from tests.target.plan.worlds import RUNS, address, take, world

WORLDS = (
    "mailjet-json", "mailjet-csv", "mailjet-contact", "mailjet-lists", "mailjet-account", "ses-import", "ses-direct",
    "ses-import-topics", "ses-direct-topics", "suppressions-import", "suppressions-direct", "postgrid-contacts",
    "postgrid-import", "postgrid-import-linking", "postgrid-import-replacing",
)  # fmt: skip
#: The numbers of a run that depend on its calls alone.
OF_CALLS = {"batches", "resumed", "adopted", "resubmitted"}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox, keys_of_one_person():
        yield sandbox


def numbers(result):
    return {name: value for name, value in result.outcomes.items() if name not in OF_CALLS}


def certain(result):
    """Numbers that do not depend on how long jobs take: of several rows of a contact any may be superseded."""
    found = numbers(result)
    ends = sum(found[name] for name in ("delivered", "unchanged", "superseded", "withheld"))
    return ends, {name: found[name] for name in ("rows", "rejected", "skipped")}


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("name", WORLDS)
@machine(short=6, long=150)
@given(runs=RUNS)
def test_a_plan_has_the_numbers_of_the_run_and_writes_nothing(sandbox, name, runs):
    with tempfile.TemporaryDirectory() as folder, world(name, sandbox, Path(folder)) as here:
        for changes, size, opted_out, seconds, at_once in runs:
            if opted_out is not None and here.opt_out is not None:
                here.opt_out(address(opted_out))
            messages, before = here.messages(changes), (here.writes(), here.hashes())
            config = {"batch_rows": size, "jobs_in_flight": at_once}
            plan = here.account.deliver(messages, mode="plan", **config)
            assert (here.writes(), here.hashes()) == before
            assert plan.states == []
            take(sandbox, seconds)
            run = here.account.deliver(messages, **config)
            take(sandbox, [0.0])
            assert (plan.error, run.error) == (None, None)
            assert certain(plan) == certain(run)
            if at_once == 1:
                assert numbers(plan) == numbers(run)


def rows_of(world, number, changed):
    """So many rows of as many people."""
    rows = [world.row(key, 0, "plain", changed) for key in range(number)]
    for key, row in enumerate(rows):
        name = "email" if "email" in row["record"] else "address_line1"
        row["record"][name] = f"person{key}@example.com" if name == "email" else f"{key} Mill Lane"
    return [world.schema, *rows, state(1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in WORLDS if name != "postgrid-import-linking"])
def test_the_calls_of_a_plan_are_those_of_the_run(sandbox, tmp_path, name):
    with world(name, sandbox, tmp_path) as here:
        for changed in (False, True):
            messages = rows_of(here, 60, changed)
            path = tmp_path / "plan.json"
            here.account.deliver(messages, mode="plan", batch_rows=20, plan_path=str(path))
            plan = json.loads(path.read_text())
            sandbox.counters.reset()
            here.account.deliver(messages, batch_rows=20)  # by link, imports take as long as the sandbox reads files
            calls = sandbox.counters.total_calls
            # The marks of a list, the test of a bucket, and batches cut so that a lost reply is found by its count.
            assert abs(plan["calls"] - calls) <= calls / 10 + 5
