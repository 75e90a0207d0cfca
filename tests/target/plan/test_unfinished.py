"""A plan over journals that earlier versions wrote, killed at each step of each route."""

from __future__ import annotations

import pytest

from target_mailing.rows.outcome import Outcome
from tests.target.journal.test_journals_of_before import (
    _little_patience,
    _signatures_of_before,
    account,
    at,
    cases,
    each,
    know_account,
    sandbox,
    unpack,
)
from tests.target.plan.worlds import reads

__all__ = ["_little_patience", "_signatures_of_before", "sandbox"]


@pytest.mark.slow
@pytest.mark.parametrize(("recorded", "end"), each("done"))
def test_a_plan_over_a_journal_of_before_only_reads(sandbox, monkeypatch, tmp_path, recorded, end):
    case, kept = recorded
    at(sandbox, case, unpack(case, tmp_path, recorded=kept), end)
    journal = tmp_path / "journal.sqlite"
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    know_account(monkeypatch, b"".join(files.values()))
    sandbox.counters.reset()
    plan = account(sandbox, case, tmp_path, str(journal)).deliver(cases.second(case), mode="plan")
    assert (plan.error, plan.states) == (None, [])
    assert "deleted. " not in plan.log  # of an object that a batch left, which is the delivery's to delete
    assert "Could not clean up" not in plan.log
    rows = [message for message in cases.second(case) if message["type"] == "RECORD"]
    assert sum(plan.outcomes[outcome] for outcome in Outcome) == len(rows)
    assert [call for call in sandbox.counters.calls if not reads(call)] == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files
