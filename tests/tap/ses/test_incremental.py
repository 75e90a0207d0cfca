"""Incremental runs against the sandbox: what is read again, what is never missed, where the bookmarks stand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from singer_sdk.plugin_base import _ConfigInput

from mailing_api.errors import ConfigurationError
from tap_mailing.tap import TapMailing
from tests.faults.pairs import crossed

from .conftest import (
    AWAY,
    CONTACT_DETAILS,
    CONTACTS,
    HOME,
    JOB_DETAILS,
    JOBS,
    LISTS,
    SUPPRESSION_DETAILS,
    SUPPRESSIONS,
    TOPICS,
)


def dated(seconds):
    """As the tap writes the moment so many seconds after 2023-11-14T22:13:20Z."""
    return datetime.fromtimestamp(1.7e9 + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def regions(run, stream):
    return run.state["bookmarks"][stream]["regions"]


def suppress(ses, *rows, region=HOME):
    ses.add_suppressions([{"email": f"{name}@example.com", "updated": 1.7e9 + at} for name, at in rows], region=region)


# Contacts


@pytest.mark.slow
def test_two_runs_of_contacts_with_changes_in_between(people, ses, read, names):
    people(("kept", 1), ("changed", 2), ("left", 3), ("gone", 4))
    first = read(CONTACTS, lookback=0)
    assert sorted(names(first)) == ["changed", "gone", "kept", "left"]
    assert first.bookmark(CONTACTS) == dated(4)
    people(("changed", 10), topics={"News": "OPT_OUT"})
    people(("left", 11), unsubscribed=True)
    people(("new", 12))
    ses.remove_contacts(["gone@example.com"])
    second = read(CONTACTS, lookback=0, state=first.state)
    found = {record["email"]: record for record in second.records(CONTACTS)}
    assert {email.partition("@")[0] for email in found} == {"changed", "left", "new"}
    assert found["left@example.com"]["subscription_status"] == "unsubscribed"
    assert second.bookmark(CONTACTS) == dated(12)
    third = read(CONTACTS, lookback=0, state=second.state)
    assert names(third) == ["new"], "what has the time of the bookmark is read again"
    assert third.state == second.state
    everything = read(CONTACTS, lookback=0)
    assert sorted(names(everything)) == ["changed", "kept", "left", "new"], "reading in full shows who is gone"


@pytest.mark.slow
def test_ties_with_the_bookmark_are_not_missed(people, read, names):
    people(("ann", 5.25), ("bob", 5.25))
    first = read(CONTACTS, lookback=0)
    people(("cem", 5.25))
    second = read(CONTACTS, lookback=0, state=first.state)
    assert sorted(names(second)) == ["ann", "bob", "cem"]
    assert second.bookmark(CONTACTS) == first.bookmark(CONTACTS) == dated(5.25)


@pytest.mark.slow
def test_the_look_back_finds_what_was_shown_late(people, read, names):
    people(("ann", 5000))
    first = read(CONTACTS)
    people(("late", 1000))
    assert sorted(names(read(CONTACTS, state=first.state, lookback=4000))) == ["ann", "late"]
    assert names(read(CONTACTS, state=first.state, lookback=3999)) == ["ann"]


@pytest.mark.slow
def test_start_date_is_where_the_first_run_begins(people, read, names):
    people(("old", 0), ("new", 100))
    first = read(CONTACTS, start_date=dated(50))
    assert names(first) == ["new"]
    assert names(read(CONTACTS, start_date=dated(50), state=first.state, lookback="P9D")) == ["new"]


@pytest.mark.slow
def test_a_contact_edited_while_paging_is_read_and_read_again(people, sandbox, wire, read, names):
    people(*((f"name{number:02}", number) for number in range(25)))
    sandbox.switches.change({"ses_max_page": 10})
    paths = "contact-lists/Readers/contacts/list"
    # The first request of 1,000 rows is refused for its size, so this is ahead of the second page.
    wire.before[paths, 3] = lambda: people("name03", unsubscribed=True)
    first = read(CONTACTS, lookback=0)
    assert sorted(names(first)) == [f"name{number:02}" for number in range(25)]
    assert not any(record["unsubscribe_all"] for record in first.records(CONTACTS))
    second = read(CONTACTS, lookback=0, state=first.state)
    assert {record["email"]: record["unsubscribe_all"] for record in second.records(CONTACTS)}["name03@example.com"]


@pytest.mark.parametrize(
    ("order", "empty", "last"),
    crossed(["natural", "shuffled"], ["never", "first", "between", "last"], ["null", "absent"]),
)
def test_every_row_is_read_whatever_the_pages(people, ses, sandbox, read, names, order, empty, last):  # noqa: PLR0917
    switches = {"ses_max_page": 7, "ses_list_order": order, "ses_empty_pages": empty, "ses_last_token": last}
    sandbox.switches.change(switches | {"ses_filtered_pages": "scanned"})
    expected = [f"name{number:02}" for number in range(25)]
    people(*((name, 25 - number) for number, name in enumerate(expected)))
    suppress(ses, *((name, 25 - number) for number, name in enumerate(expected)))
    run = read(CONTACTS, SUPPRESSIONS, start_date=dated(10))
    assert sorted(names(run)) == sorted(names(run, SUPPRESSIONS)) == expected[:16]
    assert run.bookmark(CONTACTS) == run.bookmark(SUPPRESSIONS) == dated(25)


@pytest.mark.parametrize("path", ["contact-lists/Readers/contacts/list", "suppression/addresses"])
def test_p6_a_token_that_expired_starts_the_listing_over(people, ses, sandbox, read, names, path):  # noqa: PLR0917
    stream = CONTACTS if path.endswith("list") else SUPPRESSIONS
    sandbox.switches.change({"ses_max_page": 10})
    expected = [f"name{number:02}" for number in range(25)]
    people(*expected)
    suppress(ses, *((name, 1) for name in expected))
    code = "BadRequestException" if stream == CONTACTS else "InvalidNextTokenException"
    fault = sandbox.faults.add(kind="status", status=400, message=f"{code}: stale", path=f"/v2/email/{path}", skip=2)
    run = read(stream)
    assert fault.hits == 1
    assert run.error is None
    assert sorted({*names(run, stream)}) == expected
    assert len(names(run, stream)) == 35, "the first page came twice"


@pytest.mark.slow
def test_p6_an_interrupted_run_leaves_the_bookmark_where_it_was(people, sandbox, read, names):
    people(*(f"name{number:02}" for number in range(25)))
    first = read(CONTACTS, LISTS)
    people(*(f"name{number:02}" for number in range(25)), unsubscribed=True)
    sandbox.switches.change({"ses_max_page": 10})
    sandbox.faults.add(kind="status", status=403, path="*/contacts/list", skip=2, times=None)
    second = read(CONTACTS, LISTS, state=first.state)
    assert len(names(second)) == 10
    assert "1 of 2 streams was not read completely: ses_contacts (PermissionDenied)" in str(second.error)
    assert second.state == first.state
    assert second.records(LISTS), "the other stream was read"
    sandbox.faults.clear()
    third = read(CONTACTS, state=second.state)
    assert {record["subscription_status"] for record in third.records(CONTACTS)} == {"unsubscribed"}
    assert len(third.records(CONTACTS)) == 25


@pytest.mark.slow
@pytest.mark.parametrize("stream", [CONTACTS, CONTACT_DETAILS, SUPPRESSIONS, SUPPRESSION_DETAILS, JOBS])
def test_a_server_whose_clock_is_ahead_takes_no_bookmark_ahead(  # noqa: PLR0917
    ses, submit, people, sandbox, read, stream
):
    sandbox.clock.advance(4 * 3600)
    people("ann")
    ses.add_suppressions([{"email": "ann@example.com"}])
    ses.finish_job(submit())
    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    run = read(stream, lookback=0)
    if stream.startswith("ses_supp"):
        # Such rows come when the tap's clock has reached them.
        assert run.records(stream) == []
        assert run.bookmark(stream) is None
    else:
        (record,) = run.records(stream)
        column = "created_at" if stream == JOBS else "updated_at"
        assert before < run.bookmark(stream) < record[column]
        assert read(stream, lookback=0, state=run.state).ids(stream) == [record["id"]]


def test_a_list_deleted_while_it_is_read_has_no_contacts(people, ses, wire, read):
    people("ann")

    def gone():
        ses._account.region(HOME).contact_list = None

    wire.before["contact-lists/Readers/contacts/list", 1] = gone
    run = read(CONTACTS)
    assert run.error is None
    assert run.records(CONTACTS) == []


# Regions


@pytest.mark.slow
def test_each_region_has_a_bookmark_of_its_own(people, ses, read, names):
    ses.add_list("Others", region=AWAY)
    people(("here", 100))
    people(("there", 50), region=AWAY)
    first = read(CONTACTS, ses_regions=[HOME, AWAY], lookback=0)
    assert regions(first, CONTACTS) == {HOME: dated(100), AWAY: dated(50)}
    assert first.bookmark(CONTACTS) == dated(50)
    people(("later", 70), region=AWAY)
    second = read(CONTACTS, ses_regions=[HOME, AWAY], lookback=0, state=first.state)
    assert sorted(names(second)) == ["here", "later", "there"]


@pytest.mark.slow
def test_a_region_that_is_added_is_read_from_the_beginning_and_an_omitted_region_waits(people, ses, read, names):
    ses.add_list("Others", region=AWAY)
    people(("here", 100))
    people(("there", 50), region=AWAY)
    first = read(CONTACTS, lookback=0)
    people(("new", 200))
    second = read(CONTACTS, ses_regions=[AWAY], lookback=0, state=first.state)
    assert names(second) == ["there"]
    assert regions(second, CONTACTS) == {HOME: dated(100), AWAY: dated(50)}
    third = read(CONTACTS, ses_regions=[AWAY, HOME], lookback=0, state=second.state)
    assert names(third) == ["there", "here", "new"]


def test_a_bookmark_without_regions_is_every_regions(people, ses, read, names):
    ses.add_list("Others", region=AWAY)
    people(("old", 1), ("new", 10))
    people(("far", 2), ("away", 11), region=AWAY)
    state = {"bookmarks": {CONTACTS: {"replication_key": "updated_at", "replication_key_value": dated(5)}}}
    assert names(read(CONTACTS, ses_regions=[HOME, AWAY], lookback=0, state=state)) == ["new", "away"]


@pytest.mark.parametrize("given", [5, [HOME]])
def test_p9_a_state_whose_regions_are_no_object_is_reported(people, read, given):
    people("ann")
    bookmark = {"replication_key": "updated_at", "replication_key_value": dated(5), "regions": given}
    with pytest.raises(ConfigurationError, match=r"`regions`: Expected `object \| null`, got `(array|int)`"):
        read(CONTACTS, state={"bookmarks": {CONTACTS: bookmark}})


@pytest.mark.slow
@pytest.mark.parametrize("given", [{HOME: "soon"}, {HOME: 5}])
def test_p9_a_state_that_holds_no_bookmarks_is_reported(people, read, caplog, given):
    people("ann")
    bookmark = {"replication_key": "updated_at", "replication_key_value": dated(5), "regions": given}
    run = read(CONTACTS, state={"bookmarks": {CONTACTS: bookmark}})
    assert f"ses_contacts ({ConfigurationError.__name__})" in str(run.error)
    assert "`regions` must be an object with a date-time for each region" in caplog.text


def test_p6_one_region_that_fails_moves_no_bookmark(people, ses, sandbox, read):
    ses.add_list("Others", region=AWAY)
    people(("here", 1))
    people(("there", 1), region=AWAY)
    sandbox.faults.add(kind="status", status=400, path="*/Others/contacts/list", times=None)
    run = read(CONTACTS, ses_regions=[HOME, AWAY])
    assert "ses_contacts (RequestRefused)" in str(run.error)
    assert not run.state["bookmarks"][CONTACTS]


# Suppressions


@pytest.mark.slow
def test_two_runs_of_suppressions_with_changes_in_between(ses, wire, read, names):
    suppress(ses, ("kept", 1), ("again", 2), ("gone", 3))
    first = read(SUPPRESSIONS, lookback=0)
    assert first.bookmark(SUPPRESSIONS) == dated(3)
    suppress(ses, ("again", 10), ("new", 11))
    ses.remove_suppressions(["gone@example.com"])
    wire.requests.clear()
    second = read(SUPPRESSIONS, lookback=0, state=first.state)
    assert sorted(names(second, SUPPRESSIONS)) == ["again", "new"]
    assert second.bookmark(SUPPRESSIONS) == dated(11)
    (asked,) = wire.asked("suppression/addresses")
    assert asked["StartDate"] == "2023-11-14T22:13:22Z", "a second before the bookmark"
    assert asked["EndDate"].startswith("20")


@pytest.mark.slow
@pytest.mark.parametrize("bounds", ["inclusive", "exclusive"])
def test_ties_are_not_missed_whatever_the_bounds_of_the_range(ses, sandbox, read, names, bounds):
    sandbox.switches.change({"ses_date_bounds": bounds})
    suppress(ses, ("ann", 5.5), ("bob", 5))
    first = read(SUPPRESSIONS, lookback=0)
    suppress(ses, ("cem", 5.5), ("dan", 5.999))
    second = read(SUPPRESSIONS, lookback=0, state=first.state)
    assert {"cem", "dan", "ann"} <= {*names(second, SUPPRESSIONS)}


@pytest.mark.slow
def test_what_is_suppressed_while_paging_is_read_by_the_next_run(ses, sandbox, wire, read, names):
    sandbox.switches.change({"ses_max_page": 10})
    suppress(ses, *((f"name{number:02}", number) for number in range(25)))
    wire.before["suppression/addresses", 3] = lambda: ses.add_suppressions(
        [{"email": "name03@example.com", "reason": "COMPLAINT", "updated": datetime.now(UTC).timestamp() + 5}]
    )
    first = read(SUPPRESSIONS, lookback=0)
    assert {*names(first, SUPPRESSIONS)} == {f"name{number:02}" for number in range(25)}
    second = read(SUPPRESSIONS, lookback=0, state=first.state)
    found = {record["email"]: record["reason"] for record in read(SUPPRESSIONS, lookback=0).records(SUPPRESSIONS)}
    assert "name24" in names(second, SUPPRESSIONS)
    assert "name03@example.com" not in found, "it is still ahead of the tap's clock"
    ses.add_suppressions([{"email": "name03@example.com", "reason": "COMPLAINT"}])
    third = read(SUPPRESSIONS, lookback=0, state=second.state)
    assert {record["email"]: record["reason"] for record in third.records(SUPPRESSIONS)}[
        "name03@example.com"
    ] == "COMPLAINT"


def test_reading_in_full_asks_for_no_range(ses, wire, tap, settings):
    suppress(ses, ("ann", 1))
    chosen = tap.catalog(SUPPRESSIONS, config=settings())
    for stream in chosen["streams"]:
        stream["replication_method"] = "FULL_TABLE"
    run = tap.run(settings(start_date=dated(50)), catalog=chosen, transport=wire)
    assert len(run.records(SUPPRESSIONS)) == 1
    (asked,) = wire.asked("suppression/addresses")
    assert asked == {"PageSize": "1000"}
    assert run.bookmark(SUPPRESSIONS) is None


# Jobs


@pytest.mark.slow
def test_a_job_is_read_again_until_it_has_ended(ses, submit, sandbox, read):
    slow, quick = submit(), submit()
    sandbox.clock.advance(10)
    ses.finish_job(quick)
    first = read(JOBS, JOB_DETAILS, lookback=0)
    assert {*first.ids(JOBS)} == {*first.ids(JOB_DETAILS)} == {slow, quick}
    held = first.bookmark(JOBS)
    assert held == {record["id"]: record["created_at"] for record in first.records(JOBS)}[slow]
    sandbox.clock.advance(10)
    late = submit()
    second = read(JOBS, JOB_DETAILS, lookback=0, state=first.state)
    assert {slow, late} <= {*second.ids(JOBS)}
    assert second.bookmark(JOBS) == held
    ses.finish_job(slow, "failed")
    ses.finish_job(late, "failed")
    third = read(JOBS, JOB_DETAILS, lookback=0, state=second.state)
    for stream in (JOBS, JOB_DETAILS):
        ended = {record["id"]: record["is_terminal"] for record in third.records(stream)}
        assert ended[slow] is ended[late] is True
        assert third.bookmark(stream) > held
    fourth = read(JOBS, lookback=0, state=third.state)
    assert fourth.ids(JOBS) == [late], "the bookmark's own time"
    assert fourth.state["bookmarks"][JOBS] == third.state["bookmarks"][JOBS]


def test_an_open_job_older_than_every_bookmark_is_read(ses, submit, read):
    job = submit()
    bookmark = {"replication_key": "created_at", "replication_key_value": "2030-01-01T00:00:00Z"}
    run = read(JOBS, state={"bookmarks": {JOBS: bookmark}})
    assert run.ids(JOBS) == [job]
    assert run.bookmark(JOBS) == run.records(JOBS)[0]["created_at"]


def test_jobs_in_any_order(submit, ses, sandbox, read):
    sandbox.switches.change({"ses_list_order": "shuffled", "ses_max_jobs_page": 4})
    jobs = []
    for _ in range(15):
        jobs.append(submit())
        ses.finish_job(jobs[-1], "failed")
        sandbox.clock.advance(1)
    run = read(JOBS)
    assert sorted(run.ids(JOBS)) == sorted(jobs)
    assert run.bookmark(JOBS) == max(record["created_at"] for record in run.records(JOBS))


@pytest.mark.slow
def test_jobs_of_the_other_destination_are_not_missed_when_it_is_requested(ses, submit, sandbox, read):
    old = submit(contact_list=None)
    sandbox.clock.advance(10)
    new = submit()
    for job in (old, new):
        ses.finish_job(job, "failed")
    first = read(JOBS, lookback=0, ses_import_destination="contact_list")
    assert first.ids(JOBS) == [new]
    second = read(JOBS, lookback=0, state=first.state)
    assert {*second.ids(JOBS)} == {old, new}
    third = read(JOBS, lookback=0, state=second.state, ses_import_destination="contact_list")
    assert third.ids(JOBS) == [new], "what was read of all counts for each"


# Full tables


@pytest.mark.slow
def test_streams_read_in_full_have_no_bookmark(people, ses, read):
    people("ann")
    first = read(LISTS, TOPICS, "ses_account")
    second = read(LISTS, TOPICS, "ses_account", state=first.state)
    assert not any(second.state["bookmarks"].values())
    assert second.ids(TOPICS) == first.ids(TOPICS) == ["News", "Offers"]


@pytest.mark.slow
def test_p6_with_change_detection_everybody_is_read_and_no_address_is_kept(people, ses, read, tmp_path, caplog):
    path = tmp_path / "snapshot.sqlite"
    noted = {"change_detection": {"path": str(path)}}
    people("ann", "bob")
    first = read(CONTACTS, **noted)
    assert sorted(first.ids(CONTACTS)) == ["ann@example.com", "bob@example.com"]
    ses.remove_contacts(["ann@example.com"], region=HOME)
    people("cid")
    second = read(CONTACTS, state=first.state, **noted)
    assert second.ids(CONTACTS) == ["cid@example.com"]
    assert "ses_contacts: 1 row was deleted" in caplog.text
    assert b"@example.com" not in path.read_bytes()


def test_details_are_never_compared():
    config = {"ses_regions": [HOME], "change_detection": {"path": "x"}}
    streams = TapMailing(config=config, validate_config=False, setup_mapper=False).streams
    assert {name for name, stream in streams.items() if stream.detects_changes} == {
        CONTACTS, LISTS, TOPICS, "ses_account",
    }  # fmt: skip


@pytest.mark.slow
def test_a_contact_leaves_a_snapshot_by_address_region_and_list(people, read, settings, tmp_path, capsys):
    noted = {"change_detection": {"path": str(tmp_path / "snapshot.sqlite")}}
    people("ann", "bob")
    state = read(CONTACTS, **noted).state
    file = tmp_path / "person"
    config = _ConfigInput(config=settings(**noted), parse_env=False)
    for key, is_found in (("ANN@example.com", False), (f"ANN@example.com/{HOME}/Readers", True)):
        file.write_text(key)
        TapMailing.invoke(config=config, erase=str(file), yes=True)
        said = capsys.readouterr().out
        assert ("Erased: 1 row" in said) == is_found
        assert ("which may have more columns: ADDRESS/REGION/LIST, for example." in said) != is_found
    assert read(CONTACTS, state=state, **noted).ids(CONTACTS) == ["ann@example.com"]
