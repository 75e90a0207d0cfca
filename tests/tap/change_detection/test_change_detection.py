"""`change_detection`: only new and changed rows are written, deletions are reported, and failures lose nothing."""

from __future__ import annotations

import json
import logging
import signal
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest

from mailing_api.errors import ConfigurationError, ProviderFault
from mailing_api.mailjet.client import MailjetClient
from mailing_api.storage import postgres
from mailing_sandbox.server import Sandbox
from tap_mailing.change_detection import sqlite
from tap_mailing.change_detection.postgres import PostgresStore
from tap_mailing.change_detection.sqlite import FileStore
from tap_mailing.mailjet.streams import ContactProperties, ListMembers
from tap_mailing.records.columns import text
from tap_mailing.records.writer import PageWriter
from tap_mailing.tap import StreamsFailed, TapMailing
from tests.fork_server import FORKS

CONTACTS = "mailjet_contacts"
LISTS = "mailjet_mailing_lists"
MEMBERS = "mailjet_list_members"
JOBS = "mailjet_import_jobs"
DELETED_AT = "_sdc_deleted_at"


def contact(number, name="Ada", **fields):
    return {"ID": number, "Email": f"{name.lower()}.{number}@inbox.test", "Name": name, **fields}


class Source:
    """A Mailjet whose contacts change between runs, and a tap that remembers them."""

    def __init__(self, mailjet, place):
        self.mailjet = mailjet
        self.place = place
        self.state = None

    def has(self, *rows):
        self.mailjet.collections["contact"] = list(rows)

    def run(self, *streams, state=True, place=None, config=(), **options):
        """One run from the last STATE; its own STATE is kept, unless `state` gives another to begin with."""
        settings = {"change_detection": place or self.place, **dict(config)}
        begin = json.loads(json.dumps(self.state)) if state is True else state
        run = self.mailjet.read(*(streams or (CONTACTS,)), config=settings, state=begin, **options)
        if state is True and run.error is None:
            self.state = run.state
        return run


@pytest.fixture(params=["file", "postgresql"])
def place(request, tmp_path):
    if request.param == "file":
        return {"path": str(tmp_path / "new" / "snapshot.sqlite")}
    import psycopg

    url = request.getfixturevalue("postgresql_url")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS tap_mailing CASCADE")
    return {"url": url}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "snapshot.sqlite"


@pytest.fixture
def source(fake, place):
    return Source(fake(), place)


@pytest.fixture
def at_file(fake, file):
    return Source(fake(), {"path": str(file)})


def rows_of(run, stream=CONTACTS):
    """Number and name of each record; the name of one that is gone is None."""
    return [(int(one["id"]), None if one[DELETED_AT] else one.get("name")) for one in run.records(stream)]


# What is written


@pytest.mark.slow
def test_only_what_is_new_or_changed_is_written_and_deleted_rows_are_reported(source):
    source.has(contact(1), contact(2), contact(3))
    assert rows_of(source.run()) == [(1, "Ada"), (2, "Ada"), (3, "Ada")]
    source.has(contact(1), contact(2, "Eve"), contact(4))
    assert rows_of(source.run()) == [(2, "Eve"), (4, "Ada"), (3, None)]
    assert rows_of(source.run()) == []


@pytest.mark.slow
def test_a_record_of_a_deleted_row_holds_its_key_and_the_time(source):
    source.has(contact(1))
    run = source.run()
    assert run.records(CONTACTS)[0][DELETED_AT] is None
    assert run.schema(CONTACTS)["properties"][DELETED_AT] == {"type": ["string", "null"], "format": "date-time"}
    source.has()
    (record,) = source.run().records(CONTACTS)
    assert record == {"provider": "mailjet", "account": "default", "id": "1", DELETED_AT: record[DELETED_AT]}
    assert record[DELETED_AT].endswith("Z")


def test_a_row_that_came_back_is_written_again(source):
    for rows, expected in [([contact(1)], [(1, "Ada")]), ([], [(1, None)]), ([contact(1)], [(1, "Ada")])]:
        source.has(*rows)
        assert rows_of(source.run()) == expected


