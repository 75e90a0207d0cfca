"""Which times of a job let a batch adopt it, however the provider writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from target_mailing.delivery.jobs import is_near
from target_mailing.interface.destination import Work

NOW = datetime.now(UTC).replace(microsecond=0)
EARLIER = NOW - timedelta(days=2)
CALL = Work(action="add", rows=(), evidence={}, begun_at=NOW.timestamp())
LOST = Work(action="add", rows=(), evidence={}, begun_at=EARLIER.timestamp(), lost_at=EARLIER.timestamp() + 30)


def forms(moment):
    seconds = int(moment.timestamp())
    return [seconds, float(seconds), str(seconds), f"{moment:%Y-%m-%dT%H:%M:%SZ}", f"{moment:%Y-%m-%d %H:%M:%S+00:00}"]


@pytest.mark.parametrize("unset", [[], [""], [0]])
def test_p3_a_time_is_read_as_seconds_and_as_a_date(unset):
    assert all(is_near(CALL, *unset, moment) for moment in forms(NOW))
    assert not any(is_near(CALL, *unset, moment) for moment in forms(EARLIER))


def test_p3_no_job_begun_after_the_reply_was_lost_is_taken_for_the_call_s():
    assert all(is_near(LOST, moment) for moment in forms(EARLIER + timedelta(seconds=29)))
    assert not any(is_near(LOST, moment) for moment in [*forms(NOW), *forms(EARLIER + timedelta(minutes=3))])
    assert not any(is_near(CALL, moment) for moment in forms(datetime.now(UTC) + timedelta(minutes=3)))


@pytest.mark.parametrize("moment", [None, "", 0, "0", "soon", "2024-13-01T00:00:00Z", [], {}, True, 1e400, "9" * 40])
def test_p3_a_time_that_is_unset_or_unreadable_says_nothing(moment):
    assert is_near(CALL, moment) is (moment != "9" * 40)
