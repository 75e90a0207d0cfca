"""A removal that cannot be sent at once goes back to reading consent, as soon as what it read is outdated (P5)."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from mailing_api.http.pace import Pace
from target_mailing.delivery import doubts, freshness
from tests.target.conftest import people, person, schema, state

ADA = "person1@example.com"
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
JOBS = {"json": "/v3/REST/contactslist/*/managemanycontacts", "csv": "/v3/REST/csvimport"}
READ = {"method": "GET", "path": "*/getcontactslists"}
FAILURES = {
    "too many": {"kind": "status", "status": 429, "times": 2},
    "never arrived": {"kind": "reset", "times": 1},
}
by_routes = pytest.mark.parametrize("route", JOBS)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Calls are made again without waiting."""
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    monkeypatch.setitem(Pace.__init__.__kwdefaults__, "floor", 1000.0)


def started(mailjet, rows, **config):
    results = []
    run = threading.Thread(target=lambda: results.append(mailjet.deliver([schema(), *rows, state(1)], **config)))
    run.start()
    return run, results


@by_routes
@pytest.mark.parametrize("failure", FAILURES)
def test_p5_an_opt_out_while_a_removal_is_put_off_stays(mailjet, monkeypatch, route, failure):
    monkeypatch.setattr(freshness, "time", SimpleNamespace(time=lambda: time.time() + 3600.0))  # it is put off for long
    mailjet.deliver([schema(), person(1)])
    mailjet.sandbox.faults.add(method="POST", path=JOBS[route], **FAILURES[failure])
    hold = mailjet.sandbox.faults.add(kind="hold", when="before", skip=1, **READ)
    run, results = started(mailjet, [person(1, **GONE)], route=route)
    hold.wait_until_held()
    mailjet.opt_out(ADA)
    hold.release()
    run.join(20)
    assert (results[0].counts(), results[0].states) == ({"withheld": 1}, [1])
    assert mailjet.statuses() == {ADA: "unsubscribed"}


@by_routes
def test_p5_a_removal_is_sent_again_with_what_was_read_within_a_minute(mailjet, route):
    mailjet.deliver([schema(), *people(range(3))])
    mailjet.sandbox.counters.reset()
    refused = mailjet.sandbox.faults.add(method="POST", path=JOBS[route], kind="status", status=429, times=3)
    result = mailjet.deliver([schema(), *people(range(3), **GONE), state(1)], route=route)
    assert (refused.hits, result.counts(), result.states) == (3, {"delivered": 3}, [1])
    assert mailjet.sandbox.counters.calls["GET /v3/REST/contact/{contact}/getcontactslists"] == 3


@by_routes
def test_a_removal_that_is_refused_for_long_ends_the_run_and_the_next_one_sends_it(mailjet, route):
    mailjet.deliver([schema(), *people(range(3))])
    refused = mailjet.sandbox.faults.add(method="POST", path=JOBS[route], kind="status", status=429, times=None)
    rows = [schema(), *people(range(3), **GONE), state(1)]
    failed = mailjet.deliver(rows, route=route)
    assert (type(failed.error).__name__, failed.states, refused.hits) == ("RateLimited", [], 8)
    mailjet.sandbox.faults.clear()
    assert mailjet.deliver(rows, route=route).counts() == {"delivered": 3}
    assert mailjet.statuses() == {}


def test_p5_an_opt_out_while_an_upload_takes_long_stays(mailjet, monkeypatch):
    monkeypatch.setattr(freshness, "FRESH", 0.2)
    mailjet.deliver([schema(), person(1)])
    upload = mailjet.sandbox.faults.add(kind="slow", seconds=0.3, method="POST", path="*/CSVData/*")
    hold = mailjet.sandbox.faults.add(kind="hold", when="before", skip=1, **READ)
    run, results = started(mailjet, [person(1, **GONE)], route="csv")
    hold.wait_until_held()
    mailjet.opt_out(ADA)
    hold.release()
    run.join(20)
    assert (upload.hits, results[0].counts()) == (1, {"withheld": 1})


def test_p5_an_opt_out_while_a_lost_job_is_looked_for_stays(mailjet, monkeypatch):
    """The removal has read consent, and waits for the look for another batch's job."""
    much_later = SimpleNamespace(time=lambda: time.time() + 3600.0, monotonic=time.monotonic)
    monkeypatch.setattr(doubts, "time", much_later)
    mailjet.deliver([schema(), person(1)])
    first = mailjet.sandbox.faults.add(kind="hold", when="before", **READ)
    mailjet.sandbox.faults.add(kind="reset", method="POST", path=JOBS["json"])
    look = mailjet.sandbox.faults.add(kind="hold", when="before", method="GET", path="/v3/REST/batchjob")
    again = mailjet.sandbox.faults.add(kind="hold", when="before", **READ)
    run, results = started(mailjet, [person(2), person(1, **GONE)], max_removals="100%")
    first.wait_until_held()
    look.wait_until_held()
    first.release()
    while "GET /v3/REST/contact/{contact}/getcontactslists" not in mailjet.sandbox.counters.calls:
        run.join(0.005)
    run.join(0.05)
    look.release()
    again.wait_until_held()
    mailjet.opt_out(ADA)
    again.release()
    run.join(20)
    assert (results[0].counts(), results[0].states) == ({"delivered": 1, "withheld": 1}, [1])
    assert mailjet.statuses()[ADA] == "unsubscribed"