def test_the_column_is_there_only_where_the_setting_is_on_and_the_stream_is_read_in_full(fake):
    def columns(config):
        streams = TapMailing(config=config, validate_config=False, setup_mapper=False).streams
        return {name for name, stream in streams.items() if DELETED_AT in stream.schema["properties"]}

    assert columns({"mailjet_api_key": "x"}) == set()
    assert columns({"mailjet_api_key": "x", "mpdx_token": "x", "change_detection": {"path": "x"}}) == {
        *(CONTACTS, LISTS, MEMBERS, "mailjet_contact_properties", "mailjet_contact_filters"),
        *("mailjet_list_statistics", "mpdx_account_lists"),
    }


def test_incremental_streams_are_as_ever(source, fake):
    source.mailjet.collections["batchjob"] = [{"ID": 1, "Status": "Completed", "RequestAt": 1709632800}]
    run = source.run(JOBS)
    assert run.bookmark(JOBS) == fake(**source.mailjet.collections).read(JOBS).bookmark(JOBS)
    assert DELETED_AT not in run.records(JOBS)[0]
    assert "snapshots" not in run.state["bookmarks"][JOBS]
    assert source.run(JOBS).ids(JOBS) == ["1"], "look-back"


def test_a_stream_filtered_here_is_walked_whole_and_keeps_its_bookmark(source, monkeypatch):
    monkeypatch.setattr("tap_mailing.mailjet.streams.ListSignups.filtered_here", True)
    signups = "mailjet_list_signups"
    old, new = {"ID": 1, "SignupAt": 1709632800}, {"ID": 2, "SignupAt": 1709719200}
    source.mailjet.collections["contactslistsignup"] = [old, new]
    run = source.run(signups, config={"start_date": "2024-03-06"})
    assert run.ids(signups) == ["1", "2"]
    assert run.bookmark(signups) == "2024-03-06T10:00:00.000000Z"
    source.mailjet.collections["contactslistsignup"] = [new, {"ID": 3, "SignupAt": 1709632800}]
    run = source.run(signups)
    assert [(one["id"], bool(one[DELETED_AT])) for one in run.records(signups)] == [("3", False), ("1", True)]
    assert run.bookmark(signups) == "2024-03-06T10:00:00.000000Z"
    assert all("MinSignupAt" not in asked for asked in source.mailjet.asked("contactslistsignup"))


def test_streams_that_leave_a_trace_are_never_compared():
    offered = TapMailing(config={"change_detection": {"path": "x"}}, validate_config=False, setup_mapper=False).streams
    assert not offered["mpdx_contact_exports"].detects_changes
    assert not offered["mpdx_contact_export_rows"].detects_changes


# STATE and generations


def test_p6_a_load_that_failed_loses_nothing(source):
    source.has(contact(1), contact(2))
    loaded = source.run().state
    source.has(contact(1, "Eve"), contact(3))
    assert rows_of(source.run(state=loaded)) == [(1, "Eve"), (3, "Ada"), (2, None)]
    # Some rows may have been loaded: unchanged rows are written again, and rows that came and went as deletions.
    source.has(contact(1), contact(2))
    assert rows_of(source.run(state=loaded)) == [(1, "Ada"), (2, "Ada"), (3, None)]


@pytest.mark.parametrize("state", [True, None], ids=["that STATE", "no STATE"])
def test_p6_what_a_failed_walk_wrote_after_an_empty_one_is_reported_as_deleted(at_file, monkeypatch, state):
    monkeypatch.setitem(MailjetClient.rows.__kwdefaults__, "limit", 2)
    at_file.run()
    with monkeypatch.context() as patch:
        write, pages = PageWriter.write_records, []

        def fail(self, stream, rows, at):
            pages.append(stream)
            if len(pages) > 1:
                raise ProviderFault("It failed.")
            write(self, stream, rows, at)

        patch.setattr(PageWriter, "write_records", fail)
        at_file.has(*map(contact, range(1, 5)))
        run = at_file.run(state=state)
        assert rows_of(run) == [(1, "Ada"), (2, "Ada")]
    at_file.has(*map(contact, range(2, 5)))
    assert rows_of(at_file.run()) == [(2, "Ada"), (3, "Ada"), (4, "Ada"), (1, None)]


