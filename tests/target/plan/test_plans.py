"""A plan says what the run after it does, and writes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given

from mailing_sandbox.server import Sandbox
from tests.searching import machine
from tests.target.machines import keys_of_one_person
from tests.target.plan.worlds import RUNS, address, world

WORLDS = (
    "mailjet-json", "mailjet-csv", "mailjet-contact", "ses-import", "ses-direct", "suppressions-import",
    "suppressions-direct", "postgrid-contacts", "postgrid-import", "postgrid-import-replacing",
)  # fmt: skip
#: The numbers of a run that depend on its calls alone.
OF_CALLS = {"batches", "resumed", "adopted", "resubmitted"}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox, keys_of_one_person():
        yield sandbox


def numbers(result):
    return {name: value for name, value in result.outcomes.items() if name not in OF_CALLS}


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("name", WORLDS)
@machine(short=6, long=150)
@given(runs=RUNS)
def test_a_plan_has_the_numbers_of_the_run_and_writes_nothing(sandbox, name, runs):
    with tempfile.TemporaryDirectory() as folder, world(name, sandbox, Path(folder)) as here:
        for changes, size, opted_out in runs:
            if opted_out is not None and here.opt_out is not None:
                here.opt_out(address(opted_out))
            messages, before = here.messages(changes), (here.writes(), here.hashes())
            plan = here.account.deliver(messages, mode="plan", batch_rows=size)
            assert (here.writes(), here.hashes()) == before
            assert plan.states == []
            run = here.account.deliver(messages, batch_rows=size)
            assert (plan.error, run.error) == (None, None)
            assert numbers(plan) == numbers(run)
