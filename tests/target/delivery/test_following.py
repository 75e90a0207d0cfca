"""A job that the provider does not show is looked for a while, and then its rows have their end."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from mailing_api.errors import NotFound, ProviderFault, RateLimited
from target_mailing.delivery.batch import Batch
from target_mailing.delivery.following import Following
from target_mailing.delivery.jobs import FollowJob
from target_mailing.interface.destination import Again, Finished, Work
from target_mailing.settings.settings import StreamSettings


class Follow(FollowJob):
    def read(self, job_id):
        raise NotFound("no such job", status=404)

    def ended(self, job_id, job, work):
        raise AssertionError(job_id)


@pytest.mark.parametrize(("missing", "seconds"), [(0, 500), (1, 500), (9, 50)])
def test_a_job_is_not_given_up_by_one_look_or_soon(missing, seconds):
    assert Follow().run(looked_for(missing, seconds)) == Again(is_missing=True)


def looked_for(missing, seconds):
    since = time.time() - seconds
    evidence = {"submit": {"job": 7}}
    return Work(action="add", rows=[], evidence=evidence, begun_at=1.0, missing=missing, missing_since=since)


@pytest.mark.parametrize(("missing", "seconds"), [(2, 500), (9, 61)])
def test_a_job_that_does_not_show_up_is_given_up_after_several_looks_over_a_minute(missing, seconds):
    found = Follow().run(looked_for(missing, seconds))
    assert isinstance(found, Finished)
    assert (found.job, found.unresolved) == ("7", True)


class Queue:
    settings = StreamSettings.resolve({"list": 1, "job_timeout": 100}, None)
    job_times = SimpleNamespace(ended=lambda _: None)


@pytest.fixture
def failing():
    """What follows jobs, and one of its batches, whose polls fail."""
    following = Following(None, SimpleNamespace(later=lambda _: ()), None, take=None, runs=None)
    batch = Batch(1, Queue(), "add", "only", [], (), recovered=True)
    batch.begun_at = batch.since = time.time()
    return following, batch


def test_a_provider_that_fails_is_told_once_and_so_is_its_return(failing, caplog):
    following, batch = failing
    for _ in range(3):
        batch.polled_at = time.monotonic() - 50
        assert not following.is_given_up(batch, ProviderFault("The server failed.", status=500))
        assert following.is_unreachable
    following.ended(batch)
    following.ended(batch)
    assert not following.is_unreachable
    assert [text.split(".")[0].split(",")[0] for text in caplog.messages] == [
        "Jobs under way cannot be polled",
        "The provider answers again",
    ]


def test_a_job_whose_polls_fail_again_and_again_is_given_up(failing):
    following, batch = failing
    error = RateLimited("Too many requests.", status=429)
    assert [following.is_given_up(batch, error) for _ in range(10)] == [False] * 9 + [True]
    assert not following.is_unreachable
    batch.failed_polls, batch.since = 0, time.time() - 101
    following._run_began -= 200
    assert following.is_given_up(batch, error)
