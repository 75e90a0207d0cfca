"""A household on two lists of one account, by one journal: what one list's rows say leaves the other alone."""

from __future__ import annotations

import pytest

from tests.target.conftest import state
from tests.target.postgrid.conftest import LIST, delete, household, households

#: Each waits for jobs of a sandbox of its own.
pytestmark = pytest.mark.slow

OTHER = "Newsletter"
MOVED = household(1, address_line1="9 New Street")
OPTED_OUT = household(1, subscription_status="unsubscribed")


@pytest.fixture
def both(postgrid):
    """The account, with two lists and a household that is on both."""
    postgrid.sandbox.postgrid.add_list(OTHER)
    for name in (LIST, OTHER):
        assert postgrid.deliver([households(), household(1)], list=name).counts() == {"delivered": 1}
    assert len(postgrid.sandbox.postgrid.contacts()) == 1
    return postgrid


def streets(postgrid, name):
    lists = postgrid.sandbox.postgrid.lists()
    number = next(number for number, one in lists.items() if one["description"] == name)
    return sorted(one["addressLine1"] for one in postgrid.sandbox.postgrid.members(number)["contacts"].values())


@pytest.mark.parametrize(
    ("row", "settings", "then_row", "left"),
    [
        (delete(1), {}, delete(1), []),
        (MOVED, {}, MOVED, ["9 New Street"]),
        (household(1), {"action": "remove"}, household(1), []),
        (OPTED_OUT, {}, delete(1), []),
    ],
    ids=["delete", "change", "action-remove", "opt-out-then-delete"],
)
def test_who_leaves_one_list_stays_on_the_other_until_that_is_left_too(both, row, settings, then_row, left):
    there = {LIST: ["1 Mill Lane"], OTHER: ["1 Mill Lane"]}
    for name, said in ((LIST, row), (OTHER, then_row)):
        there[name] = left
        for outcome in ("delivered", "unchanged"):
            result = both.deliver([households(), said, state(1)], list=name, **settings)
            assert result.counts() == {outcome: 1}
            assert result.states == [1]
            assert {each: streets(both, each) for each in there} == there


def test_two_streams_of_one_run_each_have_their_list(both):
    others = households() | {"stream": "others"}
    lists = {"streams": {"others": {"list": OTHER}}}
    elsewhere = MOVED | {"stream": "others"}
    both.deliver([households(), household(1), others, household(1, stream="others")], **lists)
    result = both.deliver([households(), delete(1), others, elsewhere, state(1)], **lists)
    assert result.counts() == {"delivered": 2}
    assert streets(both, LIST) == []
    # Whom the other stream knew nothing of until now is still there for the first one's key.
    assert streets(both, OTHER) == ["1 Mill Lane", "9 New Street"]
    assert both.deliver([households(), delete(1)], list=OTHER).counts() == {"delivered": 1}
    assert streets(both, OTHER) == ["9 New Street"]
