"""P9: removals wait for the end of the input, and none is made that the limit does not allow."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from target_mailing.delivery.queue import DestinationQueue
from target_mailing.journal.held_resources import HeldResources
from target_mailing.journal.removals import JournalRemovals
from target_mailing.journal.run_contacts import RunContacts
from tests.searching import examples
from tests.target.delivery.test_order import EVENTS, NEW_FIRST, OLD_FIRST, ROWS, Place, Target

#: Who is on the list, and under which key, before the guard is set; a key may have come to its address from another.
BEFORE = st.lists(st.tuples(st.integers(1, 4), st.sampled_from("abcd")), max_size=6)


class Guarded(Target):
    """A target whose removals wait, and what its place was asked to do."""

    def __init__(self, place: Place, before: Any, *, on_key_change: str = "remove") -> None:
        super().__init__(place, on_key_change=on_key_change, batch_rows=3)
        for line, (key, email) in enumerate(before, 1):
            self.take([self.row(line, "addnoforce", key, email)])
            self.finish()
        self.begun = len(before)
        self.members_before = dict(place.members)
        self.sent: list[tuple[str, str]] = []
        place.act = self._acting(place.act)  # type: ignore[method-assign]

    def _acting(self, act):
        def acting(action: str, email: str) -> str:
            self.sent.append((action, email))
            return act(action, email)

        return acting

    def close_removals(self) -> None:
        self.queue.removals.limit()

    @property
    def counted(self):
        return self.queue.removals.counts()

    def open_removals(self) -> None:
        self.queue.removals.open(0)
        for _ in range(1_000):
            self.queue.take_back()
            self.finish()
            if not self.queue.removals:
                return

    def refuse_removals(self) -> None:
        self.queue.removals.refuse()
        while self.queue.removals:
            self.queue.take_back()
            self.queue.batches.keep_on_disk()
        self.finish()

    def run_again(self) -> None:
        """The next run, with the same journal."""
        for name in ("told", "followed"):
            setattr(self.journal, name, RunContacts(self.journal._connection, name, self.journal._transaction))
        self.journal.held = HeldResources(self.journal._connection, self.journal._transaction)
        self.journal.removals = JournalRemovals(self.journal._connection, self.journal._meta, self.journal._transaction)
        self.queue = DestinationQueue(
            self.place, self.queue.settings, journal=self.journal, outcomes=self.outcomes, batches_at_once=None
        )
        self.begun += 1_000

    def play(self, rows, events) -> None:
        """Rows come, batches are made, and batches end; then all that do not wait end."""
        coming = [self.row(self.begun + line, *row) for line, row in enumerate(rows, 1)]
        for event, number in events:
            if event == "rows":
                self.take([coming.pop(0) for _ in range(min(number, len(coming)))])
            elif event == "send":
                self.send(ending=number % 2 == 0)
            elif self.under_way:
                self.end(number)
        self.take(coming)
        self.finish()

    def may_leave(self, before, rows) -> set[str]:
        """Addresses of keys that opt out, or move where the new address comes first."""
        harmless = {"unsub"} if self.place.actions.old_first else {"unsub", "addnoforce"}
        keys = {key for action, key, _ in rows if action in harmless}
        return {email for key, email in before if key in keys} | {email for _, key, email in rows if key in keys}

    @property
    def taken_off(self) -> set[str]:
        return {email for action, email in self.sent if action == "remove"}


def in_order(place: Place, before, rows, *, on_key_change: str):
    """Who is on the list, and the addresses of keys, where each row ends before the next one comes."""
    with closing(Guarded(place, before, on_key_change=on_key_change)) as target:
        for line, row in enumerate(rows, 1):
            target.take([target.row(target.begun + line, *row)])
            target.finish()
        return target.result


def check(actions, on_key_change, before, rows, events=()) -> None:
    expected = in_order(Place(actions, {}, frozenset()), before, rows, on_key_change=on_key_change)
    with closing(Guarded(Place(actions, {}, frozenset()), before, on_key_change=on_key_change)) as target:
        target.close_removals()
        target.play(rows, events)
        assert target.taken_off <= target.may_leave(before, rows)
        waiting, counts = len(target.queue.removals), target.counted
        assert target.outcomes.rows == target.begun + len(rows) - waiting
        assert bool(waiting) == (counts.now > 0)
        target.open_removals()
        assert target.outcomes.rows == target.begun + len(rows)
        assert target.result == expected
        assert len(target.taken_off - target.may_leave(before, rows)) <= counts.now


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("on_key_change", ["remove", "keep"])
@pytest.mark.parametrize("actions", [OLD_FIRST, NEW_FIRST], ids=["old-first", "new-first"])
@settings(max_examples=examples(60, 400), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(before=BEFORE, rows=ROWS, events=EVENTS)
def test_p9_rows_end_as_in_their_order_where_removals_wait(actions, on_key_change, before, rows, events):
    check(actions, on_key_change, before, rows, events)


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("actions", [OLD_FIRST, NEW_FIRST], ids=["old-first", "new-first"])
@settings(max_examples=examples(60, 400), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(before=BEFORE, rows=ROWS, events=EVENTS)
def test_p9_where_nobody_may_be_removed_nobody_is_and_a_repeated_run_ends_as_the_first_one_would(
    actions, before, rows, events
):
    rows = [(action, key, "" if action == "remove" else email) for action, key, email in rows if action != "unsub"]
    expected = in_order(Place(actions, {}, frozenset()), before, rows, on_key_change="remove")
    with closing(Guarded(Place(actions, {}, frozenset()), before)) as target:
        counted = []
        # A run may deliver rows of keys that rows before them delete, and counts for a row behind others all that it
        # could take off: so its repetition may count others, until nothing changes any longer.
        for number in range(6):
            target.close_removals()
            target.play(rows, events if number == 0 else [])
            counted.append(target.counted.now)
            target.refuse_removals()
            assert target.taken_off <= target.may_leave(before, rows)
            assert target.place.members.keys() >= target.members_before.keys() - target.may_leave(before, rows)
            target.run_again()
        assert counted[-2] == counted[-1]
        target.play(rows, [])
        assert target.result == expected


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("actions", [OLD_FIRST, NEW_FIRST], ids=["old-first", "new-first"])
@settings(max_examples=examples(60, 400), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(before=BEFORE, rows=ROWS, events=EVENTS)
def test_p5_opt_outs_go_where_nobody_may_be_removed(actions, before, rows, events):
    with closing(Guarded(Place(actions, {}, frozenset()), before)) as target:
        target.close_removals()
        target.play(rows, events)
        target.refuse_removals()
        assert target.taken_off <= target.may_leave(before, rows)
        last = {email: action for action, _, email in rows if action in {"addnoforce", "unsub"}}
        for email, action in last.items():
            if action == "unsub":
                assert target.place.members.get(email) != "in"


#: Few rows that ended otherwise while the guard was made.
FEW_ROWS = {
    "no row begins early, for one before it may have to wait": (
        OLD_FIRST, "keep", [(1, "d")],
        [("addnoforce", 4, "a"), ("unsub", 1, "d"), ("remove", 4, "c"), ("addnoforce", 1, "a"), ("remove", 1, "")],
    ),
    "a key does not leave its address early, while it waits for the new one": (
        OLD_FIRST, "remove", [(1, "b")], [("addnoforce", 2, "a"), ("addnoforce", 1, "a")],
    ),
    "an address is left to two keys, and a third one comes to it": (
        OLD_FIRST, "remove", [(1, "b"), (2, "a"), (3, "a")], [("addnoforce", 2, "c"), ("addnoforce", 1, "a")],
    ),
    "two keys that leave their contact": (
        NEW_FIRST, "remove", [(4, "a"), (2, "d"), (1, "a")], [("addnoforce", 1, "b"), ("addnoforce", 4, "d")],
    ),
    "a delete that names an address which opted out": (
        NEW_FIRST, "keep", [(3, "d")], [("unsub", 2, "a"), ("remove", 3, "a")],
    ),
    "a key that leaves, comes back and is deleted": (
        OLD_FIRST, "remove", [(1, "a"), (2, "b")],
        [("addnoforce", 1, "c"), ("addnoforce", 1, "a"), ("addnoforce", 2, "c"), ("remove", 1, "")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("actions", "on_key_change", "before", "rows"), FEW_ROWS.values(), ids=FEW_ROWS)
def test_p9_few_rows_end_as_in_their_order_where_removals_wait(actions, on_key_change, before, rows):
    check(actions, on_key_change, before, rows)


def test_p9_nobody_waits_who_leaves_only_after_a_new_contact_has_come():
    with closing(Guarded(Place(NEW_FIRST, {}, frozenset("c")), [(1, "a"), (2, "d")])) as target:
        target.close_removals()
        target.play([("addnoforce", 1, "b"), ("addnoforce", 2, "c")], [])
        assert (len(target.queue.removals), target.counted.now) == (0, 0)
        assert target.place.members == {"b": "in", "d": "in"}  # the new contact of key 2 was refused


@pytest.mark.parametrize(
    "rows",
    [
        [("remove", 1, ""), ("addnoforce", 1, "a")], [("remove", 1, "a"), ("addnoforce", 2, "a")],
        [("addnoforce", 1, "b"), ("addnoforce", 1, "b")], [("addnoforce", 1, "b"), ("addnoforce", 2, "a")],
    ],
)  # fmt: skip
def test_p9_rows_that_come_later_wait_behind_removals(rows):
    check(OLD_FIRST, "remove", [(1, "a")], rows, [("rows", 1), ("send", 0), ("end", 0), ("rows", 1)])
