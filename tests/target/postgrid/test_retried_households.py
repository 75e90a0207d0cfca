"""Rejects of households sent again: their postal address orders them, although nothing of it was sent."""

from __future__ import annotations

import pytest

from tests.target.conftest import state
from tests.target.journal.test_retried_rejects import open_rejects
from tests.target.killing import killed_at
from tests.target.postgrid.conftest import household, households


def at(number, lane, **columns):
    return household(number, name="Same", address_line1=lane, **columns)


def test_p5_rejects_are_ordered_by_what_identifies_their_contacts(postgrid):
    strict = households()
    strict["schema"]["properties"] = strict["schema"]["properties"] | {"subscription_status": {"enum": [None]}}
    for lane in ("1 Mill Lane", "2 Mill Lane"):
        assert postgrid.deliver([strict, at(1, lane), state(1)]).counts() == {"delivered": 1}
    wrong = {"subscription_status": ""}
    rows = [at(1, "1 Mill Lane", **wrong), at(3, "3 Mill Lane", **wrong)]
    assert postgrid.deliver([strict, *rows, state(2)]).counts() == {"rejected": 2}
    assert postgrid.deliver([strict, at(4, "3 Mill Lane"), state(3)]).counts() == {"delivered": 1}
    assert len(open_rejects(postgrid)) == 1
    assert postgrid.retry(validate_records=False).counts() == {"delivered": 1}
    assert postgrid.streets() == ["1 Mill Lane", "3 Mill Lane"]


@pytest.mark.parametrize("commit", [19, 31, *(pytest.param(one, marks=pytest.mark.slow) for one in range(18, 38, 2))])
def test_p3_a_retry_that_is_killed_leaves_nobody_at_a_former_address(postgrid, commit):
    """The new contact comes first; the former one leaves in the next retry, for no input has the row again."""
    strict = households()
    strict["schema"]["properties"] = strict["schema"]["properties"] | {"subscription_status": {"enum": [None]}}
    assert postgrid.deliver([strict, at(1, "1 Mill Lane"), state(1)]).counts() == {"delivered": 1}
    moved = at(1, "2 Mill Lane", subscription_status="")
    assert postgrid.deliver([strict, moved, state(2)]).counts() == {"rejected": 1}
    with killed_at(commit, is_made=True):
        postgrid.retry(validate_records=False)
    for _ in range(2):  # the first follows what the killed one left
        assert postgrid.retry(validate_records=False).error is None
    assert postgrid.streets() == ["2 Mill Lane"]
    assert open_rejects(postgrid) == []
