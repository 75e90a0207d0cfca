"""Rejects of households sent again: their postal address orders them, although nothing of it was sent."""

from __future__ import annotations

from tests.target.conftest import state
from tests.target.journal.test_retried_rejects import open_rejects
from tests.target.postgrid.conftest import household, households


def test_p5_rejects_are_ordered_by_what_identifies_their_contacts(postgrid):
    def row(number, lane, **columns):
        return household(number, name="Same", address_line1=lane, **columns)

    strict = households()
    strict["schema"]["properties"] = strict["schema"]["properties"] | {"subscription_status": {"enum": [None]}}
    for lane in ("1 Mill Lane", "2 Mill Lane"):
        assert postgrid.deliver([strict, row(1, lane), state(1)]).counts() == {"delivered": 1}
    wrong = {"subscription_status": ""}
    rows = [row(1, "1 Mill Lane", **wrong), row(3, "3 Mill Lane", **wrong)]
    assert postgrid.deliver([strict, *rows, state(2)]).counts() == {"rejected": 2}
    assert postgrid.deliver([strict, row(4, "3 Mill Lane"), state(3)]).counts() == {"delivered": 1}
    assert len(open_rejects(postgrid)) == 1
    assert postgrid.retry(validate_records=False).counts() == {"delivered": 1}
    assert postgrid.streets() == ["1 Mill Lane", "3 Mill Lane"]
