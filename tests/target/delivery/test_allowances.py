"""P9: `allow_removals_once` lets as many contacts leave as an error named, once, however the runs follow each other."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from target_mailing.delivery.removal_guard import RemovalGuard
from target_mailing.delivery.removal_limit import RemovalLimit
from target_mailing.journal import tables
from target_mailing.journal.journal import Journal
from target_mailing.journal.removals import JournalRemovals
from target_mailing.journal.stores import MemoryStore
from tests.searching import examples

LISTS = ("a", "b")
LIMIT = 2
PEOPLE = st.sets(st.integers(0, 8), max_size=7)
#: What a run is to remove from each list, its setting, and after how many removals it stops; or a day without runs.
RUNS = st.lists(
    st.tuples(
        st.lists(PEOPLE, min_size=2, max_size=2) | st.just("again"),
        st.sampled_from(["unset", "as before", "as before", "named", "named", "named", "wrong"]),
        st.integers(0, 6) | st.none(),
    )
    | st.just("a day"),
    min_size=2,
    max_size=12,
)


class Queue:
    """Who waits to leave a list, and by which allowance they may; also the queue's `removals`."""

    def __init__(self, name: str, leaving: set[int], counts) -> None:
        self.destination, self.settings = SimpleNamespace(name=name), SimpleNamespace(lists=())
        self.removals = self
        self.waiting = sorted(leaving)
        self.is_waiting = bool(leaving)
        self.allowance: int | None = None
        self.counts = counts
        self.sample: list[object] = []
        self.absent = Counter[str]()
        self.unsubscribed = 0
        self.lines = 0

    def is_empty(self) -> bool:
        return not self.waiting

    def open(self, allowance: int) -> None:
        self.allowance = allowance

    def refuse(self) -> None:
        self.allowance = None


