"""A run of Example Mail's that is killed, or that loses a reply, adopts its job by its label."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fifth.conftest import rows

pytestmark = pytest.mark.slow


def submitted(world):
    return [len(job.lines) for job in world.mail.jobs()]


def test_p3_the_next_run_adopts_the_job_of_one_that_was_killed(world):
    world.kill(rows(range(3)))
    result = world.deliver(rows(range(3)))
    assert (result.states, result.outcomes) == ([{"number": 1}], {"unchanged": 3}), result.log
    assert (result.totals["adopted"], result.totals["resubmitted"]) == (1, 0)
    assert submitted(world) == [3]


def test_p3_a_job_whose_reply_was_lost_is_adopted(world):
    world.sandbox.faults.add(kind="reply_lost", method="POST", path="*/jobs")
    result = world.deliver(rows(range(3)))
    assert (result.states, result.outcomes) == ([{"number": 1}], {"delivered": 3}), result.log
    assert (result.totals["adopted"], submitted(world)) == (1, [3])


def test_p3_a_job_that_may_be_somebody_else_s_is_not_adopted_and_nobody_is_doubled(world):
    world.mail.change(examplemail_shows_labels=False)
    world.kill(rows(range(3)))
    ours = world.mail.jobs()[0]
    world.mail.all_jobs["job999999"] = replace(ours, number="job999999", state="waiting")
    result = world.deliver(rows(range(3)))
    assert (result.states, result.totals["adopted"]) == ([{"number": 1}], 0), result.log
    assert sorted(world.standings().values()) == [f"canary{number}@example.com active" for number in range(3)]


def test_p3_without_labels_a_job_is_waited_for_and_nobody_is_doubled(world):
    world.mail.change(examplemail_shows_labels=False)
    world.sandbox.faults.add(kind="reply_lost", method="POST", path="*/jobs")
    result = world.deliver(rows(range(3)))
    assert (result.states, result.outcomes) == ([{"number": 1}], {"delivered": 3}), result.log
    assert (result.totals["adopted"], result.totals["resubmitted"]) == (0, 3)
    assert len(world.standings()) == 3


def test_p3_what_was_not_submitted_is_begun_again(world):
    world.kill(rows(range(3)), when="before")
    result = world.deliver(rows(range(3)))
    assert (result.states, result.outcomes) == ([{"number": 1}], {"delivered": 3}), result.log
    assert len(world.standings()) == 3
