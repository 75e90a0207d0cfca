"""`--explain`: what the journal, the rejects and the provider know of one person."""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
import zipfile
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from mailing_api.errors import AuthenticationError, ConfigurationError, MailingError, UnreadableAnswer, WriteRefused
from mailing_api.mailjet.contacts import ContactCalls
from mailing_sandbox.server import Sandbox
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.person import PersonReader
from target_mailing.journal.stores import FileStore, JournalInUseError
from tests.target.conftest import COLUMNS, LIST, people, person, schema, state
from tests.target.explain.answers import answer, explained
from tests.target.journals.cases import FOLDER
from tests.target.plan.worlds import world

KNOWN = ("last action addnoforce; put there by stream 'people'", "subscribed to list")


def deliver(mailjet, *records, **config):
    result = mailjet.deliver([schema(), *records, state(1)], **config)
    assert result.error is None
    return result


# Whom it finds


@pytest.mark.parametrize(
    "asked", ["person1@example.com", " PERSON1@Example.COM \n", "Person One <person1@example.com>", "1", "[1]", "1.0"]
)
def test_a_person_is_found_by_key_and_by_address_in_any_spelling(mailjet, asked):
    deliver(mailjet, *people(range(3)))
    said = answer(mailjet, asked)
    assert "person1@example.com keys" in said
    for part in (*KNOWN, "last confirmed 20", "route json, begun 20", "not excluded from campaigns", "rejects none"):
        assert part in said, part
    (job,) = {job["id"] for job in mailjet.sandbox.mailjet.jobs()}
    assert f"job {job}, route json" in said
    assert "person0" not in said
    assert "person2" not in said


@pytest.mark.parametrize("key", ["7", "7/de", "a/b", "né", '"quoted"', "true", "person1@example.com"])
def test_a_key_is_read_as_the_log_and_json_write_it(mailjet, key):
    parts = [int(one) if one.isdecimal() else one for one in key.split("/")]
    columns = {"id": {"type": ["integer", "string"]}, "land": {"type": "string"}, "email": {"type": "string"}}
    record = dict(zip(["id", "land"], parts, strict=False)) | {"email": "ada@example.com"}
    keys = ["id", "land"][: len(parts)]
    row = {"type": "RECORD", "stream": "people", "record": record}
    assert mailjet.deliver([schema(columns=columns, keys=keys), row], properties=None).error is None
    said = answer(mailjet, key, properties=None)
    assert "ada@example.com keys the one in question" in said


def test_nobody_is_known(mailjet):
    deliver(mailjet, person(1))
    said = answer(mailjet, "nobody@example.com")
    assert "journal does not know this address here" in said
    assert "provider today there is no contact with this address" in said
    said = answer(mailjet, "4711")
    assert "journal does not know this key here; looked for in 'people'" in said
    assert "not asked: no contact is known" in said


def test_who_is_only_at_the_provider_is_told_from_there(mailjet):
    deliver(mailjet, person(1))
    mailjet.opt_out("ada@example.com")
    said = answer(mailjet, "ada@example.com")
    assert "journal does not know this address here" in said
    assert f"unsubscribed from list {mailjet.list_id}, 20" in said


def test_who_opted_out_at_the_provider_is_told_so(mailjet):
    deliver(mailjet, person(1))
    mailjet.opt_out("person1@example.com")
    said = answer(mailjet, "1")
    assert KNOWN[0] in said
    assert f"unsubscribed from list {mailjet.list_id}, 20" in said


@pytest.mark.parametrize("limit", [None, "100%"])
def test_a_moved_key_has_its_new_address_and_the_old_one_left(mailjet, limit):
    deliver(mailjet, person(1), max_removals=limit)
    deliver(mailjet, person(1, email="new@example.com"), max_removals=limit)
    said = answer(mailjet, "1")
    assert "new@example.com keys" in said
    assert "person1@example.com" not in said
    said = answer(mailjet, "person1@example.com")
    assert "last action remove; no stream keeps it there taken off 20" in said
    assert "because its key has another address" in said
    assert f"not on list {mailjet.list_id}" in said
    assert "keys none is kept of this address" in said


@pytest.mark.parametrize("limit", [None, "100%"])
def test_a_deleted_key_and_its_contact(mailjet, limit):
    deliver(mailjet, *people(range(3)))
    deliver(mailjet, person(1, _sdc_deleted_at="2026-01-01T00:00:00Z"), max_removals=limit)
    assert "key its delete was delivered; the journal keeps no address of it" in answer(mailjet, "1")
    said = answer(mailjet, "person1@example.com")
    assert "last action remove; no stream keeps it there taken off 20" in said
    assert "because its key has another address" not in said