class Lists:
    """Two lists, each with people, behind the guard; and how many may leave, kept by a simple model."""

    def __init__(self) -> None:
        self.journal = Journal(MemoryStore())
        self.people = {name: {*range(9)} for name in LISTS}
        self.setting = self.named = 0
        self.wanted: list[set[int]] = [set(), set()]
        #: Of the last day, by list: who left within the limit, and who left under an allowance that is not at its end.
        self.within: dict[str, set[int]] = {name: set() for name in LISTS}
        self.unfinished: list[tuple[set[str], set[tuple[str, int]]]] = []
        #: By list, the setting of its last run, and the numbers of its last error and of what did not end, until used.
        self.last, self.asked, self.continues = Counter[str](), Counter[str](), Counter[str]()
        #: Who left in the last day, and how many may have.
        self.left: list[tuple[str, int]] = []
        self.allowed = 0

    def close(self) -> None:
        self.journal.close()

    def a_day(self) -> None:
        times = [tables.removed.c.at, tables.allowances.c.named_at, tables.allowances.c.began_at]
        with self.journal._transaction():
            for column in times:
                self.journal._connection.execute(sa.update(column.table).values({column: column - 86_401}))
        self.within = {name: set() for name in LISTS}
        self.unfinished, self.left, self.allowed = [], [], 0
        self.asked.clear()
        self.continues.clear()

    def run(self, wanted: dict[str, set[int]], number: int, stops_after: int | None) -> int:
        """One run; returns the number of its error, 0 if it had none."""
        leaving = {name: wanted[name] & self.people[name] for name in LISTS}
        beyond = {name for name in LISTS if self._is_beyond(name, leaving[name])}
        error, made, is_whole = self._deliver(leaving, number, stops_after)
        for name, one in made:
            self.people[name].discard(one)
        self.left += made
        earlier = [one for one in self.unfinished if one[0] & (beyond or {name for name in LISTS if leaving[name]})]
        expected = {(name, one) for name in LISTS for one in leaving[name]}
        before = sum(len(people - expected) for _, people in earlier)
        also = {name for name in LISTS if leaving[name] and any(name in names for names, _ in earlier)}
        # A number works where it is the one of the error, or of the allowance that did not end.
        works = [
            covered
            for covered in (beyond, beyond | also)
            if covered and number == before + sum(len(leaving[name]) for name in covered)
            if all(self._may_work(name, number) for name in covered)
        ]
        assert bool(error) == (bool(beyond) and not works)
        covered = works[0] if works else set()
        self._note([one for one in made if one[0] not in covered])
        if error:
            assert error == before + sum(len(leaving[name]) for name in beyond)
            assert not {name for name, _ in made} & beyond
            self.last.update({name: number - self.last[name] for name in beyond})
            if number != error:
                self.asked.update({name: error - self.asked[name] for name in beyond})
        elif covered:
            self._use(number, covered, earlier, expected, made)
        if is_whole:
            self.last.update({name: number - self.last[name] for name in LISTS})
        return error

    def _use(self, number, covered, earlier, expected, made) -> None:
        self.last.update({name: number - self.last[name] for name in covered})
        self.unfinished = [one for one in self.unfinished if one not in earlier]
        self.asked.update({name: -self.asked[name] for name in covered})
        for name in [name for names, _ in earlier for name in names]:
            self.continues[name] = 0
        self.allowed += number - sum(len(people) for _, people in earlier)
        names, people = set(covered), {one for one in made if one[0] in covered}
        for of, before in earlier:
            names, people = names | of, people | (before - expected)
        assert len(people) <= number
        for name, one in people:
            self.within[name].discard(one)
        if not all(one in made for one in expected if one[0] in covered):
            self.unfinished.append((names, people))
            self.continues.update({name: number - self.continues[name] for name in names})

    def _may_work(self, name: str, number: int) -> bool:
        return number in {self.continues[name], self.asked[name]} or self.last[name] != number

    def _is_beyond(self, name: str, leaving: set[int]) -> bool:
        return bool(leaving) and len(leaving | self.within[name]) > LIMIT

    def _note(self, within: list[tuple[str, int]]) -> None:
        for name, one in within:
            self.within[name].add(one)
            for _, people in self.unfinished:
                people.discard((name, one))

    def _deliver(self, leaving, number, stops_after):
        removals = JournalRemovals(self.journal._connection, self.journal._meta, self.journal._transaction)
        self.journal.removals = removals
        queues = [self._queue(name, leaving[name], removals) for name in LISTS]
        guard = RemovalGuard(self.journal, RemovalLimit(count=LIMIT), number)
        guard.judge(queues, {})
        guard.made()
        made: list[tuple[str, int]] = []
        for queue in queues:
            while queue.waiting and queue.allowance is not None and (stops_after is None or len(made) < stops_after):
                one = queue.waiting.pop(0)
                made.append((queue.destination.name, one))
                with self.journal._transaction():
                    removals.note([self._hash(queue.destination.name, one)], allowance=queue.allowance)
        guard.made()
        is_whole = guard.error is None and not any(queue.waiting for queue in queues)
        if is_whole:
            guard.remember(queues)
        held = [one.allow_removals_once for one in guard.held.values()]
        assert bool(held) == (guard.error is not None)
        return max(held, default=0), made, is_whole

    def _queue(self, name, leaving, removals):
        here = self.journal.hashes.destination_id(name)
        for one in leaving:
            removals.expect(self._hash(name, one), here, is_move=False)
        return Queue(name, leaving, lambda: removals.counts(here))

    def _hash(self, name: str, one: int) -> int:
        return self.journal.contact_id(name, str(one))


def played(lists: Lists, runs) -> None:
    for run in runs:
        if run == "a day":
            lists.a_day()
            continue
        wanted, kind, stops_after = run
        lists.wanted = lists.wanted if wanted == "again" else wanted
        numbers = {"unset": 0, "as before": lists.setting, "named": lists.named, "wrong": lists.named + 1}
        lists.setting = numbers[kind]
        error = lists.run(dict(zip(LISTS, lists.wanted, strict=True)), lists.setting, stops_after)
        lists.named = error or lists.named
        assert len(lists.left) <= len(LISTS) * LIMIT + lists.allowed