def test_p6_no_row_is_reported_as_deleted_by_a_walk_that_failed(source, monkeypatch):
    source.has(contact(1), contact(2))
    source.run()
    source.has(contact(1, "Eve"))
    source.mailjet.broken["contactdata"] = lambda _: source.mailjet.page([{"canary": 1}])
    failed = source.run()
    assert isinstance(failed.error, StreamsFailed)
    assert failed.state == source.state
    assert not any(one[DELETED_AT] for one in failed.records(CONTACTS))
    del source.mailjet.broken["contactdata"]
    assert rows_of(source.run()) == [(1, "Eve"), (2, None)]


def test_one_stream_that_fails_leaves_the_generations_of_the_others(source):
    source.has(contact(1))
    source.mailjet.collections["contactslist"] = [{"ID": 7, "Name": "Readers"}]
    source.run(CONTACTS, LISTS)
    source.mailjet.broken["contact"] = lambda _: source.mailjet.page([{"canary": 1}])
    source.mailjet.collections["contactslist"] = []
    run = source.run(CONTACTS, LISTS)
    assert run.error
    assert rows_of(run, LISTS) == [(7, None)]
    before, after = source.state["bookmarks"], run.state["bookmarks"]
    assert after[CONTACTS] == before[CONTACTS]
    assert after[LISTS] != before[LISTS]


@pytest.mark.parametrize("state", [None, {"bookmarks": {CONTACTS: {"snapshots": {"default": "no such"}}}}])
def test_without_a_generation_that_is_there_all_rows_are_new(source, state, caplog):
    caplog.set_level(logging.INFO)
    source.has(contact(1), contact(2))
    source.run()
    source.has(contact(1))
    caplog.clear()
    run = source.run(state=state)
    assert rows_of(run) == [(1, "Ada")]
    assert f"{CONTACTS}: no generation to compare with" in caplog.text
    # The one of the earlier run is there still.
    assert rows_of(source.run()) == [(1, "Ada"), (2, None)]


def test_a_generation_is_dropped_once_a_later_one_is_named(source, caplog):
    caplog.set_level(logging.INFO)
    source.has(contact(1), contact(2))
    first = source.run().state
    source.has(contact(1))
    source.run()
    assert rows_of(source.run(state=first)) == [(2, None)], "still there"
    source.run()
    caplog.clear()
    assert rows_of(source.run(state=first)) == [(1, "Ada")]
    assert "the snapshot lacks the generation that STATE names" in caplog.text


@pytest.mark.parametrize("found", [[], "text"])
def test_p9_a_state_whose_snapshots_are_no_object_is_reported(source, found):
    source.has(contact(1))
    with pytest.raises(ConfigurationError, match=r"`snapshots`: Expected `object \| null`, got `(array|str)`"):
        source.run(state={"bookmarks": {CONTACTS: {"snapshots": found}}})


@pytest.mark.parametrize("found", [{"default": 5}, {"default": {}}])
def test_a_state_of_another_shape_names_none(source, found):
    source.has(contact(1))
    run = source.run(state={"bookmarks": {CONTACTS: {"snapshots": found}}})
    assert run.error is None
    assert rows_of(run) == [(1, "Ada")]


def test_a_run_without_the_setting_makes_state_name_none(source, fake):
    source.has(contact(1))
    source.run()
    source.has(contact(1, "Eve"))
    plain = fake(contact=source.mailjet.collections["contact"]).read(CONTACTS, state=source.state)
    assert plain.messages[1]["type"] == "SCHEMA"
    first = next(message for message in plain.messages[1:] if message["type"] == "STATE")
    assert "snapshots" not in first["value"]["bookmarks"][CONTACTS]
    assert plain.messages.index(first) < next(
        at for at, message in enumerate(plain.messages) if message["type"] == "RECORD"
    ), "what is loaded by half is not taken for known"
    source.has(contact(1))
    assert rows_of(source.run(state=plain.state)) == [(1, "Ada")]


