"""P1, P3: keys of one and of several people share addresses; an address is on the list while a key has it.

A model applies the rows one after the other, as `docs/guarantees.md` says under "Keys with several addresses". The
target gets them while jobs of any length run, over several runs, some of which fail or are killed and come again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, event, example, given, note, settings
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from tests.searching import examples
from tests.target.conftest import COLUMNS, Mailjet, person, schema, state
from tests.target.delivery.test_rows_while_jobs_run import GONE, PAUSES, Feed, World
from tests.target.killing import killed_at
from tests.target.machines import keys_of_one_person

TABLE = {name: column for name, column in COLUMNS.items() if name != "_sdc_deleted_at"}
ADDRESSES = "abcd"
KEYS = st.integers(1, 4)


class Change(NamedTuple):
    """A row: an address of a key, or a delete; of a delete without address the source told the key alone."""

    key: int
    address: str | None
    is_delete: bool = False


class Run(NamedTuple):
    """A run: its stream is a table or a log; `stop` says how it ends before its input does."""

    is_log: bool
    groups: list[tuple[list[Change], tuple[int, int]]]
    opting_out: str | None
    stop: tuple[str, int] | None
    batch_rows: int
    jobs_in_flight: int


additions = st.builds(Change, KEYS, st.sampled_from(ADDRESSES), is_delete=st.just(value=False))
deletes = st.builds(Change, KEYS, st.none() | st.sampled_from(ADDRESSES), is_delete=st.just(value=True))
changes = additions | deletes


def runs(*, is_log: bool) -> st.SearchStrategy[Run]:
    some = st.lists(changes if is_log else additions, min_size=1, max_size=3)
    return st.builds(
        Run,
        st.just(is_log),
        st.lists(st.tuples(some, PAUSES), min_size=1, max_size=4),
        st.none() | st.sampled_from(ADDRESSES),
        st.none() | st.tuples(st.sampled_from(["killed", "killed after", "refused", "lost"]), st.integers(0, 14)),
        st.integers(1, 3),
        st.integers(1, 4),
    )


def sequences() -> st.SearchStrategy[list[Run]]:
    """Runs of which the first one is of a table, where keys prove to be of several people."""
    more = st.lists(runs(is_log=True) | runs(is_log=False), min_size=1, max_size=4)
    return st.tuples(runs(is_log=False), more).map(lambda some: [some[0], *some[1]])


def _run(*rows: Change, is_log: bool = True) -> Run:
    return Run(is_log, [([*rows], (0, 2))], None, None, batch_rows=1, jobs_in_flight=2)


#: Key 2 has one of the addresses of key 1, and leaves it while key 1 has it; then key 1 leaves it first.
TAKEN_AND_LEFT = [
    _run(Change(1, "a"), Change(1, "b"), Change(1, "c"), Change(2, "a"), is_log=False),
    _run(Change(2, None, is_delete=True)),
    _run(Change(2, "a"), Change(1, "a", is_delete=True)),
    _run(Change(2, None, is_delete=True)),
]


class Model:
    """Which addresses each key has; one that it may have or not is False.

    Of keys of one person to whom an opt-out may have come (`doubtful`) all is uncertain; see
    `test_consent_stateful.py` for these.
    """

    def __init__(self) -> None:
        self.held: dict[int, dict[str, bool]] = {key: {} for key in range(1, 5)}
        self.shared: set[int] = set()
        self.opted_out: set[str] = set()
        self.doubtful: set[int] = set()

    def opt_out(self, address: str) -> None:
        """The opt-out of a key of one person follows this; nothing is said here of where it is put afterwards."""
        self.opted_out.add(address)
        self._doubt_holders([address])

    def _doubt_holders(self, addresses: Iterable[str]) -> None:
        """Keys of one person at these addresses: whether an opt-out follows them, and from which to which address."""
        for key, held in self.held.items():
            if not held.keys().isdisjoint(addresses) and key not in self.shared | self.doubtful:
                self.doubtful.add(key)
                self.held[key] = dict.fromkeys(held, False)
                self._doubt_holders(self.held[key])

    def apply(self, changes: Iterable[Change], *, is_log: bool) -> None:
        """Rows of a whole run."""
        seen: set[int] = set()
        for change in changes:
            self._row(change, is_log=is_log, seen=seen)
            seen.add(change.key)

    def _row(self, change: Change, *, is_log: bool, seen: set[int]) -> None:
        key, address, is_delete = change
        held = self.held[key]
        if address is not None and key not in self.shared:
            self._meet(key, address)
            held = self.held[key]
        if key in self.doubtful:
            return
        if not is_log and key in seen and any(is_sure and one != address for one, is_sure in held.items()):
            self.shared.add(key)
        if key in self.shared:
            if not is_delete:
                held[address] = True
            elif address is not None:
                held.pop(address, None)
            return
        if is_log:
            held.clear()
        if not is_delete:  # a former address leaves, unless the key proves to be of several people in this run
            self.held[key] = dict.fromkeys(held, False) | {address: True}

    def _meet(self, key: int, address: str) -> None:
        if address in self.opted_out or key in self.doubtful or self._is_doubtful(address):
            self.held[key].setdefault(address, False)
            self._doubt_holders(self.held[key])

    def _is_doubtful(self, address: str) -> bool:
        return any(address in self.held[key] for key in self.doubtful)

    def settle(self) -> None:
        """A run ended: a key of one person has left its former address."""
        for key, held in self.held.items():
            if key not in self.shared and key not in self.doubtful:
                for address in [one for one, is_sure in held.items() if not is_sure]:
                    del held[address]

    def check(self, statuses: dict[str, str]) -> None:
        sure = {one for held in self.held.values() for one, is_sure in held.items() if is_sure}
        possible = {one for held in self.held.values() for one in held} | self.opted_out
        opted_out = {one for one, status in statuses.items() if status == "unsubscribed"}
        assert self.opted_out <= opted_out
        for one in opted_out - self.opted_out:
            assert self._is_doubtful(one), f"{one} has an opt-out of nobody"
            self.opt_out(one)
        assert sure <= {*statuses}, f"{sorted(sure - {*statuses})} left"
        assert {*statuses} <= possible, f"{sorted({*statuses} - possible)} stayed"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox, keys_of_one_person():
        yield sandbox


@pytest.fixture(
    params=[("mailjet", "json"), ("mailjet", "csv"), ("mailjet", "contact"), ("ses", "import"), ("ses", "direct")],
    ids="-".join,
)
def world(sandbox, request):
    return World(sandbox, *request.param)


def record(change: Change) -> Any:
    columns = {} if change.address is None else {"email": f"{change.address}@example.com"}
    if change.is_delete:
        return {"type": "RECORD", "stream": "people", "record": {"id": change.key} | columns | GONE}
    return person(change.key, name="Same", **columns)


def statuses_of(world: World, account: Mailjet) -> dict[str, str]:
    if world.provider == "ses":
        return {email[0]: "subscribed" for email in account.contacts()}
    return {email[0]: status for email, status in account.statuses().items()}


def stopped(world: World, stop: tuple[str, int] | None) -> Any:
    if stop is None:
        return nullcontext()
    how, when = stop
    if how.startswith("killed"):
        return killed_at(when + 1, is_made=how == "killed after")
    if how == "refused":
        world.sandbox.faults.add(kind="status", status=403, skip=when)
    else:
        world.sandbox.faults.add(kind="reply_lost", method="POST", skip=when // 3)
    return nullcontext()


def deliver(world: World, account: Mailjet, run: Run, groups: Any, number: int, *, stop: Any) -> Any:
    messages = [([record(change) for change in some], pause) for some, pause in groups]
    messages[0][0].insert(0, schema(columns=COLUMNS if run.is_log else TABLE))
    feed = Feed(world.sandbox, messages, [state(number)])
    result = None
    with feed, stopped(world, stop):
        result = account.deliver_from(
            feed, batch_rows=run.batch_rows, jobs_in_flight=run.jobs_in_flight, max_removals="100%"
        )
    world.sandbox.faults.clear()
    return result


def ends_as_modelled(world: World, sequence: list[Run]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        account = world.open(Path(folder))
        model = Model()
        for number, run in enumerate(sequence):
            is_known = run.opting_out is not None and run.opting_out in statuses_of(world, account)
            if is_known and world.provider == "mailjet":
                account.opt_out(f"{run.opting_out}@example.com")
                model.opt_out(run.opting_out)
                event("opted out")
            result = deliver(world, account, run, run.groups, number, stop=run.stop)
            if run.stop is not None:
                note(f"{number}: {'killed' if result is None else repr(result.error)}")
                event(f"{run.stop[0]}: {'over' if result is not None and result.error is None else 'stopped'}")
                result = deliver(world, account, run, run.groups, number, stop=None)
            note(f"{number}: {result.counts()} {result.error!r} {statuses_of(world, account)}")
            assert result.error is None, result.log[-2000:]
            assert sum(result.counts().values()) == sum(len(some) for some, _ in run.groups)
            model.apply((change for some, _ in run.groups for change in some), is_log=run.is_log)
            model.settle()
            note(f"{model.held} shared {model.shared} out {model.opted_out} doubtful {model.doubtful}")
            model.check(statuses_of(world, account))


@pytest.mark.slow
@pytest.mark.machine
@settings(max_examples=examples(4, 20), suppress_health_check=list(HealthCheck))
@example(TAKEN_AND_LEFT)
@given(sequence=sequences())
def test_p1_p3_an_address_stays_while_a_key_of_one_or_several_people_has_it(world, sequence):
    ends_as_modelled(world, sequence)
