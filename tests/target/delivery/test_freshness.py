"""Whatever wait a provider asks for, a submission is tried again within an hour, so that deadlines are seen."""

from __future__ import annotations

import math

import pytest

from mailing_api.errors import RateLimited
from target_mailing.delivery.freshness import later
from target_mailing.interface.destination import Work


@pytest.mark.parametrize(("seconds", "waited"), [(0.0, 0.0), (20.0, 20.0), (1e9, 3600.0), (math.inf, 3600.0)])
def test_a_submission_is_put_off_for_an_hour_at_most(seconds, waited):
    again = later(Work(action="add", rows=(), evidence={}), RateLimited("Too many."), seconds, is_crowded=True)
    assert (again.after, again.rewind, again.is_crowded) == (waited, False, True)
