"""Incremental runs against the sandbox: what is read again, what is never missed, where the bookmark stands."""

from __future__ import annotations

import json

import pytest

from mailing_sandbox.mpdx.records import moment

from .conftest import CONTACTS, DELETED, PEOPLE

MANY = 150
"""More than one page of contacts."""


@pytest.fixture
def crowd(make):
    """More contacts than a page holds, `Name 000` and so on; their IDs."""
    return make(*(f"Name {number:03}" for number in range(MANY)))


@pytest.fixture(autouse=True)
def _an_hour_ago(sandbox):
    """The sandbox's clock goes an hour behind, so that tests can move it without passing the tap's."""
    sandbox.clock._offset -= 3600


def dated(seconds):
    return moment(seconds).replace("Z", ".000000Z")


@pytest.mark.slow
def test_two_runs_with_changes_in_between(make, mpdx, sandbox, read, names):
    kept, changed, hidden, gone = make("Kept", "Changed", "Hidden", "Gone", addresses=[{"city": "Austin"}])
    sandbox.clock.advance(10)
    first = read(CONTACTS, DELETED, lookback=0)
    assert sorted(names(first)) == ["Changed", "Gone", "Hidden", "Kept"]
    sandbox.clock.advance(10)
    mpdx.change_address(mpdx.contacts()[changed]["addresses"][0]["id"], city="Berlin")
    mpdx.change_contact(hidden, status="Never Ask")
    mpdx.delete_contact(gone)
    (new,) = make("New")
    second = read(CONTACTS, DELETED, state=first.state, lookback=0)
    assert {*names(second)} >= {"Changed", "Hidden", "New"}
    records = {record["id"]: record for record in second.records(CONTACTS)}
    assert records[changed]["address_city"] == "Berlin"
    assert records[hidden]["subscription_status"] == "excluded"
    assert [record["contact_id"] for record in second.records(DELETED)] == [gone]
    assert records[new]["updated_at"] >= second.bookmark(CONTACTS) > first.bookmark(CONTACTS)
    third = read(CONTACTS, DELETED, state=second.state, lookback=0)
    assert set(third.ids(CONTACTS)) <= records.keys()
    assert third.bookmark(DELETED) == second.bookmark(DELETED)
    del kept


@pytest.mark.slow
def test_what_changes_in_the_second_of_the_bookmark_is_not_missed(make, mpdx, sandbox, read, names):
    sandbox.clock.freeze()
    sandbox.clock.advance(1.2 - sandbox.clock.now() % 1)
    first, second = make("First", "Second")
    run = read(CONTACTS, lookback=0)
    sandbox.clock.advance(0.7)
    mpdx.change_contact(first, locale="de")
    again = read(CONTACTS, lookback=0, state=run.state)
    assert run.bookmark(CONTACTS) == again.bookmark(CONTACTS), "the same second"
    assert sorted(names(again)) == ["First", "Second"]
    assert again.records(CONTACTS)[0]["locale"] == "de"
    del second


@pytest.mark.slow
def test_people_who_changed_are_read_and_those_of_a_changed_contact_are_not(make, mpdx, sandbox, read):
    (key,) = make(
        {"name": "A", "people": [{"first_name": "Tom", "emails": ["tom@example.com"]}, {"first_name": "Nina"}]}
    )
    tom, nina = (person["id"] for person in mpdx.contacts()[key]["people"])
    sandbox.clock.advance(10)
    first = read(PEOPLE, lookback=0)
    sandbox.clock.advance(10)
    mpdx.change_contact(key, status="Never Ask")
    mpdx.add_email(tom, email="new@example.com")
    second = read(PEOPLE, lookback=0, state=first.state)
    assert tom in second.ids(PEOPLE)
    mpdx.change_person(nina, optout_enewsletter=True)
    third = read(PEOPLE, lookback=0, state=second.state)
    found = {record["id"]: record["subscription_status"] for record in third.records(PEOPLE)}
    assert found[nina] == "unsubscribed"


