"""Later rows of a plan meet what its earlier rows would have changed, also where contacts are found in a listing."""

from __future__ import annotations

import pytest

from tests.target.conftest import person, schema, state
from tests.target.plan.test_plans import numbers
from tests.target.ses.conftest import _no_aws_of_this_machine, bare, either, ses

__all__ = ["_no_aws_of_this_machine", "bare", "either", "ses"]

#: More than are read one by one.
MANY = 25
DELETED = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}


def rows(**columns):
    return [person(number, **columns) for number in range(MANY)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "later",
    [
        [*rows(subscription_status="unsubscribed"), *rows(city="Oslo")],
        [*rows(city="Oslo"), *rows(city="Rome")],
        [*rows(**DELETED), *rows(city="Oslo")],
        [*rows(subscription_status="unsubscribed"), *rows(**DELETED)],
        [*rows(**DELETED), *rows(city="Oslo"), *rows(city="Rome")],
    ],
    ids=["opted out, added", "added twice", "deleted, added", "opted out, deleted", "deleted, added twice"],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_a_plan_knows_what_its_earlier_rows_would_have_changed(either, later, is_there):
    either.config |= {"properties": ["city"], "max_removals": "100%"}
    if is_there:
        either.deliver([schema(), *rows(), state(1)])
    messages = [schema(), *later, state(2)]
    plan = either.deliver(messages, mode="plan", batch_rows=MANY)
    run = either.deliver(messages, batch_rows=MANY)
    assert (plan.error, run.error) == (None, None)
    assert numbers(plan) == numbers(run)
