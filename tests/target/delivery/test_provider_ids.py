"""A contact at the provider that stands for several rows' contacts is removed with the last key that needs it."""

from __future__ import annotations

from contextlib import closing

import pytest

from target_mailing.postgrid.contact import ACTIONS
from tests.target.delivery.test_order import Place, Target


@pytest.fixture
def target():
    """Keys 1 and 2 have contacts that are one at the provider."""
    with closing(Target(Place(ACTIONS, {}, frozenset()), on_key_change="remove", batch_rows=3)) as made:
        rows = [made.row(1, "addnoforce", 1, "a"), made.row(2, "addnoforce", 2, "b")]
        made.take(rows)
        made.finish()
        number = made.journal.begin_batch(made.place.name, "addnoforce", "only", rows)
        made.journal.begin_step(number, "make")
        ids = [(row.id, "one") for row in rows]
        made.journal.end_step(made.place.name, number, "make", {}, ids=ids, dropped_ids=[])
        yield made


def test_an_id_that_another_key_needs_is_not_removed(target):
    rows = [target.row(3, "remove", 1, "a")]
    assert target.queue.provider_ids.of(rows, removing=False) == {0: ["one"]}
    assert target.queue.provider_ids.of(rows, removing=True) == {0: []}


def test_an_id_leaves_with_the_keys_that_need_it(target):
    rows = [target.row(3, "remove", 1, "a"), target.row(4, "remove", 2, "b")]
    target.take(rows)
    assert target.queue.provider_ids.of(rows, removing=True) == {0: ["one"], 1: ["one"]}


def test_a_key_whose_removal_waits_still_needs_its_id(target):
    target.take([target.row(3, "addnoforce", 3, "b", "x")])
    target.send()
    rows = [target.row(4, "remove", 1, "a"), target.row(5, "remove", 2, "b")]
    target.take(rows)
    assert rows[1].waits
    assert target.queue.provider_ids.of(rows[:1], removing=True) == {0: []}


def test_a_contact_made_anew_needs_its_former_id_under_no_key(target):
    target.take([target.row(3, "addnoforce", 3, "a")])
    target.take([target.row(4, "remove", 2, "b")])
    for action, ids in (("addnoforce", {0: ["one"]}), ("remove", {0: []})):
        assert target.queue.provider_ids.of([target.row(5, action, 1, "a")], removing=True) == ids


def test_a_former_contact_leaves_before_its_key_has_the_new_one(target):
    target.take([target.row(3, "remove", 2, "b")])
    former = target.row(4, "remove", 0, "a")
    former.key, former.extend().former_of = None, b"key 1"
    assert target.queue.provider_ids.of([former], removing=True) == {0: ["one"]}


def test_a_former_contact_that_is_its_keys_new_one_at_the_provider_stays(target):
    former = target.row(3, "remove", 0, "a")
    former.key, former.extend().former_of = None, b"key 2"
    assert target.queue.provider_ids.of([former], removing=True) == {0: []}


def test_a_contact_that_is_taken_off_leaves_its_id_to_the_contact_that_needs_it(target):
    rows = [target.row(3, "remove", 1, "a"), target.row(4, "remove", 3, "c")]
    assert target.queue.provider_ids.of_others(rows) == [(rows[0].id, "one")]
    target.take([target.row(5, "remove", 2, "b")])
    assert target.queue.provider_ids.of_others(rows) == []