def test_a_former_address_that_may_still_be_there(mailjet):
    deliver(mailjet, person(1))
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["person1@example.com"]}])
    mailjet.deliver([schema(), person(1, email="new@example.com"), state(2)])
    said = answer(mailjet, "1")
    assert "contacts 2, which the key in question has or had" in said
    assert "person1@example.com keys" in said
    assert "new@example.com keys" in said
    assert "former address of the key in question: its removal failed or waits, and the next row of the key" in said
    assert "open rejects refused_by_provider" in said


def test_a_key_that_stands_for_several_people(mailjet):
    columns = {name: column for name, column in COLUMNS.items() if name != "_sdc_deleted_at"}
    rows = [person(1, email=f"{name}@example.com") for name in "abc"]
    assert mailjet.deliver([schema(columns=columns), *rows, state(1)]).error is None
    assert "stood for several addresses at once" in answer(mailjet, "1")


def test_the_stream_of_a_key_may_be_said_and_tells_people_apart(mailjet):
    clients = [schema("clients"), person(1, stream="clients", email="client@example.com"), state(1)]
    deliver(mailjet, person(1))
    mailjet.deliver(clients)
    both = answer(mailjet, "1")
    assert "contacts 2, which the key in question" in both
    one = answer(mailjet, "1\nclients\n")
    assert "client@example.com" in one
    assert "person1@example.com" not in one
    assert "does not know this key here; looked for in 'others'" in answer(mailjet, "1\nothers")


def test_each_destination_of_the_settings_answers(mailjet):
    mailjet.sandbox.mailjet.add_list("Clients")
    streams = {"clients*": {"list": "Clients"}}
    deliver(mailjet, person(1))
    mailjet.deliver([schema("clients_de"), person(1, stream="clients_de"), state(1)], streams=streams)
    said = answer(mailjet, "1", streams=streams)
    assert said.count("person1@example.com keys") == 2
    assert f"list 'Clients' (mailjet:default:{said.split('mailjet:default:')[1].split(':')[0]}:list:" in said
    assert "put there by stream 'people'" in said
    assert "put there by stream 'clients_de'" in said
    said = answer(mailjet, "1")
    assert "provider today not asked: the settings do not lead there" in said


def test_a_batch_under_way_is_told_with_its_job(mailjet):
    deliver(mailjet, person(0))
    mailjet.sandbox.switches.change({"job_seconds": 600.0})
    assert mailjet.deliver([schema(), person(1), state(1)], job_timeout=0.2).error is not None
    (job,) = {job["id"] for job in mailjet.sandbox.mailjet.jobs() if job["status"] != "Completed"}
    for asked in ("1", "person1@example.com"):
        said = answer(mailjet, asked)
        assert f"under way addnoforce, job {job}, route json, begun 20" in said


def test_who_leaves_if_the_next_whole_run_does_not_name_them_is_told_so(mailjet):
    mirror = {"sync": "mirror", "whole": True}
    rows = people(range(1, 5))
    assert mailjet.deliver([schema(), *rows, state(1)], **mirror).error is None
    assert "absent" not in answer(mailjet, "4", **mirror)
    assert mailjet.deliver([schema(), *rows[:-1], state(2)], **mirror).error is None
    leaves = "absent the last run of stream 'people' was whole and did not name it: it leaves if the next does not"
    assert leaves in answer(mailjet, "4", **mirror)
    assert leaves not in answer(mailjet, "3", **mirror)
    assert mailjet.deliver([schema(), *rows, state(3)], **mirror).error is None
    assert leaves not in answer(mailjet, "4", **mirror)


def test_a_member_whom_no_stream_put_there_and_who_leaves_next_time_is_told_so(mailjet):
    mirror = {"sync": "mirror", "whole": True, "mirror_scope": "list"}
    mailjet.sandbox.mailjet.add_contacts([{"email": "stranger@example.com", "list": mailjet.list_id}])
    rows = people(range(1, 5))
    for number in (1, 2):
        assert mailjet.deliver([schema(), *rows, state(number)], **mirror).error is None
        said = answer(mailjet, "stranger@example.com", **mirror)
        if number == 1:
            assert "was whole and did not name it: it leaves if the next does not" in said
        else:
            assert f"not on list {mailjet.list_id}" in said


