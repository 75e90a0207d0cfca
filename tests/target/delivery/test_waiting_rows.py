"""Rows that wait: they never hold back the reading for nothing, stay few in memory, and end as their latest content."""

from __future__ import annotations

import time
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.result import BatchResult
from target_mailing.interface.destination import Finished, Refusal
from tests.target.delivery.test_order import NEW_FIRST, OLD_FIRST, ROWS, Place, Target


def begin(actions=OLD_FIRST, *, batch_rows=3):
    return Target(Place(actions, {}, frozenset()), on_key_change="remove", batch_rows=batch_rows)


def refuse(target: Target, batch: Batch, code: str) -> None:
    """A batch ends, and all of its rows are refused."""
    target.under_way.remove(batch)
    rejected = {at: Refusal(code, "no") for at in range(len(batch.rows))}
    ends = BatchResult.of(batch, Finished(rejected=rejected), [])
    ends.note(target.journal, batch, [], pending_removals=batch.pending_removals(rejected))
    ends.report(target.outcomes, batch)
    refused = {id(row): rejected[at] for at, row in enumerate(batch.rows)}
    target.queue.free(ends.ended, ends.withheld, refused, time.monotonic())


@pytest.mark.slow
@pytest.mark.parametrize("actions", [OLD_FIRST, NEW_FIRST], ids=["old-first", "new-first"])
@given(rows=ROWS, batch_rows=st.integers(1, 3))
def test_p8_reading_is_held_back_only_while_a_batch_is_under_way(actions, rows, batch_rows):
    with closing(begin(actions, batch_rows=batch_rows)) as target:
        for line, row in enumerate(rows, 1):
            for _ in range(100):
                target.queue.close_batches(time.monotonic(), ending=False)
                target.send(ending=False)
                if not target.queue.is_crowded():
                    break
                assert target.under_way
                target.end(0)
            target.take([target.row(line, *row)])
        target.finish()
        assert target.outcomes.rows == len(rows)


def test_p8_rows_that_wait_for_an_address_while_another_one_is_asked_about_do_not_hold_back_the_reading():
    with closing(begin()) as target:
        target.take([target.row(1, "addnoforce", 1, "a")])
        target.finish()
        target.take([target.row(2, "addnoforce", 1, "b")])
        target.take([target.row(line, "remove", line, "b") for line in range(3, 6)])
        assert target.queue.is_crowded()
        target.queue.close_batches(time.monotonic(), ending=False)
        target.send(ending=False)
        assert [batch.action for batch in target.under_way] == ["remove"]


def test_p8_a_key_whose_address_changes_again_and_again_has_few_tickets():
    with closing(begin(batch_rows=100)) as target:
        most = 0
        for line in range(1, 4_000, 2):
            if target.queue.is_crowded():
                break
            target.take([target.row(line, "addnoforce", 1, f"{line}"), target.row(line + 1, "remove", 1, "")])
            most = max(most, target.queue._tickets.behind)
        assert target.queue.is_crowded()
        assert 50 < most < 1_000


def test_p1_every_key_of_an_address_that_may_have_arrived_may_have_it():
    with closing(begin()) as target:
        target.take([target.row(1, "addnoforce", 1, "a"), target.row(2, "addnoforce", 2, "a")])
        target.send()
        refuse(target, target.under_way[0], "unconfirmed")
        assert [[*target.journal.possible_addresses(b"key %d" % key)] for key in (1, 2)] == [["a"], ["a"]]
        target.place.members["a"] = "in"
        target.take([target.row(3, "remove", 2, ""), target.row(4, "addnoforce", 1, "a")])
        target.finish()
        target.take([target.row(5, "addnoforce", 1, "b")])
        target.finish()
        assert target.place.members == {"b": "in"}


def test_p4_a_former_address_that_is_not_removed_rejects_the_latest_content_of_its_row():
    with closing(begin(NEW_FIRST)) as target:
        target.take([target.row(1, "addnoforce", 1, "a")])
        target.finish()
        rows = [target.row(line, "addnoforce", 1, "b") for line in (2, 3)]
        for line, row in enumerate(rows, 2):
            row.raw = b'{"type":"RECORD","stream":"s","record":{"line":%d}}' % line
        target.take(rows)
        target.send()
        target.end(0)
        target.send()
        refuse(target, target.under_way[0], "refused")
        assert [reject.record for _, reject in target.journal.rejects.pending(9)] == [b'{"line":3}']
        assert target.outcomes.counts == {"delivered": 1, "superseded": 1, "rejected": 1}