@pytest.mark.slow
def test_p5_an_opt_out_from_mailchimp_is_found_by_reading_in_full_only(make, mpdx, sandbox, read):
    (key,) = make(
        {"name": "A", "people": [{"first_name": "Tom", "emails": ["tom@example.com"]}]}, send_newsletter="Both"
    )
    (person,) = (one["id"] for one in mpdx.contacts()[key]["people"])
    make({"name": "B", "people": [{"first_name": "Later"}]})
    first = read(PEOPLE, lookback=0)
    state = {"bookmarks": {PEOPLE: {"replication_key": "updated_at", "replication_key_value": "2030-01-01T00:00:00Z"}}}
    mpdx.mailchimp(person, subscribed=False)
    assert read(PEOPLE, lookback=0, state=state).records(PEOPLE) == []
    (found,) = [record for record in read(PEOPLE).records(PEOPLE) if record["id"] == person]
    assert found["subscription_status"] == "unsubscribed"
    assert first.error is None


@pytest.mark.slow
def test_a_range_is_requested_that_mpdx_understands(make, wire, read):
    make("A")
    first = read(CONTACTS)
    wire.requests.clear()
    read(CONTACTS, DELETED, state=first.state, lookback="P1D", start_date="2024-01-01")
    (asked, _) = wire.asked("contacts")
    start, end = asked["filter[updated_at]"].split("..")
    assert len(start) == len(end) == len("2024-01-01T00:00:00Z")
    assert start < first.bookmark(CONTACTS)[:19] < end
    (deleted,) = wire.asked("deleted_records")
    assert deleted["filter[since_date]"].startswith("2024-01-01T00:00:00Z..20")
    assert deleted["filter[types]"] == "Contact"


@pytest.mark.slow
def test_start_date_is_where_the_first_run_begins(make, mpdx, read, names):
    old, new = make("Old", "New")
    mpdx._store.contacts[old].updated = 1_600_000_000.5
    mpdx._store.contacts[new].updated = 1_700_000_000.5
    assert names(read(CONTACTS, start_date="2022-01-01")) == ["New"]
    assert names(read(CONTACTS, start_date=dated(1_600_000_000))) == ["Old", "New"]
    assert read(CONTACTS).bookmark(CONTACTS) == dated(1_700_000_000)


@pytest.mark.slow
def test_a_row_edited_while_paging_is_read_and_read_again(crowd, sandbox, wire, read, names):
    mpdx = sandbox.mpdx
    sandbox.clock.advance(30)
    wire.before["GET", "contacts", 2] = lambda: mpdx.change_contact(crowd[0], locale="es")
    first = read(CONTACTS, lookback=0)
    assert names(first) == [f"Name {number:03}" for number in range(MANY)]
    assert first.records(CONTACTS)[0]["locale"] is None
    second = read(CONTACTS, lookback=0, state=first.state)
    found = {record["id"]: record["locale"] for record in second.records(CONTACTS)}
    assert found[crowd[0]] == "es"


def test_p6_a_contact_deleted_while_paging_hides_no_other(crowd, mpdx, wire, read, names):
    wire.before["GET", "contacts", 2] = lambda: [mpdx.delete_contact(key) for key in crowd[:3]]
    run = read(CONTACTS)
    assert run.error is None
    assert set(names(run)) == {f"Name {number:03}" for number in range(MANY)}


def test_p6_a_contact_merged_away_at_the_very_boundary_hides_no_other(crowd, mpdx, wire, read, names):
    wire.before["GET", "contacts", 2] = lambda: mpdx.merge_contacts(crowd[99], crowd[0])
    assert set(names(read(CONTACTS))) == {f"Name {number:03}" for number in range(MANY)}


