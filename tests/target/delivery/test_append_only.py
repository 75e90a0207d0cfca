"""Where contacts can neither change nor leave, nobody is sent twice, and all are replaced as a whole."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack, closing

import pytest

from target_mailing.delivery.batch import Batch
from target_mailing.delivery.closing import CLOSING, Closing
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.delivery.removal_guard import RemovalGuard
from target_mailing.delivery.removal_limit import RemovalLimit
from target_mailing.journal.removals import JournalRemovals
from target_mailing.postgrid.contact import ACTIONS
from target_mailing.rows.row import Row
from tests.target.delivery.test_order import Place, Target


class Printed(Place):
    replaces_contents = False
    holds_since = 0.0

    def closing(self):
        return ["remove earlier contents"]


@pytest.fixture
def make():
    with ExitStack() as stack:

        def made(*, on_key_change: str = "remove", replaces: bool = False) -> Target:
            place = Printed(ACTIONS, {}, frozenset())
            place.replaces_contents = replaces
            return stack.enter_context(closing(Target(place, on_key_change=on_key_change, batch_rows=3)))

        yield made


def taken(target: Target, row: tuple[str, int, str]) -> tuple[set[str], dict[str, int]]:
    """Who was sent, and the code of a row that was not."""
    before = Counter(target.outcomes.codes)
    target.take([target.row(target.outcomes.rows + 1, *row)])
    target.send()
    sent = {row.email for batch in target.under_way for row in batch.rows}
    target.finish()
    return sent, dict(target.outcomes.codes - before)


@pytest.mark.parametrize(
    ("on_key_change", "row", "ends"),
    [
        ("remove", ("addnoforce", 1, "a"), (set(), {})),
        ("remove", ("addnoforce", 1, "b"), (set(), {"cannot_change": 1})),
        ("keep", ("addnoforce", 1, "b"), ({"b"}, {})),
        ("remove", ("addnoforce", 2, "a"), (set(), {})),
        ("remove", ("remove", 1, "a"), (set(), {"cannot_leave": 1})),
        ("remove", ("remove", 1, ""), (set(), {"cannot_leave": 1})),
        ("remove", ("remove", 1, "b"), (set(), {"cannot_leave": 1})),
        ("remove", ("unsub", 1, "b"), (set(), {"cannot_leave": 1})),
        ("remove", ("unsub", 2, "b"), (set(), {"unsubscribed": 1})),
    ],
)
def test_who_arrived_is_compared_with_the_row(make, on_key_change, row, ends):
    target = make(on_key_change=on_key_change)
    assert taken(target, ("addnoforce", 1, "a")) == ({"a"}, {})
    assert taken(target, row) == ends


@pytest.mark.parametrize(("replaces", "ends"), [(False, (set(), {"unconfirmed": 1})), (True, ({"a"}, {}))])
def test_who_may_have_arrived_is_sent_again_only_where_all_are_replaced(make, replaces, ends):
    target = make(replaces=replaces)
    rows = [target.row(1, "addnoforce", 1, "a")]
    number = target.journal.begin_batch(target.place.name, "addnoforce", "only", rows)
    target.journal.discard(number, uncertain=rows)
    assert taken(target, ("addnoforce", 1, "a")) == ends


def test_who_arrived_before_all_were_replaced_is_sent_again(make):
    target = make()
    assert taken(target, ("addnoforce", 1, "a")) == ({"a"}, {})
    target.place.holds_since = time.time() + 60
    target.queue = DestinationQueue(
        target.place, target.queue.settings, journal=target.journal, outcomes=target.outcomes, batches_at_once=None
    )
    assert taken(target, ("addnoforce", 1, "a")) == ({"a"}, {})


def closing_of(target: Target, *, is_whole: bool = True) -> Closing:
    ends = Closing(target.journal, RemovalGuard(target.journal, RemovalLimit(count=0), 0))
    ends.add(target.queue)
    ends.is_whole = is_whole
    return ends


def batch_of(target: Target, rows: list[Row], action: str = "addnoforce", route: str = "only") -> Batch:
    return Batch(1, target.queue, action, route, rows, ())


@pytest.mark.parametrize("replaces", [False, True])
def test_p1_no_state_leaves_until_earlier_contents_have_left(make, replaces):
    target = make(replaces=replaces)
    queue, ends = target.queue, closing_of(target)
    assert ends.holds_state() is replaces
    rows = [target.row(1, "addnoforce", 1, "a")]
    ends.ends(batch_of(target, rows), rows)
    assert [*ends.replaced()] == ([queue] if replaces else [])
    assert ends.steps() == ([(queue, ["remove earlier contents"])] if replaces else [])
    assert ends.holds_state() is replaces
    if replaces:
        ends.ends(batch_of(target, [], "", CLOSING), ())
        assert not ends.holds_state()


@pytest.mark.parametrize(("action", "delivered"), [("addnoforce", 0), (ACTIONS.ask, 1)])
def test_p1_earlier_contents_stay_where_nobody_was_delivered(make, action, delivered):
    target = make(replaces=True)
    ends = closing_of(target)
    rows = [target.row(1, "addnoforce", 1, "a")]
    ends.ends(batch_of(target, rows, action), rows[:delivered])
    assert not ends.replaced()
    assert ends.steps() == []
    assert not ends.holds_state()


def test_p1_earlier_contents_stay_where_the_input_may_have_been_cut_off(make):
    target = make(replaces=True)
    ends = closing_of(target, is_whole=False)
    rows = [target.row(1, "addnoforce", 1, "a")]
    ends.ends(batch_of(target, rows), rows)
    ends.ends(batch_of(target, rows), ())
    assert not ends.replaced()
    with pytest.raises(DeliveryFailed, match="cut off"):
        ends.steps()
    assert ends.holds_state()


def test_p9_earlier_contents_are_counted_until_they_have_left(make):
    """Also those who arrived, or may have, with a batch that a later run followed."""
    target = make(replaces=True)
    rows = [target.row(number, "addnoforce", number, f"a{number}") for number in (1, 2, 3)]
    batch = batch_of(target, rows)
    batch.recovered = True
    for at, new in enumerate(([target.row(1, "addnoforce", 4, "b")], [target.row(1, "addnoforce", 3, "c")])):
        journal = target.journal
        journal.removals = JournalRemovals(journal._connection, journal._meta, journal._transaction)  # of the next run
        target.queue = DestinationQueue(
            target.place, target.queue.settings, journal=journal, outcomes=target.outcomes, batches_at_once=None
        )
        guard = RemovalGuard(journal, RemovalLimit(count=1), 0)
        ends = Closing(journal, guard)
        ends.add(target.queue)
        ends.is_whole = True
        if at == 0:
            ends.ends(batch, rows[:2], rows[2:])
        stopped = batch_of(target, [], "", CLOSING)
        stopped.recovered = True
        ends.ends(stopped, ())
        assert ends.holds_state()
        ends.ends(batch_of(target, new), new)
        guard.judge([target.queue], ends.replaced())
        # The first new row is one of the earlier contents in the second run; whose row changed is nobody who leaves.
        assert "3 contacts would be removed" in str(guard.error)
