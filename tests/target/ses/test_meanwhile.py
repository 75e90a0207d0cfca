"""What people do at Amazon SES while a run reads and writes is not overwritten (P5)."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from target_mailing.delivery import freshness
from tests.target.conftest import people, person, schema, state
from tests.target.ses.conftest import GONE

ADA = "person1@example.com"
OTHER = "person29@example.com"
SLASH = "a/b@example.com"
BARE = {"name": None, "city": None}
GET = {"method": "GET", "path": f"*/contacts/{ADA}"}
LIST = {"method": "POST", "path": "*/contacts/list"}
FAILURES: dict[str, dict[str, Any]] = {
    "somebody else writes": {"kind": "status", "status": 500, "message": "ConcurrentModificationException: x"},
    "too many": {"kind": "status", "status": 429},
    "reply lost": {"kind": "status", "status": 500},
}
failing = pytest.mark.parametrize("failure", FAILURES)


def meanwhile(ses, rows, happens: Callable[[], None], *, at: dict[str, Any], **config: Any):
    """Deliver; when it has come to that call, something happens first."""
    hold = ses.sandbox.faults.add(kind="hold", when="before", **at)
    results = []
    run = threading.Thread(target=lambda: results.append(ses.deliver([schema(), *rows, state(1)], **config)))
    run.start()
    try:
        hold.wait_until_held()
        happens()
    finally:
        hold.release()
        run.join(60)
    (result,) = results
    assert result.error is None
    assert result.states == [1]
    return result


# A call that failed is not repeated as it was


@failing
def test_p5_an_opt_out_before_a_contact_is_written_again_stays(bare, failure):
    bare.add({"email": ADA, "attributes": {"a": 1}})
    bare.sandbox.faults.add(**FAILURES[failure], method="PUT", path="*/contacts/*")
    result = meanwhile(bare, [person(1)], lambda: bare.add({"email": ADA, "unsubscribed": True}), at=GET | {"skip": 1})
    assert result.counts() == {"delivered": 1}
    assert bare.seen(ADA) == (True, {}, {"name": "Person 1", "city": "Lyon"})


@failing
def test_p5_an_opt_out_before_a_contact_is_deleted_again_stays(bare, failure):
    bare.add({"email": ADA})
    bare.sandbox.faults.add(**FAILURES[failure], method="DELETE", path="*/contacts/*")
    rows = [person(1, **GONE)]
    result = meanwhile(bare, rows, lambda: bare.add({"email": ADA, "unsubscribed": True}), at=GET | {"skip": 1})
    assert result.counts() == {"withheld": 1}
    assert bare.seen(ADA)[0] is True


@failing
def test_p5_whoever_is_suppressed_again_before_a_removal_is_repeated_stays_suppressed(bare, failure):
    bare.config |= {"ses_target": "suppression_list", "ses_allow_unsuppress": True, "list": None, "properties": None}
    bare.suppress(ADA)
    address = f"/v2/email/suppression/addresses/{ADA}"
    bare.sandbox.faults.add(**FAILURES[failure], method="DELETE", path=address)
    at = {"method": "GET", "path": address, "skip": 1}
    result = meanwhile(bare, [person(1, **GONE)], lambda: bare.suppress(ADA), at=at)
    assert result.counts() == {"delivered": 1}
    assert bare.suppressed().keys() == {ADA}


@failing
def test_a_removal_from_the_suppression_list_that_failed_is_repeated(bare, failure):
    bare.config |= {"ses_target": "suppression_list", "ses_allow_unsuppress": True, "list": None, "properties": None}
    bare.suppress(ADA)
    bare.sandbox.faults.add(**FAILURES[failure], method="DELETE", path="/v2/email/suppression/addresses/*")
    assert bare.deliver([schema(), person(1, **GONE), state(1)]).states == [1]
    assert bare.suppressed() == {}


@failing
def test_p5_a_topic_declined_before_somebody_is_unsubscribed_stays(ses, failure):
    ses.add({"email": ADA, "topics": {"Offers": "OPT_OUT"}})
    ses.sandbox.faults.add(**FAILURES[failure], method="PUT", path="*/contacts/*")
    both = {"News": "OPT_OUT", "Offers": "OPT_OUT"}
    rows = [person(1, **GONE)]
    result = meanwhile(ses, rows, lambda: ses.add({"email": ADA, "topics": both}), at=GET | {"skip": 2})
    assert result.counts() == {"withheld": 1}
    assert ses.seen(ADA)[:2] == (True, both)


@pytest.mark.slow
def test_p5_an_opt_out_while_the_start_of_a_job_is_throttled_stays(ses):
    ses.add({"email": ADA})
    ses.sandbox.faults.add(kind="status", status=429, method="POST", path="/v2/email/import-jobs", times=3)
    result = meanwhile(ses, [person(1)], lambda: ses.add({"email": ADA, "unsubscribed": True}), at=GET | {"skip": 1})
    assert result.counts() == {"delivered": 1}
    assert result.outcomes["resubmitted"] == 0
    assert ses.seen(ADA)[0] is True
    assert ses.objects() == []


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize(("fresh", "calls"), [(60.0, (1, 2, 3)), (0.0, (3, 4, 3))])
def test_what_was_read_and_stored_is_used_again_only_if_it_is_fresh(ses, monkeypatch, gone, fresh, calls):
    monkeypatch.setattr(freshness, "FRESH", fresh)
    ses.add(*({"email": f"person{n}@example.com"} for n in range(25)))
    ses.sandbox.faults.add(kind="status", status=429, method="POST", path="/v2/email/import-jobs", times=2)
    result = ses.deliver([schema(), *people(range(25), **(GONE if gone else {})), state(1)], max_removals="100%")
    assert result.counts() == {"delivered": 25}
    assert result.outcomes["resubmitted"] == 0
    assert (ses.calls()["list"], ses.calls()["put"], ses.calls()["submit"]) == calls  # one put checks the bucket
    assert ses.objects() == []


@pytest.mark.slow
def test_writing_one_by_one_waits_where_that_is_throttled_for_long(bare):
    bare.add({"email": ADA})
    bare.sandbox.faults.add(kind="status", status=429, method="PUT", path="*/contacts/*", times=15)
    assert bare.deliver([schema(), person(1), state(1)]).states == [1]
    assert bare.seen(ADA)[2] == {"name": "Person 1", "city": "Lyon"}


# What is read long before it is written is read once more


@pytest.mark.slow
@pytest.mark.parametrize("who", [ADA, OTHER])
def test_p5_an_opt_out_while_attributes_are_asked_for_stays(ses, who):
    ses.add(*({"email": f"person{n}@example.com", "attributes": {"a": n}} for n in range(30)))
    rows = people(range(30), **BARE)
    at = {"method": "GET", "path": "*/contacts/person20@example.com"}
    change = {"email": who, "unsubscribed": True, "topics": {"News": "OPT_OUT"}, "attributes": {"a": 0}}
    result = meanwhile(ses, rows, lambda: ses.add(change), at=at)
    assert result.counts() == {"delivered": 30}
    assert ses.seen(who)[:2] == (True, {"News": "OPT_OUT"})
    assert ses.seen("person20@example.com") == (False, {}, {"a": 20})
    assert ses.calls()["list"] == 2


def test_p5_an_opt_out_while_others_are_unsubscribed_stays(ses):
    declined = {"Offers": "OPT_OUT"}
    ses.add(*({"email": f"person{n}@example.com", "topics": declined if n < 3 else {}} for n in range(30)))
    rows = people(range(30), **GONE)
    at = {"method": "PUT", "path": f"*/contacts/{ADA}"}
    ses.config["max_removals"] = "100%"
    result = meanwhile(ses, rows, lambda: ses.add({"email": OTHER, "topics": {"News": "OPT_OUT"}}), at=at)
    assert result.counts() == {"withheld": 4, "delivered": 26}
    assert ses.seen(OTHER)[:2] == (True, {"News": "OPT_OUT"})
    assert all(ses.seen(f"person{n}@example.com")[:2] == (True, declined) for n in range(3))


@pytest.mark.slow
@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("deleted", [2, 12])
def test_p5_whom_a_page_of_the_listing_passed_over_is_not_new(ses, deleted, gone):
    ses.ses.change(ses_max_page=10, ses_next_page="position")
    ses.add(*({"email": f"person{n}@example.com", "unsubscribed": n == 30} for n in range(60)))
    ses.config["max_removals"] = "100%"
    rows = people(range(25, 50), **(GONE if gone else {}))
    others = [f"person{n}@example.com" for n in range(deleted)]
    meanwhile(ses, rows, lambda: ses.ses.remove_contacts(others, region="eu-west-1"), at=LIST | {"skip": 4})
    assert ses.seen("person30@example.com")[0] is True
    assert ("person31@example.com" in ses.contacts()) is not gone
    assert ses.calls()["list"] <= 14  # two readings, and a size refused in each


# Addresses that some calls do not take, or that are spelled otherwise


@pytest.mark.parametrize("slash", ["refused", "accepted"])
def test_p5_whoever_declined_a_topic_and_cannot_be_unsubscribed_is_kept_as_they_are(either, slash):
    either.ses.change(ses_slash_in_path=slash)
    either.add({"email": SLASH, "topics": {"Offers": "OPT_OUT"}}, {"email": ADA})
    rows = [person(5, email=SLASH, **GONE), person(1, **GONE), state(1)]
    result = either.deliver([schema(), *rows])
    assert result.error is None
    assert result.counts() == {"withheld": 1, "delivered": 1}
    assert either.seen(SLASH)[:2] == (slash == "accepted", {"Offers": "OPT_OUT"})
    assert either.contacts().keys() == {SLASH}
    assert ("subscription_status: unsubscribed" in result.log) is (slash == "refused")
    assert SLASH not in result.log


def test_a_row_without_attributes_keeps_those_of_an_address_with_a_slash_if_amazon_ses_tells_them(ses):
    ses.ses.change(ses_slash_in_path="accepted")
    ses.add({"email": SLASH, "attributes": {"keep": 1}})
    assert ses.deliver([schema(), person(1, email=SLASH, **BARE)]).counts() == {"delivered": 1}
    assert ses.seen(SLASH)[2] == {"keep": 1}


@pytest.mark.parametrize("place", ["contact_list", "suppression_list"])
@pytest.mark.parametrize("gone", [False, True])
def test_an_address_that_cannot_be_asked_about_is_refused_alone(either, place, gone):
    if place == "suppression_list":
        either.config |= {"ses_target": place, "ses_allow_unsuppress": True, "list": None, "properties": None}
    either.ses.change(ses_path_checked=True)
    either.ses.refuse(["odd@example.com"])
    either.add({"email": ADA})
    either.suppress(ADA)
    rows = [person(9, email="odd@example.com", **(GONE if gone else {})), *people((1, 2), **(GONE if gone else {}))]
    result = either.deliver([schema(), *rows, state(1)])
    assert result.error is None
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert result.states == [1]
    assert result.rejects[0]["record"]["id"] == 9
    assert "odd@example.com" not in result.log


@pytest.mark.slow
def test_p5_an_address_that_cannot_be_asked_about_when_it_changes_is_refused_alone(either):
    either.deliver([schema(), person(1)])
    either.ses.change(ses_path_checked=True)
    either.ses.refuse([ADA])
    result = either.deliver([schema(), person(1, email="new@example.com"), state(1)])
    assert result.error is None
    assert result.states == [1]


@pytest.mark.parametrize("place", ["contact_list", "suppression_list"])
def test_who_is_removed_is_named_as_amazon_ses_spells_them(either, place):
    if place == "suppression_list":
        either.config |= {"ses_target": place, "ses_allow_unsuppress": True, "list": None, "properties": None}
    either.add({"email": ADA}, {"email": "other@example.com"})
    either.suppress(ADA, "other@example.com")
    result = either.deliver([schema(), person(1, email="Person1@Example.com", **GONE), state(1)])
    assert result.counts() == {"delivered": 1}
    assert (either.contacts() if place == "contact_list" else either.suppressed()).keys() == {"other@example.com"}
    with closing(sqlite3.connect(either.config["journal"])) as journal:
        evidence = str(journal.execute("SELECT evidence FROM steps").fetchall()).lower()
    assert "example.com" not in evidence
    assert ADA not in result.log.lower()
