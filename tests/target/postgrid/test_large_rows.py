"""A household whose call is cut or refused because of its size."""

from __future__ import annotations

import pytest

from mailing_api.http import client as http_client
from mailing_api.http.retry import RetryPolicy
from tests.target.conftest import state
from tests.target.postgrid.conftest import household, households

CONTACTS = "/print-mail/v1/contacts"
LONG = {"properties": {"story": "x" * 3000}}


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Calls are tried again without a rest."""
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: RetryPolicy(fault_base=0.001))


@pytest.mark.parametrize(
    "fault", [{"kind": "reset", "times": RetryPolicy().fault_tries}, {"kind": "status", "status": 413}]
)
def test_a_household_too_large_for_a_call_is_rejected_and_the_others_go(postgrid, fault):
    postgrid.sandbox.faults.add(method="POST", path=CONTACTS, skip=1, **fault)
    rows = [household(1), household(2, **LONG), household(3)]
    result = postgrid.deliver([households(), *rows, state({"n": 1})])
    assert result.error is None
    assert result.outcomes["reasons"] == {"too_large": 1}
    assert "bytes" in result.rejects[0]["record"]["_reject_reason"]
    assert postgrid.streets() == ["1 Mill Lane", "3 Mill Lane"]


@pytest.mark.parametrize("row", [household(2), household(2, **LONG)])
def test_no_household_is_blamed_where_nothing_is_answered(postgrid, row):
    path = CONTACTS if not row["record"].get("properties") else "/print-mail/v1/*"
    postgrid.sandbox.faults.add(kind="reset", path=path, skip=2 if path != CONTACTS else 0, times=None)
    result = postgrid.deliver([households(), row, state({"n": 1})])
    assert result.error is not None
    assert (result.states, result.rejects) == ([], [])
