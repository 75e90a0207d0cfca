"""A job that the provider does not show is looked for a while, and then its rows have their end."""

from __future__ import annotations

import time

import pytest

from mailing_api.errors import NotFound
from target_mailing.delivery.jobs import FollowJob
from target_mailing.destination import Again, Finished, Work


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