def test_a_test_neither_reads_nor_makes_a_snapshot(at_file, file):
    at_file.has(contact(1))
    assert at_file.run(test=True, state=None).error is None
    assert not file.exists()


def test_accounts_have_generations_of_their_own(source):
    source.has(contact(1))
    source.run(config={"mailjet_account": "north"})
    source.has(contact(2))
    assert rows_of(source.run(config={"mailjet_account": "south"})) == [(2, "Ada")]
    assert source.state["bookmarks"][CONTACTS]["snapshots"].keys() == {"north", "south"}
    source.has(contact(1), contact(3))
    assert rows_of(source.run(config={"mailjet_account": "north"})) == [(3, "Ada")]
    assert rows_of(source.run(config={"mailjet_account": "south"})) == [(1, "Ada"), (3, "Ada"), (2, None)]


def test_p6_settings_that_limit_a_listing_delete_nothing(source, caplog):
    caplog.set_level(logging.INFO)
    source.has(contact(1), contact(2, "Anonymized", Email=r"\x0f00d1@domain.invalid"))
    assert rows_of(source.run(config={"mailjet_include_anonymized": True})) == [(1, "Ada"), (2, "Anonymized")]
    assert rows_of(source.run()) == [(1, "Ada")]
    assert "settings changed" in caplog.text


# What a record is made of


def test_other_columns_make_every_row_a_changed_one(source):
    source.has(contact(1), contact(2))
    source.run()
    source.has(contact(2))
    run = source.run(without=("email",))
    assert rows_of(run) == [(2, "Ada"), (1, None)]
    assert rows_of(source.run(without=("email",))) == []
    assert rows_of(source.run()) == [(2, "Ada")]


def test_a_change_in_a_column_that_is_not_selected_is_none(source):
    source.has(contact(1))
    source.run(without=("name", "email"))
    source.has(contact(1, "Eve"))
    assert source.run(without=("name", "email")).records(CONTACTS) == []


def test_the_column_cannot_be_deselected_and_older_catalogs_need_not_have_it(source, tap):
    source.has(contact(1))
    assert DELETED_AT in source.run(without=(DELETED_AT,)).schema(CONTACTS)["properties"]
    older = tap.catalog(CONTACTS)
    assert DELETED_AT not in json.dumps(older)
    source.has()
    run = source.run(catalog=older)
    assert DELETED_AT in run.schema(CONTACTS)["properties"]
    assert rows_of(run) == [(1, None)]


def test_a_catalog_without_metadata_selects_everything_as_ever(source, tap):
    chosen = tap.catalog(CONTACTS)
    chosen["streams"] = [stream | {"metadata": []} for stream in chosen["streams"] if stream["stream"] == CONTACTS]
    source.has(contact(1))
    run = source.run(catalog=chosen)
    assert rows_of(run) == [(1, "Ada")]
    assert DELETED_AT in run.schema(CONTACTS)["properties"]


def test_keys_cannot_be_deselected(source):
    source.has(contact(1))
    source.run(without=("id", "account"))
    source.has()
    (record,) = source.run(without=("id", "account")).records(CONTACTS)
    assert (record["account"], record["id"]) == ("default", "1")


def test_stream_maps_see_a_deleted_row(source):
    maps = {
        CONTACTS: {
            "__alias__": "people",
            "__filter__": "_sdc_deleted_at is not None or name != 'Eve'",
            "email": "sha256(email) if email else None",
            "updated_at": None,
        }
    }
    source.has(contact(1), contact(2, "Eve"), contact(3))
    run = source.run(config={"stream_maps": maps})
    assert [one["id"] for one in run.records("people")] == ["1", "3"]
    source.has(contact(1), contact(2, "Eve"))
    run = source.run(config={"stream_maps": maps})
    (record,) = run.records("people")
    assert (record["id"], record["email"], record["name"]) == ("3", None, None)
    assert record[DELETED_AT]
    assert DELETED_AT in run.schema("people")["properties"]