@pytest.mark.parametrize("actions", [OLD_FIRST, NEW_FIRST], ids=["old-first", "new-first"])
def test_p1_rows_of_a_shared_key_wait_for_those_from_before_it_was_known_as_shared(actions):
    with closing(begin(actions)) as target:
        target.take([target.row(1, "unsub", 2, "a")])
        target.send()  # the next row waits for it
        rows = [target.row(line, "addnoforce", 1, email) for line, email in enumerate("abcd", 2)]
        for row in rows:
            row.tells_changes = False
        target.take(rows)
        target.send()
        assert [batch.action for batch in target.under_way] == ["unsub"]
        target.end(0)
        target.finish()
        out = {"a": "out"} if actions.records_opt_outs else {}
        assert target.place.members == out | {"b": "in", "c": "in", "d": "in"}
        assert target.outcomes.rows == 5


@pytest.mark.slow
@pytest.mark.parametrize("actions", [OLD_FIRST, NEW_FIRST], ids=["old-first", "new-first"])
@given(rows=ROWS, numbers=st.lists(st.integers(0, 4), min_size=1, max_size=20))
def test_p1_rows_of_a_table_with_shared_keys_all_end(actions, rows, numbers):
    with closing(begin(actions)) as target:
        coming = [target.row(line, *row) for line, row in enumerate(rows, 1)]
        for row in coming:
            row.tells_changes = False
        for number in numbers:
            target.take(coming[: number + 1])
            del coming[: number + 1]
            target.send(ending=number > 1)
            if target.under_way and number > 0:
                target.end(number)
        target.take(coming)
        target.finish()
        assert target.outcomes.rows == len(rows)


@pytest.mark.parametrize("on_key_change", ["remove", "keep"])
@pytest.mark.parametrize("moving", [9, 10])
def test_p8_keys_that_move_away_from_one_address_need_no_job_each(on_key_change, moving):
    target = Target(Place(OLD_FIRST, {}, frozenset()), on_key_change=on_key_change, batch_rows=50)
    with closing(target):
        target.take([target.row(key, "addnoforce", key, "all") for key in range(1, 11)])
        target.finish()
        target.take([target.row(10 + key, "addnoforce", key, f"{key}") for key in range(1, moving + 1)])
        jobs = 0
        target.send()
        while target.under_way:
            jobs += 1
            target.end(0)
            target.send()
        assert target.queue.is_empty()
        assert jobs <= 4
        stays = {"all": "in"} if moving < 10 or on_key_change == "keep" else {}
        assert target.place.members == stays | {f"{key}": "in" for key in range(1, moving + 1)}


def test_p5_keys_that_move_away_from_one_address_that_opted_out_are_not_subscribed():
    with closing(begin(batch_rows=50)) as target:
        target.take([target.row(key, "addnoforce", key, "all") for key in range(1, 6)])
        target.finish()
        target.place.members["all"] = "out"
        target.take([target.row(5 + key, "addnoforce", key, f"{key}") for key in range(1, 6)])
        target.finish()
        assert target.place.members == {"all": "out"} | {f"{key}": "out" for key in range(1, 6)}


def test_p1_a_former_address_that_stays_because_another_key_has_it_is_not_still_to_be_removed():
    with closing(begin(NEW_FIRST)) as target:
        rows = [(1, "a"), (2, "a"), (3, "b"), (1, "b")]
        for line, (key, email) in enumerate(rows, 1):
            target.take([target.row(line, "addnoforce", key, email)])
            target.finish()
        assert target.place.members == {"a": "in", "b": "in"}
        assert not target.journal.has_possible_addresses


def test_p8_the_keys_of_an_address_are_read_once_for_all_rows_that_are_decided_together(monkeypatch):
    with closing(begin(batch_rows=500)) as target:
        target.take([target.row(key, "addnoforce", key, "all") for key in range(1, 201)])
        target.finish()
        read: list[int] = []
        keys_of = target.journal.keys_of
        monkeypatch.setattr(target.journal, "keys_of", lambda contact: read.append(contact) or keys_of(contact))
        target.take([target.row(200 + key, "remove", key, "") for key in range(1, 201)])
        target.finish()
        assert target.place.members == {}
        assert len(read) < 10
