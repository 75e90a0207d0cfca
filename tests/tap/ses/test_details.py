"""Streams of details: a call for each row that changed, oldest first, and where the limit stops them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from .conftest import AWAY, CONTACT_DETAILS, CONTACTS, HOME, JOB_DETAILS, SUPPRESSION_DETAILS
from .test_incremental import dated, regions, suppress

CONTACT = "contact-lists/Readers/contacts/"


def looked_up(wire):
    """The local parts of the addresses that were requested one by one."""
    found = [request.url.path.partition(CONTACT)[2] for request in wire.requests if request.method == "GET"]
    return [address.partition("@")[0] for address in found if address]


@pytest.fixture
def crowd(people):
    """Ten contacts, changed an hour after each other; the listing has the newest first."""
    people(*((f"name{number}", number * 3600) for number in reversed(range(10))))


@pytest.mark.slow
def test_only_what_changed_since_the_bookmark_is_looked_up(people, wire, read):
    people(("ann", 1), ("bob", 2))
    first = read(CONTACT_DETAILS, lookback=0)
    assert looked_up(wire) == ["ann", "bob"]
    people(("ann", 10), attributes={"city": "Oslo"})
    wire.requests.clear()
    second = read(CONTACT_DETAILS, lookback=0, state=first.state)
    assert looked_up(wire) == ["bob", "ann"], "bob has the bookmark's own time"
    assert second.records(CONTACT_DETAILS)[-1]["properties"] == {"city": "Oslo"}
    assert second.bookmark(CONTACT_DETAILS) == dated(10)


def test_the_listing_alone_looks_nobody_up(people, wire, read):
    people("ann")
    read(CONTACTS)
    assert looked_up(wire) == []


@pytest.mark.slow
def test_the_limit_stops_at_the_oldest_that_was_not_read_and_every_run_gets_on(crowd, wire, read, names):
    state, seen = None, []
    for expected in (["name0", "name1", "name2", "name3"], ["name4", "name5", "name6", "name7"], ["name8", "name9"]):
        run = read(CONTACT_DETAILS, ses_max_details=4, state=state)
        assert names(run, CONTACT_DETAILS) == expected
        seen += expected
        state = run.state
        left = dated(3600 * len(seen)) if len(seen) < 10 else dated(9 * 3600)
        assert run.bookmark(CONTACT_DETAILS) == left
    assert "cut" not in state["bookmarks"][CONTACT_DETAILS]
    wire.requests.clear()
    read(CONTACT_DETAILS, ses_max_details=4, state=state)
    assert looked_up(wire) == ["name8", "name9"], "a look-back of an hour"


@pytest.mark.slow
def test_what_changes_between_two_pieces_is_not_missed(crowd, people, read, names):
    first = read(CONTACT_DETAILS, ses_max_details=4)
    people(("name0", 20 * 3600), unsubscribed=True)
    people(("name6", 21 * 3600))
    people(("new", 5 * 3600))
    found, state = {}, first.state
    for _ in range(3):
        run = read(CONTACT_DETAILS, ses_max_details=4, state=state)
        found |= {record["email"]: record for record in run.records(CONTACT_DETAILS)}
        state = run.state
    assert {"name0@example.com", "name6@example.com", "new@example.com"} <= found.keys()
    assert found["name0@example.com"]["subscription_status"] == "unsubscribed"
    assert "cut" not in state["bookmarks"][CONTACT_DETAILS]


@pytest.mark.slow
def test_rows_of_the_same_moment_are_read_together_even_beyond_the_limit(people, read, names):
    people(("later", 10), *((f"name{number}", 5) for number in range(6)))
    first = read(CONTACT_DETAILS, ses_max_details=2)
    assert sorted(names(first, CONTACT_DETAILS)) == [f"name{number}" for number in range(6)]
    assert first.bookmark(CONTACT_DETAILS) == dated(10)
    second = read(CONTACT_DETAILS, ses_max_details=2, state=first.state)
    assert names(second, CONTACT_DETAILS) == ["later"]


@pytest.mark.slow
def test_what_amazon_ses_shows_late_is_not_skipped_by_the_limit(people, read, names):
    now = datetime.now(UTC).timestamp() - 1.7e9
    people(("one", now - 300), ("two", now - 200), ("three", now - 100))
    first = read(CONTACT_DETAILS, ses_max_details=1)
    assert names(first, CONTACT_DETAILS) == ["one"]
    assert first.bookmark(CONTACT_DETAILS) < dated(now - 3000), "the look-back before the run"
    people(("late", now - 400))
    assert "late" in names(read(CONTACT_DETAILS, ses_max_details=1, state=first.state), CONTACT_DETAILS)


def test_the_limit_is_for_each_region(crowd, people, ses, read, names):
    ses.add_list("Others", region=AWAY)
    people(("far", 7), ("farther", 8), region=AWAY)
    run = read(CONTACT_DETAILS, ses_regions=[HOME, AWAY], ses_max_details=2)
    assert names(run, CONTACT_DETAILS) == ["name0", "name1", "far", "farther"]
    assert regions(run, CONTACT_DETAILS) == {HOME: dated(2 * 3600), AWAY: dated(8)}
    assert run.state["bookmarks"][CONTACT_DETAILS]["cut"] == [HOME]


def test_reading_in_full_has_no_limit(crowd, wire, tap, settings):
    chosen = tap.catalog(CONTACT_DETAILS, config=settings())
    for stream in chosen["streams"]:
        stream["replication_method"] = "FULL_TABLE"
    run = tap.run(settings(ses_max_details=2), catalog=chosen, transport=wire)
    assert len(run.records(CONTACT_DETAILS)) == 10


@pytest.mark.slow
def test_p6_an_interrupted_run_leaves_the_bookmark_where_it_was(crowd, sandbox, read, names):
    first = read(CONTACT_DETAILS, ses_max_details=2)
    sandbox.faults.add(kind="status", status=403, path=f"/v2/email/{CONTACT}name*", skip=3, times=None)
    second = read(CONTACT_DETAILS, state=first.state)
    assert names(second, CONTACT_DETAILS) == ["name2", "name3", "name4"]
    assert "PermissionDenied" in str(second.error)
    assert second.state == first.state


def test_a_contact_deleted_since_it_was_listed_is_omitted(crowd, ses, wire, read, names):
    wire.before[f"{CONTACT}name0@example.com", 1] = lambda: ses.remove_contacts(["name5@example.com"])
    run = read(CONTACT_DETAILS)
    assert run.error is None
    assert names(run, CONTACT_DETAILS) == [f"name{number}" for number in range(10) if number != 5]


def test_a_page_that_is_no_answer_of_amazon_ses_does_not_pass_for_deleted(crowd, sandbox, read):
    sandbox.faults.add(kind="status", status=404, body="html", path=f"/v2/email/{CONTACT}name0*", times=None)
    assert "ses_contact_details (RequestRefused)" in str(read(CONTACT_DETAILS).error)


@pytest.mark.parametrize("slash", ["refused", "accepted"])
def test_an_address_with_a_slash_may_come_without_details(people, ses, sandbox, read, caplog, slash):  # noqa: PLR0917
    sandbox.switches.change({"ses_slash_in_path": slash})
    people("a/b", "ann", attributes={"city": "Oslo"})
    suppress(ses, ("a/b", 1))
    run = read(CONTACT_DETAILS, SUPPRESSION_DETAILS)
    assert run.error is None
    found = {record["email"]: record["properties"] for record in run.records(CONTACT_DETAILS)}
    there = {"city": "Oslo"}
    assert found == {"a/b@example.com": there if slash == "accepted" else None, "ann@example.com": there}
    assert ("1 address in us-east-1 has a slash" in caplog.text) is (slash == "refused")
    assert len(run.records(SUPPRESSION_DETAILS)) == 1


@pytest.mark.slow
def test_suppressions_are_looked_up_by_the_piece_too(ses, read, names):
    suppress(ses, *((f"name{number}", number * 3600) for number in range(5)))
    first = read(SUPPRESSION_DETAILS, ses_max_details=3)
    assert names(first, SUPPRESSION_DETAILS) == ["name0", "name1", "name2"]
    second = read(SUPPRESSION_DETAILS, ses_max_details=3, state=first.state)
    assert names(second, SUPPRESSION_DETAILS) == ["name3", "name4"]


@pytest.mark.slow
def test_a_listing_that_started_over_is_looked_up_once(crowd, sandbox, wire, read, names):
    sandbox.switches.change({"ses_max_page": 4})
    sandbox.faults.add(
        kind="status", status=400, message="BadRequestException: stale", path=f"/v2/email/{CONTACT}list", skip=2
    )
    assert names(read(CONTACT_DETAILS), CONTACT_DETAILS) == [f"name{number}" for number in range(10)]
    assert len(looked_up(wire)) == 10


@pytest.mark.slow
def test_jobs_are_looked_up_by_the_piece_and_again_while_they_are_open(ses, submit, sandbox, read):
    sandbox.clock._offset -= 10 * 86400
    jobs = []
    for number in range(5):
        jobs.append(submit())
        if number != 1:
            ses.finish_job(jobs[-1], "failed")
        sandbox.clock.advance(7200)
    first = read(JOB_DETAILS, ses_max_details=3)
    assert first.ids(JOB_DETAILS) == jobs[:3]
    second = read(JOB_DETAILS, ses_max_details=3, state=first.state)
    assert second.ids(JOB_DETAILS) == jobs[1:4], "the open one holds the bookmark"
    ses.finish_job(jobs[1], "failed")
    third = read(JOB_DETAILS, ses_max_details=9, state=second.state)
    assert third.ids(JOB_DETAILS) == jobs[1:]
    assert all(record["is_terminal"] for record in third.records(JOB_DETAILS))
    fourth = read(JOB_DETAILS, state=third.state)
    assert fourth.ids(JOB_DETAILS) == jobs[4:]


@pytest.mark.parametrize("most", [0, -1])
def test_p9_a_limit_below_one_is_reported(crowd, read, caplog, most):
    read(CONTACT_DETAILS, ses_max_details=most)
    assert "`ses_max_details`" in caplog.text
