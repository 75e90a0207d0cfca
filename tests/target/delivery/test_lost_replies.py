"""Several replies lost at a time: each job is found again, and is taken for no other batch's."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import suppress

import httpx
import pytest

from tests.target.command.test_command import Command, lines
from tests.target.conftest import people, schema, state
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
def test_p3_killed_with_two_replies_missing_the_job_is_taken_for_the_batch_whose_rows_it_has(mailjet, fault, arrived):
    held = [fault("hold", when="after" if at == arrived else "before") for at in range(2)]
    with start(mailjet, range(6), batch_rows=3) as process:
        for one in held:
            one.wait_until_held()
        process.kill()
    mailjet.sandbox.faults.clear()
    with start(mailjet, range(6)) as process:
        outcomes = finished(process)
    assert mailjet.members().keys() == addresses(range(6))
    assert sent(mailjet) == {1: 6}
    assert outcomes["adopted"] >= 1  # the other one may have arrived after the kill


@pytest.mark.slow
def test_p3_no_job_is_looked_for_while_the_reply_to_another_submission_is_still_to_come(mailjet, fault):
    other = fault("hold", when="after")
    lost = fault("reset")
    with start(mailjet, range(6), batch_rows=3) as process:
        other.wait_until_held()
        lost.wait_until_hit()
        time.sleep(0.3)
        assert not mailjet.sandbox.counters.calls.get(f"GET {LOOK}")
        other.release()
        outcomes = finished(process)
    assert mailjet.members().keys() == addresses(range(6))
    assert sent(mailjet) == {1: 6}
    assert outcomes["adopted"] == 0
    assert outcomes["resubmitted"] in {1, 2, 3}  # batches of these sizes, whichever comes first


@pytest.mark.slow
def test_p3_a_job_that_an_earlier_run_adopted_is_not_adopted_later(mailjet, fault):
    held = [fault("hold", when=when) for when in ("after", "before")]
    with start(mailjet, range(6), batch_rows=3) as process:
        for one in held:
            one.wait_until_held()
        process.kill()
    mailjet.sandbox.faults.clear()
    fault("reset", skip=1)
    with start(mailjet, range(9), batch_rows=3, jobs_in_flight=1) as process:
        outcomes = finished(process)
    assert mailjet.members().keys() == addresses(range(9))
    assert sent(mailjet) == {1: 9}
    assert outcomes["adopted"] >= 1  # the second one may have arrived after the kill


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_p3_of_a_hundred_lost_replies_all_jobs_are_found_whatever_others_do(mailjet, seed):
    """Four submissions are on their way, jobs take random times, another program has jobs on the same list."""
    chance = random.Random(seed)
    mailjet.sandbox.mailjet.plan_jobs([{"seconds": chance.uniform(0.0, 0.1)} for _ in range(400)])
    mailjet.sandbox.faults.add(kind="reply_lost", method="POST", path=SUBMIT, skip=chance.randrange(50), times=100)
    mailjet.sandbox.faults.add(kind="slow", method="POST", path=SUBMIT, seconds=0.01, times=None)
    foreign = threading.Thread(target=_submit_as_another, args=(mailjet, [41, 43, 47]))
    foreign.start()
    with start(mailjet, range(2000), batch_rows=13, jobs_in_flight=4) as process:
        outcomes = finished(process)
    foreign.join()
    assert mailjet.members().keys() >= addresses(range(2000))
    assert outcomes["delivered"] == 2000
    assert outcomes["adopted"] >= 95
    assert sum(times for count, times in sent(mailjet).items() if count > 1) <= 5 * 13


def _submit_as_another(mailjet, sizes):
    for size in sizes:
        contacts = [{"Email": f"foreign{size}-{number}@example.com"} for number in range(size)]
        with suppress(httpx.TransportError):  # its reply may be the one that is lost
            httpx.post(
                f"{mailjet.sandbox.url}/v3/REST/contactslist/{mailjet.list_id}/managemanycontacts",
                json={"Action": "addnoforce", "Contacts": contacts},
                auth=(mailjet.sandbox.api_key, mailjet.sandbox.secret_key),
            )
        time.sleep(0.3)
