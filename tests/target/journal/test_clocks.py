"""A clock that was ahead in an earlier run: its times lie in the future, and nothing waits until they have passed."""

from __future__ import annotations

import time
from contextlib import closing

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from target_mailing.journal import tables
from target_mailing.journal.allowances import Allowed
from target_mailing.journal.journal import Journal
from target_mailing.journal.past_runs import PastRun, run_ids, runs_of
from target_mailing.journal.stores import FileStore, MemoryStore
from target_mailing.run_identity import run_id_at
from tests.target.conftest import person, schema, state
from tests.target.past_runs.told import told

HOUR, DAY = 3600.0, 86_400.0
#: How far ahead of now a time is, in seconds; clocks of machines may differ by an hour.
AHEAD = st.floats(-30 * DAY, 30 * 365 * DAY)


@pytest.mark.slow
@settings(max_examples=40)
@given(times=st.tuples(*[AHEAD] * 6))
def test_no_time_in_the_journal_stays_ahead(times):
    removed, named, began, base, contents, forgot = times
    with closing(Journal(MemoryStore())) as journal:
        now, connection = time.time(), journal._connection
        allowed = Allowed(1, named_at=now + named, began_at=now + began, base_at=now + base)
        values = {
            tables.removed: {"contact": 1, "destination": 1, "is_move": False, "allowance": 0, "at": now + removed},
            tables.allowances: msgspec.structs.asdict(allowed),
            tables.contents: {"contact": 1, "destination": 1, "since": now + contents, "at": now + contents},
        }
        for table, row in values.items():
            connection.execute(sa.insert(table), row)
        connection.commit()
        journal.retention.forget_before(now + forgot)  # by that clock
        known_since = journal.retention.forget_before(now - 7 * DAY)
        latest = time.time()
        assert known_since <= latest
        assert known_since >= min(max(now - 7 * DAY, now + forgot), now)
        assert journal.retention.forget_before(now - 7 * DAY) == known_since
        for table, row in values.items():
            found = connection.execute(sa.select(table)).mappings().first()
            if table is tables.removed and found is None:
                assert removed < HOUR - DAY
                continue
            for name, value in row.items():
                if not isinstance(value, float) or value <= now + HOUR:
                    assert found[name] == value
                elif value > latest + HOUR:
                    assert now <= found[name] <= latest


def test_runs_of_a_clock_that_was_ahead_are_not_the_last(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    ahead = f"{run_id_at(time.time() + 9 * DAY)}-00000000"
    with closing(Journal(FileStore(mailjet.folder / "journal.sqlite"))) as journal:
        run = PastRun(run_id=ahead, account=None, list=None, version=None, history=None, started_at=0.0)
        journal.past_runs.begin(run, "")
        before = run_ids(journal._connection, "", 9)
        assert before[1:] == [ahead]
        assert [run.run_id for run in runs_of(journal._connection, before)] == before
    mailjet.deliver([schema(), person(2), state(2)])
    assert f"Run {ahead}" not in told(mailjet, "last")
    assert told(mailjet).splitlines()[-3].startswith(ahead)