def test_who_is_excluded_and_on_several_lists_is_told_so(mailjet):
    mailjet.sandbox.mailjet.add_list("Clients")
    deliver(mailjet, person(1))
    email = "person1@example.com"
    mailjet.sandbox.mailjet.add_contacts([{"email": email, "list": mailjet.ids["Clients"], "excluded": True}])
    assert "excluded from all campaigns" in answer(mailjet, "1")
    said = answer(mailjet, email, scope="account", list=[LIST, "Clients"], route="auto")
    assert said.count("subscribed to list") == 2
    assert "settings do not lead there" in said


def test_a_provider_that_cannot_be_asked_about_one_contact_is_told_so(mailjet, monkeypatch):
    deliver(mailjet, person(1))
    monkeypatch.setattr("target_mailing.explain.explain.TellsToday", int)
    assert "provider today cannot be asked about one contact here" in answer(mailjet, "1")


def test_the_stream_of_a_key_may_have_another_name_by_a_stream_map(mailjet):
    maps = {"stream_maps": {"people": {"__alias__": "readers"}}}
    deliver(mailjet, person(1), **maps)
    assert "person1@example.com keys the one in question" in answer(mailjet, "1", **maps)
    assert "does not know this key here" in answer(mailjet, "1")
    assert "the one in question" in answer(mailjet, "1\nreaders")


# Rejects


def test_open_rejects_are_told_and_those_that_later_rows_closed_apart(mailjet):
    deliver(mailjet, person(0), person(1, visits="many"), person(2, email="no,body"))
    said = answer(mailjet, "person1@example.com")
    assert re.search(
        r"open rejects wrong_type, stream 'people', 20.*, attempt 1: .*'many'.*\(rejects-2.*singer\); --retry-rejects "
        "sends it",
        said,
    )
    assert "other rejects" not in said
    assert "open rejects bad_address" in answer(mailjet, "2")
    assert "open rejects bad_address" in answer(mailjet, "2\npeople")
    assert "open rejects none last" in answer(mailjet, "2\nothers")
    assert "open rejects none last" in answer(mailjet, "person0@example.com")
    deliver(mailjet, person(1))
    for asked in ("person1@example.com", "1"):
        assert "open rejects none other rejects wrong_type, stream 'people'" in answer(mailjet, asked)


def test_open_rejects_are_told_where_the_files_are_gone(mailjet):
    deliver(mailjet, person(1))
    deliver(mailjet, person(1, email="no address"), person(3, email="none"))
    shutil.rmtree(mailjet.folder / "rejects")
    for asked in ("person1@example.com", "1", "1\npeople"):
        said = answer(mailjet, asked)
        assert said.count("attempt 1") == 1
        assert re.search(r"open rejects bad_address, .*, attempt 1 \(in the journal\); --retry-rejects sends it", said)
    mailjet.sandbox.mailjet.add_list("Elsewhere")
    elsewhere = {"list": "Elsewhere"}
    assert "not sent again: the settings do not lead to mailjet:" in answer(mailjet, "1", **elsewhere)
    with closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as database:
        database.execute("UPDATE open_rejects SET overtaken = 1")
        database.commit()
    assert "not sent again: something newer came, or may have come" in answer(mailjet, "1")


def test_an_open_reject_of_a_batch_under_way_waits(mailjet):
    deliver(mailjet, person(1))
    deliver(mailjet, person(1, visits="many"))
    mailjet.sandbox.switches.change({"job_seconds": 600.0})
    assert mailjet.deliver([schema(), person(1, city="Rome"), state(1)], job_timeout=0.2).error is not None
    assert "not sent again before the batch under way has ended" in answer(mailjet, "1")


def test_a_reject_without_address_is_found_by_the_key_that_the_address_has(mailjet):
    deliver(mailjet, person(1))
    deliver(mailjet, person(1, email=None))
    assert "open rejects bad_address" in answer(mailjet, "person1@example.com")


def test_rejects_that_are_in_no_file_yet_are_found(mailjet, monkeypatch):
    monkeypatch.setattr("target_mailing.journal.rejects_file.RejectsFile.write", _fail)
    assert mailjet.deliver([schema(), person(1, visits="many"), state(1)]).error is not None
    assert "wrong_type" in (said := answer(mailjet, "person1@example.com"))
    assert "(in no file yet)" in said


def _fail(*_):
    raise ConfigurationError("no")


