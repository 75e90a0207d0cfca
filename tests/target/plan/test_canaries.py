"""Nobody's data leaves a plan but in the files of `plan_path`, and there only with `plan_contacts`."""

from __future__ import annotations

import logging

import pytest

from mailing_sandbox.server import Sandbox
from tests.target.conftest import state
from tests.target.plan.test_plans import WORLDS
from tests.target.plan.worlds import world

#: Part of every address, name, value and key of the rows.
CANARY = "canary"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        yield sandbox


def rows(here, *, later):
    """Rows of every kind: kept, changed, moved, withheld, taken off, rejected; keys are addresses, too."""
    kinds = ["plain", "plain", "opt-out", "deleted", "excluded", "wrong", "deleted by key"] if later else ["plain"] * 7
    made = [here.row(number, number % 4, kind, later and number > 0) for number, kind in enumerate(kinds)]
    for number, row in enumerate(made):
        record = row["record"]
        record["id"] = f"{CANARY}{number}@example.com"
        for name in ("city", "name", "description"):
            if record.get(name):
                record[name] = f"{CANARY} {'new' if later else 'old'}"
        for name in ("email", "address_line1"):
            if record.get(name):
                move = "moved" if later and number == 1 else ""
                record[name] = f"{CANARY}{move}{number}" + ("@example.com" * (name == "email" and number != 5))
    schema = here.schema | {"schema": {**here.schema["schema"]}}
    schema["schema"]["properties"] = schema["schema"]["properties"] | {"id": {"type": "string"}}
    return [schema, *made, state(1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_p7_nobodys_data_is_in_the_log_the_totals_an_error_or_a_masked_plan(sandbox, tmp_path, caplog, capfd, name):
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "plans" / "plan.json"
    with world(name, sandbox, tmp_path) as here:
        assert here.account.deliver(rows(here, later=False)).error is None
        for limits in ({}, {"max_removals": 0}, {"max_rejected": 0}):
            caplog.clear()
            plan = here.account.deliver(rows(here, later=True), mode="plan", plan_path=str(path), **limits)
            shown = [plan.log, str(plan.outcomes), str(plan.error), caplog.text, *capfd.readouterr()]
            shown += [file.read_text() for file in path.parent.iterdir()]
            for text in shown:
                assert CANARY not in text
                assert here.account.sandbox.secret_key not in text
            assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_p7_a_plan_with_contacts_has_them_in_its_files_alone(sandbox, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "plans" / "plan.json"
    with world("mailjet-json", sandbox, tmp_path) as here:
        here.account.deliver(rows(here, later=False))
        caplog.clear()
        config = {"mode": "plan", "plan_path": str(path), "plan_contacts": True}
        plan = here.account.deliver(rows(here, later=True), **config)
        for text in (plan.log, str(plan.outcomes), str(plan.error), caplog.text, *capfd.readouterr()):
            assert CANARY not in text
        assert all(CANARY in file.read_text() for file in path.parent.iterdir())
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
