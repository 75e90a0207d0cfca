"""A list of PostGrid that equals its stream."""

from __future__ import annotations

from tests.target.conftest import schema, state
from tests.target.postgrid.conftest import COLUMNS, household

TOTAL = {"total": {"type": "integer"}}


def rows(numbers, **columns):
    numbers = [*numbers]
    households = [household(number, total=len(numbers), **columns) for number in numbers]
    return [schema("households", COLUMNS | TOTAL), *households, state(1)]


def test_who_is_absent_leaves(postgrid):
    postgrid.config |= {"sync": "mirror", "whole_count": "total"}
    assert postgrid.deliver(rows(range(5))).error is None
    result = postgrid.deliver(rows([1, 2]))
    assert (result.error, result.counts()) == (None, {"unchanged": 2})
    assert postgrid.streets() == ["1 Mill Lane", "2 Mill Lane"]
    assert postgrid.deliver(rows([2], address_line1="9 New Street")).error is None
    assert postgrid.streets() == ["9 New Street"]


def test_whom_a_moved_key_of_another_stream_finds_there_stays(postgrid):
    both = {"streams": {"households": {"sync": "mirror", "whole_count": "total"}, "others": {}}}
    postgrid.deliver(rows(range(3)), **both)
    others = [schema("others", COLUMNS), {**household(7), "stream": "others"}, state(2)]
    postgrid.deliver(others, **both)
    moved = household(2)
    moved["record"]["id"] = 7
    result = postgrid.deliver([schema("others", COLUMNS), {**moved, "stream": "others"}, state(3)], **both)
    assert (result.error, postgrid.streets()) == (None, ["0 Mill Lane", "1 Mill Lane", "2 Mill Lane"])
    assert postgrid.deliver(rows([1]), **both).error is None
    assert postgrid.streets() == ["1 Mill Lane", "2 Mill Lane"]


def test_whom_a_row_under_a_new_key_may_name_stays(postgrid):
    postgrid.config |= {"sync": "mirror", "whole_count": "total"}
    assert postgrid.deliver(rows(range(3))).error is None
    excluded = household(2, id=72, subscription_status="excluded", total=2)
    columns = COLUMNS | TOTAL | {"subscription_status": {"type": ["string", "null"]}}
    result = postgrid.deliver([schema("households", columns), household(1, total=2), excluded, state(2)])
    assert "by neither key nor address" in result.log
    assert postgrid.streets() == ["0 Mill Lane", "1 Mill Lane", "2 Mill Lane"]


def test_p9_what_cannot_take_single_people_off_is_no_mirror(postgrid):
    settings = {"sync": "mirror", "whole_count": "total"}
    assert "no opt-outs" in str(postgrid.deliver(rows([1]), **settings, mirror_action="unsubscribe").error)
    assert "cannot remove" in str(postgrid.deliver(rows([1]), **settings, route="import").error)


def test_p9_the_scope_of_a_list_whose_members_have_no_key_is_refused(postgrid):
    settings = {"sync": "mirror", "whole_count": "total", "mirror_scope": "list"}
    error = postgrid.deliver(rows([1]), **settings).error
    assert "cannot tell which members of a list the input names" in str(error)
    assert not postgrid.streets()
