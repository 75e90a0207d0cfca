"""A job that the provider does not show is looked for a while, and then its rows have their end."""

from __future__ import annotations

import time

from mailing_api.errors import NotFound
from target_mailing.delivery.jobs import FollowJob
from target_mailing.destination import Again, Finished, Work


class Follow(FollowJob):
    def read(self, job_id):
        raise NotFound("no such job", status=404)

    def ended(self, job_id, job, work):
        raise AssertionError(job_id)


def test_a_job_that_does_not_show_up_is_given_up_after_a_minute():
    work = Work(action="add", rows=[], evidence={"submit": {"job": 7}}, begun_at=time.time())
    assert isinstance(Follow().run(work), Again)
    work.begun_at -= 120
    found = Follow().run(work)
    assert isinstance(found, Finished)
    assert (found.job, found.unresolved) == ("7", True)