def test_only_the_newest_rejects_are_shown_and_damaged_lines_are_passed_over(mailjet):
    for number in range(8):
        deliver(mailjet, person(1, visits=f"many {number}"))
    (first, *_) = sorted((mailjet.folder / "rejects").iterdir())
    first.write_bytes(first.read_bytes() + b'{"type": "RECORD", "strea')
    said = answer(mailjet, "1")
    assert said.count("attempt 1: ") == 6
    assert said.count("--retry-rejects sends it") == 1
    assert "'many 7'" in said
    assert "'many 1'" not in said
    assert "and 2 older ones" in said


def test_what_the_provider_and_a_row_say_cannot_act_on_the_terminal(mailjet):
    deliver(mailjet, person(1, visits="\x1b[31mred\x07"))
    out, _ = explained(mailjet, "1")
    assert "\x1b" not in out
    assert "\x07" not in out


def test_a_row_that_another_stream_delivered_closes_the_reject_of_its_address(mailjet):
    deliver(mailjet, person(1, visits="many"))
    mailjet.deliver([schema("clients"), person(1, stream="clients"), state(1)])
    assert "open rejects none other rejects wrong_type, stream 'people'" in answer(mailjet, "person1@example.com")


# What cannot be read


def test_p9_a_wrong_key_of_the_provider_leaves_the_journals_part(mailjet):
    deliver(mailjet, person(1))
    out, error = explained(mailjet, "1", mailjet_secret_key="wrong")
    assert isinstance(error, AuthenticationError)
    said = " ".join(out.split())
    assert "`mailjet_secret_key`" in said
    assert KNOWN[0] in said
    assert "provider today could not be asked, see above" in said


def test_p9_a_wrong_key_is_asked_with_once_whatever_the_number_of_streams(mailjet):
    deliver(mailjet, person(1))
    mailjet.sandbox.counters.reset()
    streams = {name: {"list": LIST} for name in "abcdef"}
    explained(mailjet, "1", mailjet_secret_key="wrong", streams=streams)
    assert mailjet.sandbox.counters.total_calls <= 1


@pytest.mark.slow
def test_p9_a_dead_server_leaves_the_journals_part(mailjet):
    deliver(mailjet, person(1))
    mailjet.sandbox.stop()
    out, error = explained(mailjet, "person1@example.com")
    assert isinstance(error, MailingError)
    assert KNOWN[0] in " ".join(out.split())


def test_p9_a_call_for_the_contact_that_fails_leaves_the_rest(mailjet, monkeypatch):
    deliver(mailjet, person(1))
    monkeypatch.setattr("target_mailing.mailjet.today.today", _fail)
    monkeypatch.setattr("target_mailing.mailjet.destination.today", _fail)
    out, error = explained(mailjet, "1")
    assert isinstance(error, ConfigurationError)
    said = " ".join(out.split())
    assert "provider today could not be asked: no" in said
    assert "open rejects none" in said


def test_a_call_that_may_write_is_refused(mailjet, monkeypatch):
    monkeypatch.setattr("target_mailing.mailjet.destination.today", lambda client, *_: client.create_list("Made"))
    _, error = explained(mailjet, "ada@example.com")
    assert isinstance(error, WriteRefused)
    assert "Made" not in mailjet.ids


def test_what_was_confirmed_before_a_content_became_unknown_is_not_told(mailjet):
    deliver(mailjet, person(1))
    with closing(Journal(FileStore(mailjet.folder / "journal.sqlite"))) as journal:
        with closing(PersonReader(FileStore(mailjet.folder / "journal.sqlite"), hash_key=None)) as reader:
            (place,) = reader.rows.streams()
        number = journal.begin_batch(place, "addnoforce", "json", [])
        contact = journal.contact_id(place, "person1@example.com")
        options = {"destination": place, "action": "addnoforce", "route": "json", "outcomes": {}}
        journal.settle(number, forgotten=[contact], **options)
        assert "last confirmed its content is not known now" in answer(mailjet, "1")
        journal.retention.forget_before(time.time() - 1000.0)
    assert "last confirmed no" in answer(mailjet, "1")


def test_p9_an_answer_of_another_form_leaves_the_rest(mailjet, monkeypatch):
    deliver(mailjet, person(1))
    monkeypatch.setattr(ContactCalls, "find", lambda *_: {"ID": 7, "IsExcludedFromCampaigns": "canary"})
    out, error = explained(mailjet, "1")
    assert isinstance(error, UnreadableAnswer)
    assert "canary" not in str(error)
    said = " ".join(out.split())
    assert "provider today could not be read" in said
    assert "open rejects none" in said


