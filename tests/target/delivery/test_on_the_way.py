"""P1: what is under way is not what the journal says: rows of the same keys and addresses wait for it."""

from __future__ import annotations

import pytest

from tests.target.conftest import person, schema, state

GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}


@pytest.fixture
def one_by_one(mailjet):
    """Each row is a job, which takes several looks; four may run."""
    mailjet.config |= {"batch_rows": 1, "jobs_in_flight": 4}
    mailjet.sandbox.mailjet.change(job_polls=3)
    return mailjet


def test_p1_a_row_that_was_confirmed_is_not_unchanged_while_other_content_of_its_address_is_on_its_way(one_by_one):
    assert one_by_one.deliver([schema(), person(1), state(1)]).counts() == {"delivered": 1}
    result = one_by_one.deliver([schema(), person(1, city="Paris"), person(1), state(2)])
    assert (result.counts(), result.states) == ({"delivered": 2}, [2])
    assert [row["contact"]["Properties"]["city"] for row in one_by_one.received()] == ["Lyon", "Paris", "Lyon"]
    assert one_by_one.members()["person1@example.com"]["properties"]["city"] == "Lyon"


def test_p1_a_row_that_was_confirmed_is_not_unchanged_while_its_address_is_leaving(one_by_one):
    one_by_one.deliver([schema(), person(1), state(1)])
    one_by_one.deliver([schema(), person(1, **GONE), person(1), state(2)])
    assert one_by_one.members().keys() == {"person1@example.com"}


@pytest.mark.parametrize("back", [True, False])
def test_p1_a_delete_finds_the_address_of_a_key_whose_former_rows_are_on_their_way(one_by_one, back):
    there = [person(1, email=f"{place}@example.com") for place in ("a", "b", *(["a"] if back else []))]
    gone = {"type": "RECORD", "stream": "people", "record": {"id": 1} | GONE}
    result = one_by_one.deliver([schema(), *there, gone, person(2), state(1)])
    assert (result.error, result.states) == (None, [1])
    assert one_by_one.members().keys() == {"person2@example.com"}


def test_p1_keys_that_swap_their_addresses_have_each_the_others(one_by_one):
    first, second = (person(number, email=f"{number}@example.com") for number in (1, 2))
    one_by_one.deliver([schema(), first, second, state(1)])
    swapped = [person(1, email="2@example.com"), person(2, email="1@example.com")]
    one_by_one.deliver([schema(), *swapped, state(2)])
    gone = {"type": "RECORD", "stream": "people", "record": {"id": 1} | GONE}
    one_by_one.deliver([schema(), gone, state(3)])
    assert one_by_one.members().keys() == {"1@example.com"}


@pytest.mark.parametrize("key", [1, 2])
@pytest.mark.parametrize("refused", [True, False])
def test_p5_an_opt_out_that_this_run_told_is_not_forgotten_whatever_became_of_its_row(one_by_one, key, refused):
    """The provider keeps opt-outs of members only, and may refuse the row that tells of one."""
    email = "person1@example.com"
    if refused:
        one_by_one.sandbox.mailjet.refuse([email])
    told = person(1, subscription_status="unsubscribed")
    later = [person(key, email=email), person(key, email=email, city="Paris")]
    result = one_by_one.deliver([schema(), told, *later, state(1)])
    assert result.states == [1]
    assert one_by_one.statuses().get(email) in {None, "unsubscribed"}
    assert {row["action"] for row in one_by_one.received()} == {"unsub"}
