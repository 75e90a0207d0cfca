"""Incremental runs against the sandbox: what is read again, what is never missed, where the bookmark stands."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from .conftest import CONTACTS, CSV, IMPORTS, LISTS, MAPPING, MEMBERS, names

#: Each waits for answers of a sandbox of its own.
pytestmark = pytest.mark.slow

MANY = 250
"""More than two pages."""

ORDERS = ("created_desc", "updated_desc", "created_asc")

each_order = pytest.mark.parametrize("order", ORDERS)


@pytest.fixture
def crowd(world):
    """`Name 000`, the oldest, and so on, ten minutes apart until an hour ago; their IDs."""
    now = world.clock.now() - 3600
    rows = [{"firstName": f"Name {number:03}", "at": now - 600 * (MANY - number)} for number in range(MANY)]
    return world.make(*rows)


def stamp(seconds):
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def everybody(leaving=()):
    return {f"Name {number:03}" for number in range(MANY)} - set(leaving)


@each_order
def test_two_runs_with_changes_in_between(crowd, world, read, order):
    world.pg.change(postgrid_order=order)
    first = read(CONTACTS, lookback=0)
    assert sorted(names(first)) == sorted(everybody())
    world.delete(crowd[7])
    world.touch("Name 003", "Name 200")
    world.make("Added")
    second = read(CONTACTS, state=first.state, lookback=0)
    assert {*names(second)} == {"Name 003", "Name 200", "Added", "Name 249"}, "the latest of the first run comes again"
    assert first.bookmark(CONTACTS) < second.bookmark(CONTACTS)
    third = read(CONTACTS, state=second.state, lookback=0)
    assert {*names(third)} <= {"Name 003", "Name 200", "Added"}
    assert third.bookmark(CONTACTS) >= second.bookmark(CONTACTS)


def test_lists_and_imports_are_incremental_too(world, read):
    old, board = world.pg.add_list("Old"), world.pg.add_list("Board")
    done = world.pg.add_import(CSV, MAPPING)
    first = read(LISTS, IMPORTS, lookback=0, state=later(world, read, LISTS, IMPORTS))
    assert first.records(LISTS) == first.records(IMPORTS) == []
    world.post(f"mailing_lists/{board}", description="Elders")
    world.post(f"mailing_list_imports/{done}", description="Batch 1")
    second = read(LISTS, IMPORTS, lookback=0, state=first.state)
    assert [record["name"] for record in second.records(LISTS)] == ["Elders"]
    assert [record["description"] for record in second.records(IMPORTS)] == ["Batch 1"]
    assert old not in second.ids(LISTS)


def later(world, read, *streams):
    """STATE as it is when time has passed since everything that was read."""
    state = read(*streams).state
    world.clock.advance(60)
    for stream in streams:
        state["bookmarks"][stream]["replication_key_value"] = stamp(world.clock.now() - 30)
    return state


def test_the_lookback_reads_again(world, read):
    now = world.clock.now()
    world.make({"firstName": "Old", "at": now - 90_000}, {"firstName": "New", "at": now - 60})
    first = read(CONTACTS)
    assert names(read(CONTACTS, state=first.state)) == ["New"]
    assert sorted(names(read(CONTACTS, state=first.state, lookback="P2D"))) == ["New", "Old"]


def test_start_date_is_where_the_first_run_begins(world, read):
    world.make({"firstName": "Old", "at": 1_600_000_000.5}, {"firstName": "New", "at": 1_700_000_000.5})
    run = read(CONTACTS, start_date="2022-01-01")
    assert names(run) == ["New"]
    assert run.bookmark(CONTACTS) == stamp(1_700_000_000.5)
    assert sorted(names(read(CONTACTS, start_date=stamp(1_600_000_000)))) == ["New", "Old"]


@pytest.mark.parametrize("milliseconds", [True, False])
def test_what_changes_in_the_second_of_the_bookmark_is_not_missed(world, read, milliseconds):
    world.pg.change(postgrid_milliseconds=milliseconds)
    world.clock.freeze()
    world.clock.advance(1.2 - world.clock.now() % 1)
    world.make("First", "Second")
    run = read(CONTACTS, lookback=0)
    world.clock.advance(0.7)
    world.touch("First")
    world.make("Third")
    again = read(CONTACTS, lookback=0, state=run.state)
    assert {*names(again)} >= {"First", "Third"}


def test_rows_of_one_moment_stay_together(world, read):
    now = world.clock.now() - 60
    world.make(*({"firstName": name, "at": now} for name in ("A", "B", "C")))
    run = read(CONTACTS, lookback=0)
    assert sorted(names(read(CONTACTS, lookback=0, state=run.state))) == ["A", "B", "C"]


# While a listing is read


@each_order
def test_a_row_edited_while_paging_is_read_and_its_change_is_read_next_time(crowd, world, read, order):
    world.pg.change(postgrid_order=order)
    edited = ("Name 000", "Name 100", "Name 249")
    world.wire.before["contacts", 2] = lambda: world.touch(*edited)
    first = read(CONTACTS, lookback=0)
    assert {*names(first)} == everybody()
    second = read(CONTACTS, lookback=0, state=first.state)
    changed = {record["first_name"]: record["description"] for record in second.records(CONTACTS)}
    assert changed.items() >= dict.fromkeys(edited, "changed").items()
    assert first.bookmark(CONTACTS) <= min(record["updated_at"] for record in second.records(CONTACTS))


@each_order
@pytest.mark.parametrize("request_number", [2, 3, 4])
def test_p6_contacts_deleted_while_paging_hide_no_other(crowd, world, read, order, request_number):
    world.pg.change(postgrid_order=order)
    doomed = [0, 1, 99, 100, 101, 150, 200, 249]
    world.wire.before["contacts", request_number] = lambda: world.delete(*(crowd[number] for number in doomed))
    run = read(CONTACTS)
    assert run.error is None
    assert {*names(run)} >= everybody(f"Name {number:03}" for number in doomed)


@each_order
def test_contacts_added_while_paging_hide_no_other(crowd, world, read, order):
    world.pg.change(postgrid_order=order)
    world.wire.before["contacts", 2] = lambda: world.make("Added A", "Added B")
    first = read(CONTACTS, lookback=0)
    assert {*names(first)} >= everybody()
    second = read(CONTACTS, lookback=0, state=first.state)
    assert {*names(first), *names(second)} >= {"Added A", "Added B"}


@each_order
def test_p6_everything_at_once_while_paging(crowd, world, read, order):
    world.pg.change(postgrid_order=order)

    def stir(number):
        world.delete(crowd[number * 3], crowd[-number * 3])
        world.touch(f"Name {number * 10 + 1:03}", f"Name {248 - number * 10:03}")
        world.make(f"Added {number}")

    for number in range(1, 6):
        world.wire.before["contacts", number + 1] = lambda number=number: stir(number)
    run = read(CONTACTS)
    assert run.error is None
    doomed = {f"Name {place:03}" for number in range(1, 6) for place in (number * 3, MANY - number * 3)}
    assert {*names(run)} >= everybody(doomed)


def test_p6_an_interrupted_run_leaves_the_bookmark_where_it_was(crowd, world, read):
    first = read(CONTACTS, lookback=0)
    world.touch(*sorted(everybody()))
    world.sandbox.faults.add(kind="status", status=400, path="*/contacts", skip=2)
    second = read(CONTACTS, state=first.state, lookback=0, concurrency=1)
    assert 0 < len(second.records(CONTACTS)) < MANY
    assert "postgrid_contacts (RequestRefused)" in str(second.error)
    assert second.state == first.state
    third = read(CONTACTS, state=second.state, lookback=0)
    assert {*names(third)} == everybody()
    assert {record["description"] for record in third.records(CONTACTS)} == {"changed"}


def test_p6_memberships_hide_none_while_paging(crowd, world, read):
    board = world.pg.add_list("Board")
    world.post(f"mailing_lists/{board}/jobs", addContacts=crowd)
    world.wire.before["contacts", 2] = lambda: world.delete(*crowd[-30:])
    run = read(MEMBERS)
    assert {record["contact_id"] for record in run.records(MEMBERS)} >= {*crowd[:-30]}


@pytest.mark.parametrize("most", [2, 10, 40])
def test_shorter_pages_than_requested_are_noticed(crowd, world, read, monkeypatch, most):
    world.loosen(postgrid_limit_over_max="clamp")
    monkeypatch.setattr("mailing_sandbox.postgrid.listing.MAX_LIMIT", most)
    run = read(CONTACTS)
    assert run.error is None
    assert {*names(run)} == everybody()


def test_p6_pages_too_short_to_overlap_prove_nothing(world, read, monkeypatch, caplog):
    world.loosen(postgrid_limit_over_max="clamp")
    monkeypatch.setattr("mailing_sandbox.postgrid.listing.MAX_LIMIT", 1)
    world.make("A", "B", "C")
    assert "UnreadableAnswer" in str(read(CONTACTS).error)
    assert "pages are too short to prove" in caplog.text


# Clocks


def test_a_server_whose_clock_is_ahead_takes_the_bookmark_nowhere_ahead(world, read):
    world.clock.advance(4 * 3600)
    world.make("First", "Second")
    run = read(CONTACTS, lookback=0)
    assert run.bookmark(CONTACTS) < run.records(CONTACTS)[0]["updated_at"]
    world.touch("Second")
    assert "Second" in names(read(CONTACTS, lookback=0, state=run.state))


@each_order
@pytest.mark.parametrize("sends_date", [True, False])
def test_a_server_whose_clock_is_behind_hides_no_change(crowd, world, read, order, sends_date):
    world.pg.change(postgrid_order=order)
    if not sends_date:
        world.wire.clock = None

    def edit():
        world.touch("Name 249", "Name 000")  # one of them was read before
        world.clock.advance(60)
        world.touch("Name 010", "Name 240")  # one of them will be read with its change

    world.wire.before["contacts", 2] = edit
    first = read(CONTACTS, lookback=0)
    changed = {record["updated_at"] for record in first.records(CONTACTS) if record["description"] == "changed"}
    assert changed, "a change was read that came after others"
    second = read(CONTACTS, lookback=0 if sends_date else "PT3H", state=first.state)
    assert {*names(second)} >= {"Name 249", "Name 000", "Name 010", "Name 240"}


def test_what_changes_in_the_second_in_which_reading_began_is_not_missed(crowd, world, read):
    world.pg.change(postgrid_milliseconds=False)
    world.wire.clock = None
    world.clock._offset = 0

    def edit():
        world.touch("Name 249")  # was read before
        world.clock.advance(5)
        world.touch("Name 000")  # will be read with its change

    world.wire.before["contacts", 2] = edit
    first = read(CONTACTS, lookback=0)
    assert {"Name 249", "Name 000"} <= {*names(read(CONTACTS, lookback=0, state=first.state))}


# Jobs that are not at their end


def test_an_import_that_is_validated_is_read_until_it_has_ended(world, read):
    world.pg.plan_imports([{"hold": True}])
    slow = world.pg.add_import(CSV, MAPPING)
    world.clock.advance(3600)
    quick = world.pg.add_import(CSV, MAPPING)
    first = read(IMPORTS, lookback=0)
    records = {record["id"]: record for record in first.records(IMPORTS)}
    assert (records[slow]["is_terminal"], records[quick]["is_terminal"]) == (False, True)
    assert first.bookmark(IMPORTS) == records[slow]["updated_at"]
    second = read(IMPORTS, lookback=0, state=first.state)
    assert {*second.ids(IMPORTS)} == {slow, quick}
    assert second.state == first.state
    world.pg.finish_import(slow)
    third = read(IMPORTS, lookback=0, state=second.state)
    assert {record["id"]: record["status"] for record in third.records(IMPORTS)}[slow] == "completed"
    assert third.bookmark(IMPORTS) > second.bookmark(IMPORTS)


@pytest.mark.parametrize("moves", [True, False])
def test_a_list_is_read_until_its_job_has_ended(world, read, moves):
    world.pg.change(postgrid_status_moves_updated_at=moves)
    board, other = world.pg.add_list("Board"), world.pg.add_list("Other")
    (contact,) = world.make("Amara")
    state = later(world, read, LISTS)
    world.pg.plan_jobs([{"hold": True, "errors": ["internal_service_error"]}])
    world.post(f"mailing_lists/{board}/jobs", addContacts=[contact])
    first = read(LISTS, lookback=0, state=state)
    assert [record["status"] for record in first.records(LISTS)] == ["creating_contacts"]
    world.pg.finish_job(board)
    second = read(LISTS, lookback=0, state=first.state)
    (record,) = [record for record in second.records(LISTS) if record["id"] == board]
    assert (record["status"], record["errors"][0]["type"]) == ("completed", "internal_service_error")
    assert other


def test_a_status_that_is_unknown_may_still_change(world, read):
    world.wire.contract = None
    board = world.pg.add_list("Board")
    world.pg.plan_jobs([{"hold": True, "status": "printing_labels"}])
    world.post(f"mailing_lists/{board}/jobs", addContacts=world.make("Amara"))
    world.clock.advance(10)
    first = read(LISTS, lookback=0)
    assert [record["status"] for record in first.records(LISTS)] == ["printing_labels"]
    assert first.bookmark(LISTS) == first.records(LISTS)[0]["updated_at"]


def test_nothing_older_than_the_start_date_is_read_though_it_has_not_ended(world, read):
    world.pg.plan_imports([{"hold": True}])
    world.pg.add_import(CSV, MAPPING)
    assert len(read(IMPORTS).records(IMPORTS)) == 1
    assert read(IMPORTS, start_date=stamp(world.clock.now() + 3600)).records(IMPORTS) == []


def test_nothing_new_leaves_the_bookmarks(world, read):
    world.pg.seed(30)
    streams = (CONTACTS, LISTS, IMPORTS)
    first = read(*streams)
    second = read(*streams, state=first.state)
    assert second.state == first.state


def test_a_full_read_needs_no_bookmark_and_leaves_none(world, tap):
    world.make("Amara")
    config = {"postgrid_api_key": world.sandbox.postgrid.test_key, "postgrid_base_url": world.sandbox.url}
    chosen = tap.catalog(CONTACTS, config=config)
    for stream in chosen["streams"]:
        stream["replication_method"] = "FULL_TABLE"
    run = tap.run(config | {"max_requests_per_second": 1e6}, catalog=chosen, transport=world.wire)
    assert len(run.records(CONTACTS)) == 1
    assert run.bookmark(CONTACTS) is None


def test_p6_a_bookmark_of_test_data_hides_no_live_data(world, read):
    old = {"addressLine1": "3 Mill Lane", "countryCode": "CA", "at": world.clock.now() - 10 * 86_400}
    world.make("Testing")
    world.pg.add_contacts([{"firstName": name, **old} for name in ("Amara", "Noor")], live=True)
    first = read(CONTACTS)
    second = read(CONTACTS, state=first.state, postgrid_api_key=world.pg.live_key)
    assert sorted(names(second)) == ["Amara", "Noor"]
    assert second.bookmark(CONTACTS) < first.bookmark(CONTACTS)
    third = read(CONTACTS, state=second.state, postgrid_api_key=world.pg.live_key, lookback=0)
    assert third.state == second.state
    bounded = read(
        CONTACTS, state=first.state, postgrid_api_key=world.pg.live_key, start_date=stamp(world.clock.now() - 86_400)
    )
    assert names(bounded) == []


def test_an_empty_account_keeps_what_state_says(world, read):
    (key,) = world.make("Testing")
    first = read(CONTACTS)
    world.delete(key)
    assert read(CONTACTS, state=first.state).state == first.state


def test_p6_with_change_detection_deleted_contacts_are_reported(world, read, tmp_path):
    noted = {"change_detection": {"path": str(tmp_path / "snapshot.sqlite")}}
    amara, noor = world.make("Amara", "Noor")
    first = read(CONTACTS, **noted)
    assert sorted(first.ids(CONTACTS)) == sorted([amara, noor])
    world.delete(amara)
    (kim,) = world.make("Kim")
    second = read(CONTACTS, state=first.state, **noted)
    assert {one["id"]: bool(one["_sdc_deleted_at"]) for one in second.records(CONTACTS)} == {kim: False, amara: True}
    assert read(CONTACTS, state=second.state, **noted).records(CONTACTS) == []