def test_other_stream_maps_make_every_row_a_changed_one(source):
    source.has(contact(1))
    source.run(config={"stream_maps": {CONTACTS: {"name": "name.upper()"}}})
    run = source.run(config={"stream_maps": {CONTACTS: {"name": "name.lower()"}}})
    assert rows_of(run) == [(1, "ada")]


def test_flattened_records_are_compared_too(source):
    source.has(contact(1), contact(2))
    flat = {"flattening_enabled": True, "flattening_max_depth": 1}
    source.run(config=flat)
    source.has(contact(2))
    assert rows_of(source.run(config=flat)) == [(1, None)]


def test_numbers_of_any_size_are_compared(source):
    source.has(contact(1, DeliveredCount=2**70), contact(2))
    assert len(source.run().records(CONTACTS)) == 2
    assert rows_of(source.run()) == []
    source.has(contact(1, DeliveredCount=2**70 + 1), contact(2))
    assert rows_of(source.run()) == [(1, "Ada")]


def test_a_column_of_another_name_or_type_makes_a_row_a_changed_one(source, monkeypatch):
    source.mailjet.collections["contactmetadata"] = [{"ID": 1, "Name": "city", "Datatype": "str"}]
    properties = "mailjet_contact_properties"
    source.run(properties)
    assert source.run(properties).records(properties) == []
    columns = ContactProperties.columns
    monkeypatch.setattr(ContactProperties, "columns", (*columns[:-1], text("renamed", "NameSpace")))
    (record,) = source.run(properties).records(properties)
    assert record["renamed"] is None


def test_properties_in_another_order_are_the_same(source):
    source.has(contact(1))
    source.mailjet.collections["contactmetadata"] = [
        {"ID": number, "Name": name, "Datatype": "str"} for number, name in enumerate("ab", 1)
    ]
    items = [{"Name": name, "Value": name} for name in "ab"]
    source.mailjet.collections["contactdata"] = [{"ID": 1, "ContactID": 1, "Data": items}]
    assert source.run().records(CONTACTS)[0]["properties"] == {"a": "a", "b": "b"}
    source.mailjet.collections["contactdata"] = [{"ID": 1, "ContactID": 1, "Data": items[::-1]}]
    assert rows_of(source.run()) == []


def test_keys_of_several_columns(source, monkeypatch):
    monkeypatch.setattr(ListMembers, "keys", ("account", "contact_id", "list_id"))
    member = {"ID": 1, "ContactID": 10, "ListID": 20}
    source.mailjet.collections["listrecipient"] = [member, member | {"ID": 2, "ListID": 21}]
    source.run(MEMBERS)
    source.mailjet.collections["listrecipient"] = [member]
    (record,) = source.run(MEMBERS).records(MEMBERS)
    assert (record["contact_id"], record["list_id"], "id" in record) == ("10", "21", False)


def test_p6_a_key_of_another_form_deletes_nothing(source, monkeypatch):
    source.has(contact(1), contact(2))
    source.run()
    monkeypatch.setattr("tap_mailing.mailjet.contacts.Contacts.keys", ("account", "email"))
    source.has(contact(1))
    assert rows_of(source.run()) == [(1, "Ada")]


# What is kept


def test_p7_a_snapshot_holds_ids_and_hashes_and_is_for_its_owner_alone(at_file, file, caplog):
    caplog.set_level(logging.DEBUG)
    at_file.has(contact(310044871, "Canary"))
    at_file.run()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = file.read_bytes().lower()
    assert b"310044871" in kept
    assert b"canary" not in kept
    assert b"inbox" not in kept
    assert "inbox" not in caplog.text
    assert {path.name for path in file.parent.iterdir()} <= {file.name, f"{file.name}.lock"}