@pytest.mark.slow
def test_p6_a_contact_that_enters_the_range_while_paging_hides_no_other(crowd, sandbox, wire, read, names):
    mpdx = sandbox.mpdx
    for key in crowd[:20]:
        mpdx._store.contacts[key].updated = 1_600_000_000
    sandbox.clock.advance(30)
    wire.before["GET", "contacts", 2] = lambda: [mpdx.change_contact(key, locale="es") for key in crowd[:5]]
    first = read(CONTACTS, start_date="2024-01-01", lookback=0)
    assert set(names(first)) >= {f"Name {number:03}" for number in range(20, MANY)}
    second = read(CONTACTS, start_date="2024-01-01", lookback=0, state=first.state)
    assert {*names(first), *names(second)} == {f"Name {number:03}" for number in [*range(5), *range(20, MANY)]}


def test_contacts_added_while_paging_are_read(crowd, make, wire, read, names):
    wire.before["GET", "contacts", 3] = lambda: make("Added")
    run = read(CONTACTS)
    assert names(run)[-1] == "Added"
    assert len(names(run)) == MANY + 1


@pytest.mark.slow
@pytest.mark.parametrize("longest", [5, 7, 40])
def test_shorter_pages_than_requested_are_noticed(make, sandbox, read, names, longest):
    make(*(f"Name {number}" for number in range(21)))
    sandbox.switches.change({"mpdx_max_per_page": longest})
    run = read(CONTACTS)
    assert run.error is None
    assert names(run) == [f"Name {number}" for number in range(21)]


@pytest.mark.parametrize("longest", [1, 2])
def test_p6_pages_too_short_to_overlap_prove_nothing(make, sandbox, read, longest):
    make("A", "B", "C")
    sandbox.switches.change({"mpdx_max_per_page": longest})
    assert "UnreadableAnswer" in str(read(CONTACTS).error)


@pytest.mark.slow
def test_p6_an_interrupted_run_leaves_the_bookmark_where_it_was(crowd, mpdx, sandbox, read, names):
    first = read(CONTACTS)
    sandbox.clock.advance(5)
    for key in crowd:
        mpdx.change_contact(key, locale="es")
    sandbox.faults.add(kind="status", status=403, path="/api/v2/contacts", skip=1)
    second = read(CONTACTS, state=first.state)
    assert 0 < len(second.records(CONTACTS)) < MANY
    assert "mpdx_contacts (PermissionDenied)" in str(second.error)
    assert second.state == first.state
    third = read(CONTACTS, state=second.state)
    assert {record["locale"] for record in third.records(CONTACTS)} == {"es"}
    assert len(third.records(CONTACTS)) == MANY


@pytest.mark.slow
def test_a_server_whose_clock_is_ahead_takes_the_bookmark_nowhere_ahead(make, mpdx, sandbox, read, names):
    sandbox.clock.advance(4 * 3600)
    first, second = make("First", "Second")
    run = read(CONTACTS, lookback=0)
    assert run.bookmark(CONTACTS) < run.records(CONTACTS)[0]["updated_at"]
    mpdx.change_contact(second, locale="es")
    again = read(CONTACTS, lookback=0, state=run.state)
    assert "Second" in names(again)
    del first


@pytest.mark.parametrize("filters", ["status", "updated_at"])
def test_p6_a_filter_that_is_not_applied_fails_the_stream(make, sandbox, read, caplog, filters):
    make("A")
    body = json.dumps({"data": [], "meta": {"pagination": {"total_count": 0}, "filter": {filters: "x"}}})
    sandbox.faults.add(kind="status", status=200, body="json", content=body, path="/api/v2/contacts", times=None)
    run = read(CONTACTS, start_date="2024-01-01")
    assert "mpdx_contacts (UnreadableAnswer)" in str(run.error)
    assert "did not apply the filter" in caplog.text


@pytest.mark.slow
def test_nothing_new_leaves_the_bookmarks(make, read):
    make({"name": "A", "people": [{"first_name": "Tom"}]})
    first = read(CONTACTS, PEOPLE, DELETED)
    second = read(CONTACTS, PEOPLE, DELETED, state=first.state)
    assert second.state == first.state
    assert first.bookmark(DELETED) is None
