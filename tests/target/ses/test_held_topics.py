"""P5: a topic that a row declines at Amazon SES is declined also where nobody may be removed."""

from __future__ import annotations

import json

import pytest

from tests.target.conftest import person, state
from tests.target.ses.conftest import GONE, REGION
from tests.target.ses.test_consent import ADA, BOB, NEW, table


def gone(number):
    return {"type": "RECORD", "stream": "people", "record": {"id": number, **GONE}}


@pytest.fixture(autouse=True)
def _members(bare):
    """Two people take all topics."""
    assert bare.deliver([table(), person(1), person(2), state(1)]).states == [1]


@pytest.mark.parametrize("route", ["direct", "import"])
def test_p5_a_declined_topic_of_a_person_who_moves_goes_where_nobody_may(ses, route):
    rows = [table(), person(1, email=NEW, topic_News="OPT_OUT", topic_Offers="OPT_IN"), state(2)]
    for _ in range(2):
        result = ses.deliver(rows, max_removals=0, route=route)
        assert "1 contact would be moved to a new address; the limit is 0." in str(result.error)
        assert (result.states, result.outcomes.get("rows", 0)) == ([], 0)
        # The former address, which still gets the mail; the new one is not added, and nothing else is written.
        assert ses.contacts().keys() == {ADA, BOB}
        assert ses.seen(ADA) == (False, {"News": "OPT_OUT"}, {"name": "Person 1", "city": "Lyon"})
    # The new address is remembered, whoever adds it.
    assert ses.deliver([table(), person(3, email=NEW), state(3)], max_removals=0).states == [3]
    assert ses.seen(NEW)[:2] == (False, {"News": "OPT_OUT"})
    assert ses.seen(BOB)[:2] == (False, {})


def test_a_move_that_is_allowed_later_is_that_of_somebody_who_declined_a_topic(bare):
    rows = [table(), person(1, email=NEW, topic_News="OPT_OUT"), state(2)]
    assert bare.deliver(rows, max_removals=0).error is not None
    assert bare.deliver(rows, max_removals=0, allow_removals_once=1).states == [2]
    assert {email: bare.seen(email)[:2] for email in (ADA, NEW)} == dict.fromkeys(
        (ADA, NEW), (True, {"News": "OPT_OUT"})
    )


def test_p5_a_declined_topic_behind_a_removal_goes_where_nobody_may_leave(bare):
    rows = [gone(1), person(1, topic_News="OPT_OUT", city="Nice"), person(1, topic_Offers="OPT_OUT"), gone(2)]
    rows += [person(2, topic_News="OPT_IN", city="Nice")]
    result = bare.deliver([table(), *rows, state(2)], max_removals=0)
    assert "2 contacts would be removed; the limit is 0." in str(result.error)
    assert (result.states, result.outcomes.get("rows", 0)) == ([], 0)
    assert bare.seen(ADA) == (False, {"News": "OPT_OUT", "Offers": "OPT_OUT"}, {"name": "Person 1", "city": "Lyon"})
    assert bare.seen(BOB) == (False, {}, {"name": "Person 2", "city": "Lyon"})


def test_p5_an_address_that_another_key_has_declines_no_topic_of_somebody_else(bare):
    assert bare.deliver([table(), person(3, email=BOB), state(1)]).states == [1]
    rows = [gone(1), person(1, email=BOB), person(3, email=NEW, topic_News="OPT_OUT"), state(2)]
    assert "1 contact would be removed" in str(bare.deliver([table(), *rows], max_removals=0).error)
    assert bare.seen(BOB)[:2] == (False, {})


def test_p5_forced_rows_decline_their_topics_and_undo_nothing_where_nobody_may_leave(bare):
    bare.add({"email": ADA, "topics": {"Offers": "OPT_OUT"}})
    rows = [table(), person(1, email=NEW, topic_News="OPT_OUT", topic_Offers="OPT_IN"), state(2)]
    result = bare.deliver(rows, max_removals=0, action="addforce", consent="force")
    assert "1 contact would be moved" in str(result.error)
    assert bare.contacts().keys() == {ADA, BOB}
    assert bare.seen(ADA)[:2] == (False, {"News": "OPT_OUT", "Offers": "OPT_OUT"})


@pytest.mark.parametrize("limit", [0, "100%"])
def test_a_plan_writes_no_topic_and_says_that_one_would_be(bare, limit):
    rows = [table(), person(1, email=NEW, topic_News="OPT_OUT"), state(2)]
    path = bare.folder / "plan.json"
    plan = bare.deliver(rows, max_removals=limit, mode="plan", plan_path=str(path))
    assert (plan.error is None) is (limit != 0)
    assert json.loads(path.read_text())["would_change"] is True
    assert bare.contacts().keys() == {ADA, BOB}
    assert bare.seen(ADA)[:2] == (False, {})


@pytest.mark.parametrize("route", ["direct", "import"])
def test_a_plan_of_the_removal_of_somebody_whom_the_list_lacks_changes_nothing(ses, route):
    rows = [table(), gone(1), state(2)]
    config = {"route": route, "max_removals": "100%"}
    path = ses.folder / "plan.json"
    for is_there in (True, False):
        ses.deliver(rows, mode="plan", plan_path=str(path), **config)
        assert json.loads(path.read_text())["would_change"] is is_there
        ses.ses.remove_contacts([ADA] if is_there else [], region=REGION)