@pytest.mark.parametrize("name", ["rejects", "rejects/rejects-1.singer"])
def test_p9_rejects_that_cannot_be_read_leave_the_rest(mailjet, monkeypatch, name):
    deliver(mailjet, person(1), person(2, visits="many"))
    broken = mailjet.folder / name
    if broken.is_dir():
        for path in broken.iterdir():
            path.unlink()
        broken.rmdir()
        broken.write_text("no folder")
    else:
        broken.write_text("")
        opened = Path.open

        def failing(path, mode="r", *more, **named):
            return _raise(OSError(5, "I/O error")) if path == broken else opened(path, mode, *more, **named)

        monkeypatch.setattr(Path, "open", failing)
    out, error = explained(mailjet, "2")
    assert isinstance(error, ConfigurationError)
    said = " ".join(out.split())
    assert "Setting `rejects_path`" in said
    assert ("attempt 1: " in said) == (name != "rejects")


def test_a_journal_of_another_format_is_told(mailjet):
    with zipfile.ZipFile(FOLDER / "mailjet-json-follow.zip") as archive:
        (mailjet.folder / "journal.sqlite").write_bytes(archive.read("journal.sqlite"))
    out, error = explained(mailjet, "ada@example.com")
    assert "has the format of an earlier version. Deliver once before" in str(error)
    assert "there is no contact" in " ".join(out.split())


def test_a_missing_journal_is_told_and_not_made(mailjet):
    said = answer(mailjet, "ada@example.com")
    assert "does not exist, so nothing is remembered" in said
    assert "there is no contact" in said
    out, error = explained(mailjet, "ada@example.com", create_journal=False)
    assert isinstance(error, ConfigurationError)
    assert "there is no contact" in " ".join(out.split())
    assert [*mailjet.folder.iterdir()] == []
    assert "`journal` is off" in answer(mailjet, "ada@example.com", journal="off")


