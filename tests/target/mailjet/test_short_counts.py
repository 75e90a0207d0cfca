"""Jobs that complete without an error, but count fewer contacts than they were given: a few calls show who is there."""

from __future__ import annotations

import pytest

from mailing_sandbox.mailjet.jobs import Jobs
from mailing_sandbox.mailjet.load import JsonLoad
from tests.target.conftest import readers, schema, state

READS = ("/getcontactslists", "/contact/{id}", "/contactdata/{id}")


@pytest.fixture
def omitting(monkeypatch):
    """Lets jobs omit some people without a word, and count the others."""
    silent: set[str] = set()
    write, go_on = JsonLoad._write, Jobs._import

    def written(load, email, *row):
        if email not in silent:
            write(load, email, *row)

    def gone_on(jobs, job, target):
        go_on(jobs, job, target)
        job.current -= sum(one["Email"] in silent for one in job.load._contacts) if job.load else 0

    monkeypatch.setattr(JsonLoad, "_write", written)
    monkeypatch.setattr(Jobs, "_import", gone_on)
    return lambda numbers: silent.update(f"person{number}@example.com" for number in numbers)


def reads(mailjet):
    """Calls that read a contact back."""
    calls = mailjet.sandbox.counters.calls.items()
    return sum(count for call, count in calls if call.startswith("GET") and call.endswith(READS))


def address(number):
    return f"person{number}@example.com"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "omitted", "most"),
    [
        (20, [3], (2, 21)),  # all are read, and the one that is missing is sent once more
        (20, range(20), (2, 40)),
        (300, [151], (9, 20)),  # the parts of the batch are judged by the counts of their jobs, until one is read
        (300, range(0, 300, 2), (33, 500)),  # a few of each part show that it is not as its job says
    ],
)
def test_whoever_is_missing_is_rejected_and_all_others_are_delivered(mailjet, omitting, rows, omitted, most):
    omitting(omitted)
    result = mailjet.deliver([schema(), *readers(range(rows)), state(1)])
    assert (result.error, result.states) == (None, [1])
    assert {reject["record"]["email"] for reject in result.rejects} == {*map(address, omitted)}
    assert result.outcomes["reasons"] == {"not_imported": len(omitted)}
    assert mailjet.statuses().keys() == {*map(address, range(rows))} - {*map(address, omitted)}
    assert (result.outcomes["batches"] <= most[0], reads(mailjet) <= most[1]) == (True, True)


@pytest.mark.slow
def test_whatever_a_job_omits_the_calls_are_bounded_and_nobody_is_delivered_who_is_not_there(
    mailjet, omitting, monkeypatch
):
    monkeypatch.setattr("target_mailing.delivery.batch.MAX_SPLIT_CALLS", 4)
    omitting(range(0, 400, 3))
    result = mailjet.deliver([schema(), *readers(range(400)), state(1)])
    assert result.outcomes["batches"] == 1 + 4 * 4
    assert reads(mailjet) <= 17 * 20
    refused = {reject["record"]["email"] for reject in result.rejects}
    assert {*map(address, range(400))} - refused <= mailjet.statuses().keys()
    assert sum(result.counts().values()) == 400


def test_whoever_was_there_before_shows_nothing(mailjet, omitting):
    """The job counts as many as are new, or nearly: those that were there before may be all that it omitted."""
    mailjet.deliver([schema(), *readers(range(60))])
    omitting([*range(60), 77])
    result = mailjet.deliver([schema(), *readers(range(100)), state(1)], send="all")
    assert result.counts() == {"delivered": 99, "rejected": 1}
    assert [reject["record"]["email"] for reject in result.rejects] == [address(77)]


def test_a_job_that_omitted_nobody_is_believed_after_few_calls(mailjet, omitting):
    mailjet.sandbox.mailjet.add_contacts([{"email": address(n), "list": mailjet.list_id} for n in range(300)])
    omitting(range(300))
    result = mailjet.deliver([schema(), *readers(range(300)), state(1)], properties=None)
    assert (result.counts(), result.outcomes["batches"]) == ({"delivered": 300}, 1)
    assert reads(mailjet) == 20