@pytest.mark.slow
def test_p7_a_key_that_may_be_an_address_is_kept_as_a_digest_only(source, at_file, file, monkeypatch, caplog):
    monkeypatch.setattr("tap_mailing.mailjet.contacts.Contacts.address_in_key", True)
    monkeypatch.setattr("tap_mailing.mailjet.contacts.Contacts.keys", ("account", "email"))
    for one in (source, at_file):
        one.has(contact(1, "Canary"), contact(2, "Canary"))
        assert rows_of(one.run()) == [(1, "Canary"), (2, "Canary")]
        one.has(contact(2, "Canary", DeliveredCount=5), contact(3, "Canary"))
        assert rows_of(one.run()) == [(2, "Canary"), (3, "Canary")]
        assert "1 row was deleted at the provider. The stream writes no records of deletions" in caplog.text
        caplog.clear()
        assert rows_of(one.run()) == []
        assert "deleted" not in caplog.text
    assert b"canary" not in file.read_bytes().lower()


def test_equal_rows_have_other_hashes_in_other_snapshots(fake, tmp_path):
    kept = []
    for name in ("one", "other"):
        source = Source(fake(contact=[contact(1)]), {"path": str(tmp_path / name)})
        source.run()
        with closing(sqlite3.connect(tmp_path / name)) as database:
            kept += database.execute("SELECT hash FROM entries").fetchall()
    assert kept[0] != kept[1]


def test_rows_of_generations_that_were_dropped_are_dropped(at_file, file):
    at_file.has(*map(contact, range(1, 6)))
    at_file.run()
    at_file.has(contact(1))
    at_file.state = None
    at_file.run()
    at_file.run()
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT key FROM entries").fetchall() == [("1",)]
        assert database.execute("SELECT count(*) FROM generations").fetchone() == (2,)


# What goes wrong


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"path": ""},
        {"path": 5},
        {"url": "mysql://canary@db.test/x"},
        {"url": "postgresql://u:canary@h:port/d"},
        {"path": "x", "url": "postgresql://canary@h/d"},
        {"paht": "canary"},
    ],
)
def test_p9_a_setting_that_names_no_place_is_reported_before_anything_is_written(at_file, value, caplog):
    caplog.set_level(logging.DEBUG)
    run = at_file.run(place=value or {"path": None})
    assert isinstance(run.error, ConfigurationError)
    assert "Setting `change_detection`" in str(run.error)
    assert "canary" not in str(run.error) + caplog.text
    assert run.messages == []


def test_p9_a_text_is_no_place(at_file):
    from singer_sdk.exceptions import ConfigValidationError

    with pytest.raises(ConfigValidationError) as caught:
        at_file.run(place="canary")
    assert caught.value.errors == ["Setting `change_detection` must be an object."]


def test_p9_a_place_that_cannot_be_written_is_reported_before_anything_is_written(at_file, file):
    file.write_text("in the way")
    run = at_file.run(place={"path": str(file / "snapshot")})
    assert f"Setting `change_detection`: {file / 'snapshot'} cannot be used" in str(run.error)
    assert run.messages == []
    run = at_file.run()
    assert f"Setting `change_detection.path`: {file} is not a SQLite file" in str(run.error)
    assert run.messages == []
    assert file.read_text() == "in the way"


def test_p9_a_folder_or_the_database_of_something_else_is_refused_and_left_as_it_is(at_file, file, tmp_path):
    (tmp_path / "folder").mkdir(mode=0o755)
    run = at_file.run(place={"path": str(tmp_path / "folder")})
    assert "Setting `change_detection.path`: " in str(run.error)
    assert "is a folder; use a file in it" in str(run.error)
    assert run.messages == []
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o755
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE constants (name TEXT)")
    file.chmod(0o644)
    content = file.read_bytes()
    run = at_file.run()
    assert "is the database of another program" in str(run.error)
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (content, 0o644)
    assert not list(file.parent.glob(f"{file.name}?*"))


def test_a_snapshot_of_before_there_were_marks_opens(at_file, file):
    at_file.has(contact(1))
    at_file.run()
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA application_id=0")
    assert at_file.run().records(CONTACTS) == []


def test_p9_a_database_that_cannot_be_reached_is_reported_without_its_password(at_file, caplog):
    caplog.set_level(logging.DEBUG)
    url = "postgresql://loader:canary@127.0.0.1:1/state?password=canary2"
    run = at_file.run(place={"url": url})
    assert "Setting `change_detection`: cannot connect to PostgreSQL 127.0.0.1/state" in str(run.error)
    assert "canary" not in str(run.error) + caplog.text
    assert run.messages == []


