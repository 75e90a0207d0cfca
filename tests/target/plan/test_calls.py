"""What a plan says of its calls."""

from __future__ import annotations

from target_mailing.plan.calls import PlannedCalls


def test_the_time_of_the_calls_is_for_people_whatever_rate_was_found():
    calls = PlannedCalls(calls=1200, looks=0, jobs=0, timed=0, job_seconds=None)
    assert [*calls.sentences(21.70918)] == ["A delivery makes 1200 calls.", "At 21.7 calls a second they take 55 s."]
    assert [*calls.sentences(0.25)][1] == "At 0.25 calls a second they take 1 h 20 min."
