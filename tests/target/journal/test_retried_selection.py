"""Which records a run sends again, and in which order, whatever is read together."""

from __future__ import annotations

import json
from contextlib import closing
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from target_mailing.journal import retried, tables
from target_mailing.journal.journal import Journal
from target_mailing.journal.retried import Retried, Selection
from target_mailing.journal.stores import MemoryStore

BOTH = {"people": ["one", "two"]}


@pytest.fixture
def journal():
    with closing(Journal(MemoryStore())) as journal:
        yield journal


def keep(journal, place, *, destination="one", attempt=1, key=b"", code="refused", content=""):
    """Let the record of a line be rejected."""
    record = json.dumps({"id": place, "content": content}).encode()
    row = {
        "n": place, "destination": destination, "stream": "people", "key": key or b"%d" % place, "contact": place,
        "record": record, "size": len(record), "code": code, "attempt": attempt, "at": 1.0, "run": "run",
    }  # fmt: skip
    with journal._transaction():
        journal._connection.execute(sa.insert(tables.open_rejects), row)
    journal.open_rejects.is_empty = False


def sent(selected, destinations=BOTH):
    lines = [json.loads(line) for some in selected.records(1, destinations) for line in some]
    return [(line["record"]["id"], line["record"]["_reject_attempt"]) for line in lines]


@pytest.mark.parametrize("together", [1, 2, 3, 500])
@pytest.mark.parametrize("most", [1, 60, 1 << 20])
def test_each_line_is_sent_once_in_order_with_the_most_attempts_of_its_destinations(
    journal, monkeypatch, together, most
):
    monkeypatch.setattr(retried, "_TOGETHER", together)
    monkeypatch.setattr(retried, "_BYTES", most)
    for place in (5, 3, 4, 1):
        keep(journal, place, attempt=place)
    keep(journal, 3, destination="two", attempt=9)
    keep(journal, 4, destination="two", attempt=1)
    selected = Retried(journal, Selection())
    assert selected.counts(BOTH) == {"refused": 4}
    assert sent(selected) == [(1, 1), (3, 9), (4, 4), (5, 5)]
    assert [*journal.open_rejects.places] == [0, 1, 3, 4, 5]


def test_records_are_sent_only_where_the_settings_lead(journal):
    keep(journal, 1, attempt=2)
    keep(journal, 1, destination="two", attempt=7)
    keep(journal, 2, destination="two")
    selected = Retried(journal, Selection())
    assert sent(selected, {"people": ["one"]}) == [(1, 2)]
    assert selected.left_alone == 0


@pytest.mark.parametrize("of", ["id", "key", "also"])
def test_p5_what_a_batch_of_an_earlier_run_has_under_way_is_left_alone(journal, monkeypatch, of):
    keep(journal, 1, key=b"mine")
    keep(journal, 2, key=b"theirs")
    row = SimpleNamespace(id=0, key=None, also={})
    vars(row).update({"id": {"id": 1}, "key": {"key": b"mine"}, "also": {"also": {b"mine": 4}}}[of])
    monkeypatch.setattr(journal, "unfinished", lambda place: [SimpleNamespace(rows=[row])] if place == "one" else [])
    selected = Retried(journal, Selection())
    assert sent(selected) == [(2, 1)]
    assert selected.left_alone == 1
