"""Rejects sent again between runs of which any may be killed: the rows of a killed run come again, as after a stop.

Beside what holds without kills (`test_retried_sequences.py`), no retry brings back whom a killed run took off.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from tests.history import files_of
from tests.searching import machine
from tests.target.command.test_command import until
from tests.target.conftest import schema, state
from tests.target.journal.test_retried_sequences import PLACES, ROWS, World
from tests.target.killing import killed_at
from tests.target.machines import keys_of_one_person

#: The commit of the journal at which a run is killed, and whether that is made.
KILLS = st.tuples(st.integers(4, 24), st.booleans())
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), ROWS, st.integers(1, 5), st.none() | KILLS),
        st.tuples(st.just("run"), ROWS, st.integers(1, 5), KILLS),
        st.tuples(st.just("retry"), st.booleans(), st.integers(1, 5), st.none() | KILLS),
        st.tuples(st.just("refuse"), st.integers(0, 3), st.booleans(), st.none()),
        st.tuples(st.just("opt out"), st.integers(0, 3), st.none(), st.none()),
    ),
    min_size=3,
    max_size=8,
)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.002) as sandbox, keys_of_one_person():
        yield sandbox


class KilledWorld(World):
    """One account whose runs are killed now and then."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        super().__init__(sandbox, folder)
        self.sent: list[tuple[str, int]] = []  # by retries
        self.left: dict[str, int] = {}  # by address, the first version of a row that may have taken it off last
        self.may_repeat = False
        self.may_withhold = False  # a retry closed rejects of people whose former address opted out

    def killing(self, how: tuple[int, bool] | None, run: Any) -> Any:
        """What a run returns; None if it was killed."""
        if how is None:
            return run()
        with killed_at(how[0], is_made=how[1]) as was_killed:
            result = run()
        jobs = self.mailjet.sandbox.mailjet.jobs
        until(lambda: all(job["status"] not in {"Pending", "In Progress"} for job in jobs()))
        if was_killed():
            event("killed")
            return None
        return result

    def run(self, changes: list[tuple[int, int, str, bool]], size: int, how: tuple[int, bool] | None = None) -> None:
        records = self.pending + [self.record(*change) for change in changes]
        again = {one["city"] for one in self.pending}  # whatever became of them, they are judged anew
        self.retried -= again
        self.sent = [one for one in self.sent if one[1] not in again]
        self.pending = []
        members = set(self.mailjet.statuses())
        messages = [{"type": "RECORD", "stream": "people", "record": one} for one in records]
        columns = {name: {} for name in ("id", "email", "city", "visits", "properties", "subscription_status")}
        columns["_sdc_deleted_at"] = {"type": ["string", "null"]}
        rows = [schema(columns=columns), *messages, state(1)]
        result = self.killing(how, lambda: self.mailjet.deliver(rows, batch_rows=size, jobs_in_flight=2))
        for address in members - set(self.mailjet.statuses()):
            mine = [
                one["city"]
                for one in records
                if address in self.addresses_of.get(one["id"], ()) and one["visits"] == 1 and "properties" not in one
            ]
            self.left[address] = max(self.left.get(address, 0), min(mine, default=0))
        if result is None:
            self.pending = records
            return
        assert result.error is None, result.log
        latest = max(files_of(self.mailjet.folder))  # earlier ones may be of killed runs
        ends = self.outcomes(files_of(self.mailjet.folder) - {latest})
        self.lines += [(one["city"], end) for one, end in zip(records, ends, strict=True)]
        self.settle()
        self.check_open()

    def again(self, size: int, how: tuple[int, bool] | None, *, mends: bool) -> bool:
        """Send them again; whether it was not killed."""
        opened, before, status = self.open(), self.versions(), self.mailjet.statuses()
        received = len(self.mailjet.received())
        config = {"properties": ["city"]} if mends else {}
        self.may_repeat = self.may_repeat or bool(self.store().refused)
        result = self.killing(how, lambda: self.mailjet.retry(batch_rows=size, jobs_in_flight=2, **config))
        assert result is None or result.error is None, result.log
        is_out = "unsubscribed" in self.mailjet.statuses().values()
        self.may_withhold = self.may_withhold or (is_out if result is None else result.outcomes["withheld"] > 0)
        versions, now = self.versions(), self.mailjet.statuses()
        for email, version in versions.items():
            assert version >= before.get(email, 0), (email, version, before)
            if version != before.get(email, 0):
                # A request that a killed run had made may take effect later.
                assert version in [one["city"] for one in (*opened, *self.pending)]
        for email in set(now) - set(status):
            assert versions[email] > self.left.get(email, 0), (email, versions, self.left)
        for email, how_ in status.items():
            if how_ == "unsubscribed":
                assert now.get(email) == "unsubscribed"
        contacts = [row["contact"] for row in self.mailjet.received()[received:] if row["contact"].get("Properties")]
        self.sent += [(one["Email"], one["Properties"].get("city")) for one in contacts]
        self.may_repeat = self.may_repeat or bool(result and result.outcomes["resubmitted"])
        assert len({*self.sent}) == len(self.sent) or self.may_repeat
        self.may_be_closed.update(one["city"] for one in opened)
        if result is None:
            self.retried.update(self.may_be_closed - {each["city"] for each in self.open()})
        else:
            self.settle()
        self.check_open()
        return result is not None

    def settle(self) -> None:
        """A run ended: what killed retries had under way is over."""
        self.retried.update(self.may_be_closed - {each["city"] for each in self.open()})
        self.may_be_closed.clear()

    def end(self) -> None:
        """All is mended, the input is delivered, and rejects are sent again: none is forgotten."""
        self.store().refused.clear()
        if not any(one.name == "shoes" for one in self.store().properties.rows):
            self.mailjet.sandbox.mailjet.add_property("shoes", "int")
        self.run([], 3)
        self.again(3, None, mends=True)
        self.again(3, None, mends=True)
        versions = self.versions()
        for at, (version, end) in enumerate(self.lines):
            row, later = self.rows[version], self.lines[at + 1 :]
            mine = {row["email"]} if row["email"] is not None else self.addresses_of[row["id"]]
            others = [self.rows[one] for one, _ in later]
            touching = [one for one in others if one["id"] == row["id"] or mine & self.addresses_of[one["id"]]]
            is_plain = row["email"] is not None and not {"subscription_status", "_sdc_deleted_at"} & row.keys()
            if end == "rejected" and is_plain and not touching and not self.may_withhold:
                event("none forgotten")
                assert versions.get(row["email"]) == version, (row, versions, self.open())


@pytest.mark.slow
@pytest.mark.machine
@machine(short=12, long=400)
@given(steps=STEPS)
def test_p3_p5_killed_runs_and_retries_bring_nothing_older_and_forget_none(sandbox, steps):
    with tempfile.TemporaryDirectory() as folder:
        world = KilledWorld(sandbox, Path(folder))
        for kind, what, how, kill in steps:
            if kind == "run":
                world.run(what, how, kill)
            elif kind == "retry":
                world.again(how, kill, mends=what)
            elif kind == "opt out":
                world.mailjet.opt_out(PLACES[what])
            elif how:
                sandbox.mailjet.refuse([PLACES[what]])
            else:
                world.store().refused.clear()
        world.end()