def test_p9_a_damaged_journal_leaves_the_providers_part(mailjet):
    deliver(mailjet, *people(range(50)))
    journal = mailjet.folder / "journal.sqlite"
    content = journal.read_bytes()
    journal.write_bytes(content[: len(content) // 2])
    out, error = explained(mailjet, "person1@example.com")
    assert isinstance(error, JournalError)
    assert "is damaged" in str(error)
    assert "subscribed to list" in " ".join(out.split())
    journal.write_bytes(b"no journal")
    out, error = explained(mailjet, "person1@example.com")
    assert isinstance(error, JournalError)
    assert "subscribed to list" in " ".join(out.split())


def test_a_run_that_holds_journal_and_list_is_not_disturbed(mailjet):
    deliver(mailjet, person(1))
    with closing(Journal(FileStore(mailjet.folder / "journal.sqlite"))) as journal:
        assert journal.hold_list("any") is None
        assert KNOWN[0] in answer(mailjet, "1")
        journal.note_unconfirmed([(1, 2)])


def test_a_journal_that_a_run_changes_meanwhile_is_copied_again(mailjet, monkeypatch):
    deliver(mailjet, person(1))
    monkeypatch.setattr("target_mailing.journal.person._PAUSE", 0.0)
    tries, copy = [], FileStore.copy_to

    def changing(store, path):
        tries.append(path)
        if len(tries) < 3:
            raise JournalInUseError("it changes")
        return copy(store, path)

    monkeypatch.setattr(FileStore, "copy_to", changing)
    assert KNOWN[0] in answer(mailjet, "1")
    assert len(tries) == 3
    assert not any(path.parent.exists() for path in tries)
    monkeypatch.setattr(FileStore, "copy_to", lambda *_: _raise(JournalInUseError("it changes")))
    out, error = explained(mailjet, "person1@example.com")
    assert isinstance(error, JournalInUseError)
    assert "subscribed to list" in " ".join(out.split())


def _raise(error):
    raise error


def test_a_sealed_journal_needs_its_secret(mailjet):
    deliver(mailjet, person(1), journal_hash_key="a-secret-of-some-length")
    assert KNOWN[0] in answer(mailjet, "1", journal_hash_key="a-secret-of-some-length")
    out, error = explained(mailjet, "person1@example.com")
    assert "`journal_hash_key` is not set" in str(error)
    assert "subscribed to list" in " ".join(out.split())


def test_a_journal_of_before_tells_what_it_has(mailjet):
    deliver(mailjet, person(1))
    with closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as database:
        database.execute("ALTER TABLE batches DROP COLUMN settled_at")
        for column in ("name", "place"):
            database.execute(f"ALTER TABLE streams DROP COLUMN {column}")
        database.commit()
    said = answer(mailjet, "person1@example.com")
    assert "last action not kept; put there by a stream whose name is not kept job not kept" in said
    assert "has the name of no stream, which finds a key: say it in a second line" in answer(mailjet, "1")
    assert "last confirmed 20" in answer(mailjet, "1\npeople")
    deliver(mailjet, person(1))  # unchanged; now the name is kept
    assert "put there by stream 'people'" in answer(mailjet, "1")


@pytest.mark.slow
def test_a_journal_in_postgresql_answers_like_a_file(mailjet, postgresql_url):
    mailjet.sandbox.mailjet.add_list("Explained")  # whose journal no other test has
    mailjet.config["list"] = "Explained"
    deliver(mailjet, *people(range(3)), journal=postgresql_url)
    mailjet.deliver([schema(), person(1, email="new@example.com"), state(1)], journal=postgresql_url)
    reads = f"{postgresql_url}{'&' if '?' in postgresql_url else '?'}options=-c%20default_transaction_read_only%3Don"
    said = answer(mailjet, "1", journal=reads)
    assert "new@example.com" in said
    assert KNOWN[0] in said
    assert re.search(r"job \d+, route json", said)
    assert "because its key has another address" in answer(mailjet, "person1@example.com", journal=reads)


@pytest.mark.slow
def test_a_journal_of_before_in_postgresql_is_read_by_explanations_and_plans(mailjet, postgresql_url):
    mailjet.sandbox.mailjet.add_list("Of before")  # whose journal no other test has
    mailjet.config["list"] = "Of before"
    deliver(mailjet, person(1), journal=postgresql_url)
    with closing(psycopg.connect(postgresql_url)) as database:
        query = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname LIKE '%of_before%'"
        names = {table: schema for schema, table in database.execute(query).fetchall()}
        database.execute(f'ALTER TABLE "{names["batches"]}".batches DROP COLUMN settled_at')
        database.execute(f'ALTER TABLE "{names["streams"]}".streams DROP COLUMN name, DROP COLUMN place')
        database.commit()
    assert "last action not kept" in answer(mailjet, "person1@example.com", journal=postgresql_url)
    assert deliver(mailjet, person(1), journal=postgresql_url, mode="plan").counts() == {"unchanged": 1}


# Every destination

WORLDS = {
    "mailjet-json": ("route json", "subscribed to list"),
    "mailjet-csv": ("route csv", "subscribed to list"),
    "mailjet-contact": ("job none, route contact", "subscribed to list"),
    "mailjet-lists": ("route contact", "subscribed to list"),
    "mailjet-account": ("route json", "on no list"),
    "ses-import": ("on the contact list, since 20", "not on the suppression list"),
    "ses-direct": ("route direct", "not unsubscribed (UnsubscribeAll)"),
    "ses-import-topics": ("topic Offers: OPT_IN", "not on the suppression list"),
    "suppressions-import": ("on the suppression list (COMPLAINT), since 20",),
    "suppressions-direct": ("on the suppression list (COMPLAINT), since 20",),
    "postgrid-contacts": ("provider's ID contact_", ", on this list"),
    "postgrid-import": (
        "job mailing_list_import_",
        "not asked: its ID is not kept",
    ),
    "postgrid-import-replacing": ("not asked: its ID is not kept", "known since 20"),
}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        yield sandbox


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_every_destination_tells_of_a_key_and_nothing_is_written(sandbox, tmp_path, name):
    with world(name, sandbox, tmp_path) as here:
        for size in (1, 2):
            rows = [here.row(key, key, "plain", changed=True) for key in range(size)]
            assert here.account.deliver([here.schema, *rows, state(1)]).error is None
        before = here.writes(), here.hashes()
        said = answer(here.account, "1")
        for part in ("the one in question", "last confirmed 20", "open rejects none", *WORLDS[name]):
            assert part in said, (part, said)
        nobody = answer(here.account, "nobody@example.com")
        if name.startswith("postgrid"):
            assert "knows contacts here by name and postal address, not by e-mail: name the key" in nobody
        else:
            assert "does not know this address here" in nobody
            assert answer(here.account, "PERSON1@example.com").count("last confirmed 20") == 1
        assert (here.writes(), here.hashes()) == before


def test_a_list_that_does_not_exist_yet_is_told(mailjet):
    said = answer(mailjet, "ada@example.com", list="New", create_list=True)
    assert "list 'New' would be created" in said
    assert LIST not in said
