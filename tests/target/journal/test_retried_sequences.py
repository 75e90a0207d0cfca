"""Rejects sent again between runs: nothing older than what came since, nobody who opted out, each once, none forgotten.

The versions of a person are cities, numbered in the order of the rows; the provider keeps them per address, also of
people who left the list.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from tests.history import files_of, read_history
from tests.searching import machine
from tests.target.conftest import LIST, Mailjet, schema, state
from tests.target.machines import keys_of_one_person

PLACES = tuple(f"person{number}@example.com" for number in range(4))
CODES = ("wrong_type", "unknown_property", "refused_by_provider", "unknown_key")
#: What a row says; rejected are "many" (until the setting is changed), "shoes" (until there is such a property), and
#: rows of addresses that the provider refuses.
KINDS = ("good", "good", "good", "many", "many", "shoes", "opt-out", "excluded", "deleted", "deleted by key")
ROWS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 3), st.sampled_from(KINDS), st.booleans()), min_size=1, max_size=7
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), ROWS, st.integers(1, 5)),
        st.tuples(st.just("run"), ROWS, st.integers(1, 5)),
        st.tuples(st.just("retry"), st.sampled_from([None, None, *CODES]), st.booleans()),
        st.tuples(st.just("opt out"), st.integers(0, 3), st.none()),
        st.tuples(st.just("refuse"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("shoes"), st.none(), st.none()),
    ),
    min_size=2,
    max_size=8,
)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.002) as sandbox, keys_of_one_person():
        yield sandbox


class World:
    """One account, its source, and what is known of the rows that came."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        sandbox.reset()
        sandbox.mailjet.add_list(LIST)
        sandbox.mailjet.add_property("city", "int")
        sandbox.mailjet.add_property("visits", "int")
        config = {
            "mailjet_api_key": sandbox.api_key,
            "mailjet_secret_key": sandbox.secret_key,
            "mailjet_base_url": sandbox.url,
            "list": LIST,
            "properties": ["city", "visits"],
            "journal": str(folder / "journal.sqlite"),
            "poll_interval": 0.01,
            "poll_max_interval": 0.01,
            "max_rejected": "100%",
            "max_removals": "100%",
        }
        self.mailjet = Mailjet(sandbox, folder, config)
        self.count = 0
        self.rows: dict[int, dict[str, Any]] = {}  # by version
        self.lines: list[tuple[int, str]] = []  # version and outcome, in the order of all rows
        self.pending: list[dict[str, Any]] = []  # rows of killed runs, which come again
        self.retried: set[int] = set()  # versions that a retry settled
        self.may_be_closed: set[int] = set()  # versions that a killed retry may have under way
        self.addresses_of: dict[int, set[str]] = {}  # that a key ever had

    def store(self):
        return self.mailjet.sandbox.mailjet._account.store

    def versions(self) -> dict[str, int]:
        """By address, the version that the provider has, of people who left, too."""
        contacts = self.mailjet.sandbox.mailjet.contacts()
        return {email: int(one["properties"].get("city") or 0) for email, one in contacts.items()}

    def open(self) -> list[dict[str, Any]]:
        """The open rejects in the journal, in order."""
        if not (self.mailjet.folder / "journal.sqlite").exists():
            return []
        with contextlib.closing(sqlite3.connect(self.mailjet.folder / "journal.sqlite")) as journal:
            rows = journal.execute("SELECT code, record, attempt FROM open_rejects ORDER BY n").fetchall()
        return [json.loads(record) | {"code": code, "attempt": attempt} for code, record, attempt in rows]

    def outcomes(self, before: set[Path]) -> list[str]:
        (path,) = files_of(self.mailjet.folder) - before
        rows = read_history(path)["mailing_outcomes"]
        return [row["outcome"] for row in sorted(rows, key=lambda row: row["line"])]

    def run(self, changes: list[tuple[int, int, str, bool]], size: int) -> None:
        records = [self.record(*change) for change in changes]
        before = files_of(self.mailjet.folder)
        messages = [{"type": "RECORD", "stream": "people", "record": one} for one in records]
        columns = {name: {} for name in ("id", "email", "city", "visits", "properties", "subscription_status")}
        columns["_sdc_deleted_at"] = {"type": ["string", "null"]}
        result = self.mailjet.deliver([schema(columns=columns), *messages, state(1)], batch_rows=size)
        assert result.error is None, result.log
        ends = self.outcomes(before)
        self.lines += [(one["city"], end) for one, end in zip(records, ends, strict=True)]
        self.check_open()

    def record(self, key: int, place: int, kind: str, moves: bool) -> dict[str, Any]:
        self.count += 1
        address = PLACES[place if moves else key]
        row: dict[str, Any] = {"id": key, "email": address, "city": self.count, "visits": 1}
        row |= {"visits": "many"} if kind == "many" else {}
        row |= {"properties": {"shoes": 44}} if kind == "shoes" else {}
        if kind in {"opt-out", "excluded"}:
            row["subscription_status"] = "unsubscribed" if kind == "opt-out" else kind
        if kind.startswith("deleted"):
            row |= {"_sdc_deleted_at": "2026-01-01T00:00:00Z"} | ({"email": None} if kind.endswith("key") else {})
        self.addresses_of.setdefault(key, set()).update([address] if row["email"] else [])
        self.rows[self.count] = row
        return row

    def check_open(self) -> None:
        """Those that nothing can have closed are open, and none that something certainly closed."""
        found = [one["city"] for one in self.open()]
        assert len({*found}) == len(found)
        for at, (version, end) in enumerate(self.lines):
            row, later = self.rows[version], self.lines[at + 1 :]
            others = [(self.rows[one], how) for one, how in later]
            same_key = [how for one, how in others if one["id"] == row["id"]]
            mine = {row["email"]} if row["email"] is not None else self.addresses_of[row["id"]]
            newer = [*(one for one, _ in others), *self.pending]
            touching = [one for one in newer if one["id"] == row["id"] or mine & self.addresses_of[one["id"]]]
            if end == "rejected" and not touching and version not in self.retried | self.may_be_closed:
                assert version in found, (version, row)
            if version in found:
                assert end in {"rejected", "superseded"}, (row, end)
                assert version not in self.retried
                settled = {"delivered", "unchanged", "withheld", "skipped"}
                assert not settled.intersection(same_key), (row, others)
                assert not [how for one, how in others if one["email"] == row["email"] is not None and how in settled]

    def retry(self, code: str | None, *, mends: bool) -> None:
        opened = self.open()
        wanted = [one for one in opened if code in {None, one["code"]}]
        if code is not None and opened and not wanted:
            return
        before, status = self.versions(), self.mailjet.statuses()
        config = {"properties": ["city"]} if mends else {}
        codes = [] if code is None else [code]
        plan = self.mailjet.retry(codes=codes, mode="plan", **config)
        assert (self.open(), self.versions(), self.mailjet.statuses()) == (opened, before, status)
        sent = len(self.mailjet.received())
        result = self.mailjet.retry(codes=codes, **config)
        assert (plan.error, result.error) == (None, None), result.log
        assert result.outcomes["rows"] == len(wanted)
        if "refused_by_provider" not in result.outcomes["reasons"]:
            names = ("delivered", "unchanged", "superseded", "withheld")
            assert len({sum(one.outcomes[name] for name in names) for one in (plan, result)}) == 1
            assert plan.outcomes["rejected"] == result.outcomes["rejected"]
        assert result.states == []
        contacts = [row["contact"] for row in self.mailjet.received()[sent:] if row["contact"].get("Properties")]
        again = [(one["Email"], one["Properties"].get("city")) for one in contacts]
        assert len({*again}) == len(again) or self.store().refused, (
            again
        )  # else the others of a failed job are repeated
        left = [one["city"] for one in self.open()]
        assert {*left} <= {one["city"] for one in opened}
        closed = [one["city"] for one in opened if one["city"] not in left]
        event(f"retried: {min(len(wanted), 2)}, closed: {min(len(closed), 2)}")
        for email, version in self.versions().items():
            if version != before.get(email, 0):
                assert version > before.get(email, 0), (email, version, before)
                # Where the provider refuses a former address of the key, its row is rejected although its content came.
                assert version in closed or self.addresses_of[self.rows[version]["id"]] & self.store().refused
        for email, how in status.items():
            if how == "unsubscribed":
                assert self.mailjet.statuses().get(email) == "unsubscribed"
        self.retried.update(closed)
        self.check_open()


@pytest.mark.slow
@pytest.mark.machine
@machine(short=30, long=400)
@given(steps=STEPS)
@example(
    steps=[("run", [(2, 0, "good", True)], 1), ("refuse", 0, True), ("run", [(2, 0, "good", False)] * 2, 3)]
)  # the reject of the first of two rows was closed by the second, which was rejected, too
@example(steps=[("run", [(1, 0, "good", True)], 1), ("refuse", 0, True), ("run", [(1, 0, "many", False)], 1)])
def test_p5_rejects_sent_again_bring_nothing_older_and_subscribe_nobody_who_opted_out(sandbox, steps):
    with tempfile.TemporaryDirectory() as folder:
        world = World(sandbox, Path(folder))
        for kind, what, how in [*steps, ("retry", None, True)]:
            if kind == "run":
                world.run(what, how)
            elif kind == "retry":
                world.retry(what, mends=how)
            elif kind == "opt out":
                world.mailjet.opt_out(PLACES[what])
            elif kind == "refuse" and how:
                sandbox.mailjet.refuse([PLACES[what]])
            elif kind == "refuse":
                world.store().refused.clear()
            elif not any(one.name == "shoes" for one in world.store().properties.rows):
                sandbox.mailjet.add_property("shoes", "int")
