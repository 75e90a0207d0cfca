"""When whole batches fail one after the other without naming rows, the run stops; with faulty rows it does not."""

from __future__ import annotations

import pytest

from target_mailing.delivery.brake import Brake
from tests.target.conftest import people, schema, state

BATCHES, ROWS = 12, 16


@pytest.mark.slow
def test_batches_that_all_fail_without_naming_rows_stop_the_run_and_stay_for_the_next(mailjet):
    sandbox = mailjet.sandbox.mailjet
    sandbox.change(error_file="missing", good_rows_loaded=False)
    sandbox.plan_jobs([{"end": "error"}] * 500)
    messages = [schema(), *people(range(BATCHES * ROWS)), state(1)]
    options = {"batch_rows": ROWS, "jobs_in_flight": 4}
    result = mailjet.deliver(messages, **options)
    assert "failed as a whole one after the other" in str(result.error)
    assert result.states == []
    assert result.rejects == [], "no row is to blame"
    assert len(sandbox.jobs()) <= 30
    sandbox.forget_plans()
    sandbox.change(error_file="list")
    again = mailjet.deliver(messages, **options)
    assert again.states == [1]
    assert again.counts() == {"delivered": BATCHES * ROWS}


def test_failures_count_from_the_last_success():
    brake = Brake()
    for _ in range(5):
        assert not any(brake.failed(is_part=False) for _ in range(3))
        assert not any(brake.failed(is_part=True) for _ in range(11))
        brake.succeeded()
    assert not any(brake.failed(is_part=True) for _ in range(50))
    assert [brake.failed(is_part=False) for _ in range(3)] == [False, False, True]


@pytest.mark.slow
def test_a_faulty_row_in_each_batch_is_found_by_splitting(mailjet):
    sandbox = mailjet.sandbox.mailjet
    sandbox.change(error_file="missing", good_rows_loaded=False)
    faulty = [f"person{number}@example.com" for number in range(5, BATCHES * ROWS, ROWS)]
    sandbox.plan_jobs([{"bad_rows": faulty}] * 500)
    messages = [schema(), *people(range(BATCHES * ROWS)), state(1)]
    result = mailjet.deliver(messages, batch_rows=ROWS)
    assert result.error is None
    assert sorted(reject["record"]["email"] for reject in result.rejects) == sorted(faulty)
    assert result.states == [1]