@pytest.mark.slow
@pytest.mark.machine
@settings(max_examples=examples(60, 600), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(runs=RUNS)
def test_p9_as_many_leave_as_were_allowed_and_the_limit(runs):
    with closing(Lists()) as lists:
        played(lists, runs)
        check_promise(lists)


def test_p9_the_number_of_an_error_works_once_also_where_the_run_is_interrupted():
    with closing(Lists()) as lists:
        check_promise(lists)


def check_promise(lists: Lists) -> None:
    """Whatever came before, the number of an error works, also where it was set before, and it works once."""
    wanted = {name: {*range(4)} for name in LISTS}
    lists.people = {name: {*range(9)} for name in LISTS}
    number = lists.run(wanted, 0, None)
    assert number
    assert lists.run(wanted, number, 3) == 0
    assert lists.run(wanted, number, 2) == 0
    assert lists.run(wanted, number, None) == 0  # of the first list, few are left
    assert not any(wanted[name] & lists.people[name] for name in LISTS)
    lists.people = {name: {*range(9)} for name in LISTS}
    assert lists.run(wanted, number, None)
    assert lists.people == {name: {*range(9)} for name in LISTS}


def test_p9_an_allowed_run_that_was_interrupted_continues_also_after_one_with_another_number():
    with closing(Lists()) as lists:
        first, more = {"a": {*range(6)}, "b": {0}}, {"a": {*range(7)}, "b": {0}}
        assert lists.run(first, 6, 2) == 0
        assert lists.run(more, 6, None) == 7
        assert lists.run(first, 6, None) == 0
        assert lists.people["a"] == {6, 7, 8}


def test_p9_other_people_are_allowed_by_the_number_of_another_error():
    with closing(Lists()) as lists:
        nobody: set[int] = set()
        assert lists.run({"a": {0, 1, 2}, "b": nobody}, 3, None) == 0
        others = {"a": {3, 4, 5}, "b": nobody}
        assert lists.run(others, 3, None) == 3
        assert lists.run(others, 0, None) == 3
        assert lists.run(others, 3, None) == 0
        assert lists.people["a"] == {6, 7, 8}


def test_p9_after_an_interruption_the_number_does_not_depend_on_the_one_that_is_set():
    with closing(Lists()) as lists:
        first = {"a": {*range(6)}, "b": {0}}
        assert lists.run(first, 6, 2) == 0
        more = {"a": {*range(7)}, "b": {0}}
        assert [lists.run(more, number, None) for number in (6, 0, 5, 8)] == [7, 7, 7, 7]
        assert lists.run(more, 7, None) == 0
        assert lists.people["a"] == {7, 8}


def test_p9_whoever_comes_back_and_is_to_leave_again_counts_once():
    with closing(Lists()) as lists:
        wanted = {"a": {*range(6)}, "b": {0}}
        assert lists.run(wanted, 6, 2) == 0
        lists.people["a"] |= {0, 1}
        assert lists.run(wanted, 6, None) == 0
        assert lists.people["a"] == {6, 7, 8}


def test_p9_a_number_that_an_error_named_works_after_a_run_that_did_not_need_it():
    """Such as one of another stream to the same list, with the same environment."""
    with closing(Lists()) as lists:
        nobody: set[int] = set()
        assert lists.run({"a": {0, 1, 2}, "b": nobody}, 0, None) == 3
        assert lists.run({"a": nobody, "b": nobody}, 3, None) == 0
        assert lists.run({"a": {0, 1, 2}, "b": nobody}, 3, None) == 0
        assert lists.run({"a": {3, 4, 5}, "b": nobody}, 3, None) == 3


def test_p9_a_setting_that_was_forgotten_allows_nothing_later():
    with closing(Lists()) as lists:
        nobody: set[int] = set()
        assert lists.run({"a": {0}, "b": nobody}, 3, None) == 0  # which it was not needed for
        lists.a_day()
        others = {"a": {3, 4, 5}, "b": nobody}
        assert lists.run(others, 3, None) == 3
        assert lists.run(others, 3, None) == 3
        assert lists.run(others, 0, None) == 3
        assert lists.run(others, 3, 2) == 0  # one of them is left
        lists.a_day()
        assert lists.run({"a": {6, 7, 8}, "b": nobody}, 3, None) == 3
        assert lists.people["a"] == {1, 2, 5, 6, 7, 8}
