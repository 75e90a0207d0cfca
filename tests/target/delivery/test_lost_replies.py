"""Several replies lost at a time: a job that may be another batch's is adopted by none."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.target.conftest import people, schema, state
from tests.target.test_command import Command, lines
from tests.totals import totals

SUBMIT = "/v3/REST/contactslist/*/managemanycontacts"
LOOK = "/v3/REST/batchjob"


@pytest.fixture
def fault(mailjet):
    """Adds a fault to the calls that submit a job."""
    return lambda kind, **rule: mailjet.sandbox.faults.add(kind=kind, **{"method": "POST", "path": SUBMIT} | rule)


def start(mailjet, numbers, **config):
    process = Command(mailjet, **config).start()
    process.stdin.write(lines([schema(), *people(numbers), state(1)]))
    process.stdin.close()
    return process


def finished(process):
    """The outcomes of a run that ends well."""
    err = process.stderr.read().decode()
    assert process.wait(30) == 0, err
    return totals(err)


def sent(mailjet):
    """How often rows were received: the numbers of rows received once, twice, …"""
    times = Counter(row["contact"]["Email"] for row in mailjet.received())
    return Counter(times.values())


def addresses(numbers):
    return {f"person{number}@example.com" for number in numbers}


@pytest.mark.slow
@pytest.mark.parametrize("arrived", [0, 1], ids=["the first arrived", "the second arrived"])
def test_p3_killed_with_two_replies_missing_one_job_is_taken_for_neither(mailjet, fault, arrived):
    held = [fault("hold", when="after" if at == arrived else "before") for at in range(2)]
    with start(mailjet, range(6), batch_rows=3) as process:
        for one in held:
            one.wait_until_held()
        process.kill()
    mailjet.sandbox.faults.clear()
    with start(mailjet, range(6)) as process:
        outcomes = finished(process)
    assert mailjet.members().keys() == addresses(range(6))
    assert sent(mailjet) == {1: 3, 2: 3}
    assert (outcomes["adopted"], outcomes["resubmitted"]) == (0, 6)


@pytest.mark.slow
def test_p3_a_job_whose_own_reply_is_still_to_come_is_not_adopted_by_another_batch(mailjet, fault):
    other = fault("hold", when="after")
    fault("reset")
    looks = mailjet.sandbox.faults.add(kind="hold", method="GET", path=LOOK, when="before")
    with start(mailjet, range(6), batch_rows=3) as process:
        other.wait_until_held()
        looks.wait_until_held()
        looks.release()
        mailjet.sandbox.faults.add(kind="slow", method="POST", path=SUBMIT, seconds=0.0).wait_until_hit()
        other.release()
        outcomes = finished(process)
    assert mailjet.members().keys() == addresses(range(6))
    assert sent(mailjet) == {1: 6}
    assert (outcomes["adopted"], outcomes["resubmitted"]) == (0, 3)


@pytest.mark.slow
def test_p3_a_job_that_an_earlier_run_could_not_adopt_is_not_adopted_later(mailjet, fault):
    held = [fault("hold", when=when) for when in ("after", "before")]
    with start(mailjet, range(6), batch_rows=3) as process:
        for one in held:
            one.wait_until_held()
        process.kill()
    mailjet.sandbox.faults.clear()
    fault("reset", skip=2)
    with start(mailjet, range(9), batch_rows=3, jobs_in_flight=1) as process:
        outcomes = finished(process)
    assert mailjet.members().keys() == addresses(range(9))
    assert (outcomes["adopted"], outcomes["resubmitted"]) == (0, 6 + 3)


@pytest.mark.slow
def test_p3_a_job_that_this_run_could_not_adopt_is_not_adopted_later(mailjet, fault):
    fault("reply_lost")
    other = fault("hold", when="after")
    fault("reset", skip=1)
    with start(mailjet, range(9), batch_rows=3, jobs_in_flight=2) as process:
        other.wait_until_held()
        other.release()
        outcomes = finished(process)
    assert mailjet.members().keys() == addresses(range(9))
    assert sent(mailjet) == {1: 6, 2: 3}
    assert (outcomes["adopted"], outcomes["resubmitted"]) == (0, 3 + 3)