def test_p9_a_user_who_may_not_make_the_schema_is_reported(at_file, postgresql_url):
    import psycopg

    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS tap_mailing CASCADE")
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
    run = at_file.run(place={"url": postgresql_url.replace("postgres:@", "reader:@")})
    assert "the user lacks a permission" in str(run.error)
    assert run.messages == []


@pytest.mark.slow
def test_a_full_disk_fails_the_stream_and_nothing_is_lost(at_file, monkeypatch):
    at_file.has(contact(1))
    at_file.run()
    at_file.has(contact(1, "Eve"), *map(contact, range(2, 3000)))
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, "PRAGMA max_page_count=15"))
        run = at_file.run(without=("properties",), state=at_file.state)
    assert f"{CONTACTS} (ConfigurationError)" in str(run.error)
    assert run.state == at_file.state
    assert len(at_file.run().records(CONTACTS)) == 2999


def test_two_runs_at_once_are_refused(source, monkeypatch):
    monkeypatch.setattr(postgres, "LOCK_PATIENCE", 0.1)
    source.has(contact(1))
    path, url = source.place.get("path"), source.place.get("url")
    with FileStore(Path(path)) if path else PostgresStore(url) as other:
        other.part(CONTACTS, "default")
        run = source.run()
        assert "is held by process" in str(run.error)
        assert "Setting `change_detection`" in str(run.error)
        assert run.messages == []
    assert source.run().error is None


def test_pipelines_of_other_accounts_share_a_database_at_once(at_file, postgresql_url):
    at_file.has(contact(1))
    with PostgresStore(postgresql_url) as other:
        other.part(CONTACTS, "north")
        assert at_file.run(place={"url": postgresql_url}).error is None


def test_a_snapshot_of_another_version_is_reported(at_file, file):
    at_file.has(contact(1))
    at_file.run()
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE constants SET value = x'39' WHERE name = 'format'")
        database.commit()
    run = at_file.run()
    assert "another version of tap-mailing made" in str(run.error)
    assert run.messages == []


@pytest.fixture(scope="module")
def many():
    with Sandbox(contacts=5000, seed=1) as sandbox:
        yield sandbox


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_p3_what_a_stopped_run_wrote_is_written_again(tmp_path, tap, many, signum):
    def command(name, catalog, *more):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(catalog))
        return ["tap_mailing", f"--config={config}", f"--catalog={path}", *more]

    def output(*arguments):
        done = FORKS.run(*command(*arguments))
        done.check_returncode()
        return done.stdout.splitlines()

    def records(lines):
        found = [json.loads(line) for line in lines if line.endswith(b"}")]
        return {one["record"]["id"] for one in found if one["type"] == "RECORD"}, found

    config = tmp_path / "config.json"
    config.write_text(json.dumps(tap.settings(many, change_detection={"path": str(tmp_path / "snapshot.sqlite")})))
    wide, narrow = tap.catalog(CONTACTS), tap.catalog(CONTACTS, without=("name",))
    everybody, messages = records(output("wide", wide))
    state = tmp_path / "state.json"
    state.write_text(json.dumps(messages[-1]["value"]))

    # Without a column every row is a changed one; the reader takes some and then no more, so that the tap waits.
    slow_reader = command("narrow", narrow, f"--state={state}")
    with FORKS.start(*slow_reader, stdout=PIPE, stderr=DEVNULL) as stopped:
        some = [stopped.stdout.readline().rstrip() for _ in range(1500)]
        stopped.send_signal(signum)
        some += stopped.stdout.read().splitlines()
    assert stopped.returncode == (-signum if signum == signal.SIGKILL else 128 + signum)
    written, messages = records(some)
    assert written < everybody
    assert [message["type"] for message in messages].count("STATE") == 1, "the one that it was given"

    again, messages = records(output("wide", wide, f"--state={state}"))
    assert written <= again < everybody
    assert not any(message["record"][DELETED_AT] for message in messages if message["type"] == "RECORD")
