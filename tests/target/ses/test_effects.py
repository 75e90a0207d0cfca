"""The totals tell who was added, who was updated, and whose opt-out was kept."""

from __future__ import annotations

import pytest

from target_mailing.contacts.effects import as_positions, as_ranges
from tests.target.conftest import COLUMNS, people, person, schema, state
from tests.target.ses.conftest import GONE

TOPIC = COLUMNS | {"topic_News": {"type": ["string", "null"]}}


def test_rows_that_add_are_told_apart_by_what_was_there(either):
    emails = [f"person{number}@example.com" for number in range(4)]
    either.add(
        {"email": emails[0]},
        {"email": emails[1], "unsubscribed": True},
        {"email": emails[2], "topics": {"News": "OPT_OUT"}},
        {"email": emails[3]},
    )
    rows = [
        *people(range(3), topic_News="OPT_IN", subscription_status="subscribed"),
        person(3, **GONE),
        *people(range(4, 9)),
        person(9, subscription_status="unsubscribed"),
    ]
    result = either.deliver([schema(columns=TOPIC), *rows, state(1)])
    assert result.outcomes["effects"] == {"added": 5, "updated": 1, "opt_out_kept": 2, "removed": 1, "unsubscribed": 1}
    assert "10 delivered (5 added, 2 opt-out kept, 1 " in result.log
    assert either.contacts()[emails[1]]["unsubscribed"]
    assert either.deliver([schema(columns=TOPIC), *rows[:1], state(1)]).outcomes["effects"] == {}


def test_what_may_have_arrived_before_is_told_as_either(ses):
    ses.ses.plan_jobs([{"end": "failed"}])
    result = ses.deliver([schema(), *people(range(4)), state(1)])
    assert result.counts() == {"delivered": 4}
    assert result.outcomes["effects"] == {"added_or_updated": 4}


@pytest.mark.parametrize("positions", [[], [0], [0, 1, 2], [1, 3, 4, 9], [*range(1000)]])
def test_positions_are_kept_as_ranges(positions):
    ranges = as_ranges(positions)
    assert [*as_positions(ranges)] == positions
    assert len(ranges) <= len(positions)
