"""A plan says what the run after it does, and writes nothing."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given

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


#: The last row would take the place of the one before it, but its key has another contact already.
SUPERSEDED_BY_A_KEY_WITH_ANOTHER_CONTACT = [
    ([(2, 0, "plain", False)], 5, None, [0.0], 1),
    ([(3, 3, "plain", False), (2, 3, "plain", False)], 5, None, [0.0], 1),
]


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("name", WORLDS)
@machine(short=6, long=60, deep=1500)  # of each world; all share the planning, for which these are 900
@example(runs=SUPERSEDED_BY_A_KEY_WITH_ANOTHER_CONTACT)
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


def rows_of(world, keys, changed):
    """A row of each of these people."""
    rows = [world.row(key, 0, "plain", changed) for key in keys]
    for key, row in zip(keys, rows, strict=True):
        name = "email" if "email" in row["record"] else "address_line1"
        row["record"][name] = f"person{key}@example.com" if name == "email" else f"{key} Mill Lane"
    return [world.schema, *rows, state(1)]


def calls_of(sandbox, world, messages):
    """What a plan says of calls, and how many the delivery after it makes."""
    path = world.account.folder / "plan.json"
    common = {"batch_rows": 20, "poll_interval": 0.45, "poll_max_interval": 30, "max_removals": "100%"}
    world.account.deliver(messages, mode="plan", plan_path=str(path), **common)
    plan = json.loads(path.read_text())
    sandbox.counters.reset()
    assert world.account.deliver(messages, **common).error is None
    calls = sandbox.counters.total_calls
    # With a link the sandbox reads the file itself.
    return plan, calls - sandbox.counters.calls.get("GET /s3/{bucket}/{key}", 0)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.6])
@pytest.mark.parametrize("name", WORLDS)
def test_the_calls_of_a_plan_are_within_a_tenth_of_those_of_the_run(sandbox, tmp_path, name, seconds):
    with world(name, sandbox, tmp_path) as here:
        for count, (keys, changed) in enumerate([(range(60), False), (range(30, 90), True)]):
            take(sandbox, [seconds])
            plan, calls = calls_of(sandbox, here, rows_of(here, keys, changed))
            jobs = sum(at["jobs"] for at in plan["destinations"].values())
            if count == 0 and seconds and jobs:  # no job's time is known: one look at each is the least
                assert (plan["job_seconds"], plan["polls"]) == (None, jobs)
                assert plan["calls"] <= calls
            else:
                assert plan["calls"] == pytest.approx(calls, rel=0.1, abs=1)  # a look more or less
                assert (plan["job_seconds"] is not None) == bool(count and jobs)
