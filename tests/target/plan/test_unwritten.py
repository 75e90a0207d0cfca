"""A plan as a process: what it leaves behind, how it exits, and what it does with what earlier runs left."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import signal
import sqlite3
import tempfile

import psycopg
import pytest

from mailing_api.errors import WriteRefused
from mailing_api.http.read_only import ReadOnly
from mailing_api.mailjet.client import MailjetClient
from mailing_api.postgrid.client import PostgridClient
from mailing_api.ses.client import SesClient
from mailing_api.ses.writer import SesWriter
from mailing_api.storage import postgres
from mailing_sandbox.server import Sandbox
from target_mailing.journal.copied import CopiedStore
from target_mailing.journal.stores import PostgresStore
from tests.target.command.test_command import Command, lines, until
from tests.target.conftest import LIST, people, person, schema, state
from tests.target.plan.test_plans import WORLDS, numbers
from tests.target.plan.worlds import reads, world

MESSAGES = [schema(), *people(range(3)), state(1)]


def hashes(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def planned(mailjet, messages=MESSAGES, **config):
    before = hashes(mailjet.folder), len(mailjet.received()), mailjet.statuses()
    plan = mailjet.deliver(messages, mode="plan", **config)
    assert (hashes(mailjet.folder), len(mailjet.received()), mailjet.statuses()) == before
    assert plan.states == []
    return plan


def test_the_clients_of_a_plan_refuse_calls_that_may_write(mailjet):
    sandbox, gate = mailjet.sandbox, ReadOnly()
    keys = {"aws_access_key_id": sandbox.api_key, "aws_secret_access_key": sandbox.secret_key}
    ses = SesClient(regions=["eu-west-1"], endpoint_url=sandbox.url, gate=gate, **keys)
    postgrid = PostgridClient(api_key=sandbox.postgrid.test_key, base_url=sandbox.url, gate=gate)
    client = MailjetClient(api_key=sandbox.api_key, secret_key=sandbox.secret_key, base_url=sandbox.url, gate=gate)
    calls = [
        ("POST /v3/REST/contactslist", lambda: client.create_list("Others")),
        ("CreateContact", lambda: SesWriter(ses, "eu-west-1").create_contact("Readers", "ada@example.com", {})),
        ("POST /contacts", lambda: postgrid.create_contact(b"{}")),
    ]
    for name, call in calls:
        with pytest.raises(WriteRefused, match=name):
            call()
    for one in (client, ses, postgrid):
        one.close()
    assert (gate.calls, sandbox.counters.total_calls) == (0, 0)


def test_a_plan_knows_what_was_delivered(mailjet):
    assert planned(mailjet).counts() == {"delivered": 3}
    mailjet.deliver(MESSAGES)
    assert planned(mailjet).counts() == {"unchanged": 3}


def test_jobs_that_are_under_way_are_taken_as_completed(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    assert mailjet.deliver(MESSAGES, job_timeout=0.05).error is not None
    plan = planned(mailjet)
    assert (plan.error, plan.counts(), plan.outcomes["resumed"]) == (None, {"unchanged": 3}, 1)


def test_rows_whose_reply_was_lost_are_taken_as_sent_again(mailjet):
    mailjet.sandbox.faults.add(kind="status", status=403, path="*/managemanycontacts")
    assert mailjet.deliver(MESSAGES).error is not None
    with sqlite3.connect(mailjet.config["journal"]) as journal:  # as a kill leaves it
        (batch,) = journal.execute("SELECT id FROM batches WHERE state = 'open'").fetchone()
        journal.execute("INSERT OR REPLACE INTO steps VALUES (?, 'submit', 1, NULL)", (batch,))
    journal.close()
    mailjet.sandbox.counters.reset()
    assert planned(mailjet).counts() == {"delivered": 3}
    assert "GET /v3/REST/batchjob" not in mailjet.sandbox.counters.calls


def test_the_next_run_is_not_warned_of_the_journal_of_a_plan(mailjet):
    mailjet.deliver(MESSAGES)
    other = str(mailjet.folder / "other.sqlite")
    mailjet.sandbox.mailjet.add_list("Others")
    mailjet.deliver(MESSAGES, journal=other, list="Others")
    planned(mailjet, journal=other)
    assert "had another journal" not in mailjet.deliver(MESSAGES).log


def test_too_many_rejects_end_a_plan_as_they_end_a_run(mailjet):
    messages = [schema(), *(person(number, email="nobody") for number in range(20)), state(1)]
    plan = planned(mailjet, messages, max_rejected=5)
    assert "max_rejected" in str(plan.error)
    assert "A delivery would fail here" in str(plan.error)
    assert "the rejects file" not in str(plan.error), "a plan writes none"


def test_old_rejects_files_and_a_hash_key_are_left_to_the_delivery(mailjet):
    mailjet.deliver([*MESSAGES[:-1], person(9, email="nobody"), state(1)])
    (file,) = (mailjet.folder / "rejects").iterdir()
    os.utime(file, (1, 1))
    plan = planned(mailjet, rejects_keep="1d", journal_hash_key="k" * 32)
    assert file.exists()
    assert "adopted" not in plan.log


def test_without_a_file_no_contact_is_read_for_it(mailjet):
    mailjet.sandbox.counters.reset()
    planned(mailjet)
    assert [call for call in mailjet.sandbox.counters.calls if "{contact}" in call] == []


def test_a_journal_that_is_off_is_empty_in_a_plan(mailjet):
    mailjet.deliver(MESSAGES)
    assert planned(mailjet, journal="off").counts() == {"delivered": 3}


@pytest.mark.parametrize("which", ["mkdtemp", "copyfile"])
def test_a_journal_that_cannot_be_copied_is_told_with_the_remedy(mailjet, monkeypatch, which):
    mailjet.deliver(MESSAGES)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"{'tempfile' if which == 'mkdtemp' else 'shutil'}.{which}", full)
    error = str(planned(mailjet).error)
    assert "No space left on device" in error
    assert "TMPDIR" in error


def test_a_journal_with_a_log_that_sqlite_has_not_merged_is_read_with_it(mailjet, tmp_path):
    mailjet.deliver(MESSAGES)
    with contextlib.closing(sqlite3.connect(mailjet.config["journal"])) as journal:
        journal.execute("PRAGMA wal_autocheckpoint=0")
        with journal:
            journal.execute("DELETE FROM contacts")
            journal.execute("DELETE FROM runs")
        killed = tmp_path / "killed"
        killed.mkdir()
        for file in tmp_path.glob("journal.sqlite*"):
            shutil.copyfile(file, killed / file.name)
    assert (killed / "journal.sqlite-wal").stat().st_size
    assert planned(mailjet, journal=str(killed / "journal.sqlite")).counts() == {"delivered": 3}
    (killed / "journal.sqlite-wal").unlink()
    assert planned(mailjet, journal=str(killed / "journal.sqlite")).counts() == {"unchanged": 3}


def test_a_journal_that_a_run_changes_meanwhile_is_not_planned_with(mailjet, monkeypatch):
    mailjet.deliver(MESSAGES)
    copy = shutil.copyfile

    def copy_late(source, to):
        copy(source, to)
        os.utime(source, (1, 1))

    monkeypatch.setattr(shutil, "copyfile", copy_late)
    error = str(mailjet.deliver(MESSAGES, mode="plan").error)
    assert "changes while it is read, so a run uses it" in error


def content(url):
    """All rows of all tables of a database, by table."""
    names = "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname LIKE %s"
    with psycopg.connect(url) as connection:
        tables = [name for (name,) in connection.execute(names, ["target_mailing%"]).fetchall()]
        return {name: sorted(map(repr, connection.execute(f"SELECT * FROM {name}").fetchall())) for name in tables}


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        yield sandbox


#: One of each provider, and of another kind of journal entries, in `make test`; the others in `make test-all`.
USUAL = {"mailjet-json", "ses-direct", "postgrid-contacts"}
EACH = [name if name in USUAL else pytest.param(name, marks=pytest.mark.exhaustive) for name in WORLDS]


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH)
def test_a_journal_in_postgresql_is_only_read(sandbox, tmp_path, postgresql_url, name):
    rows = [(1, 0, "plain", True), (2, 1, "plain", True), (3, 2, "wrong", True), (4, 3, "plain", True)]
    later = [(1, 1, "plain", True), (2, 2, "plain", False), (3, 3, "deleted", True), (4, 3, "opt-out", False)]
    config = {"journal": postgresql_url, "rejects_path": str(tmp_path / "rejects"), "jobs_in_flight": 1}
    with world(name, sandbox, tmp_path) as here:
        for changes in (rows, rows, later):
            messages = here.messages(changes)
            before = content(postgresql_url), here.writes(), here.hashes()
            plan = here.account.deliver(messages, mode="plan", **config)
            assert (content(postgresql_url), here.writes(), here.hashes()) == before
            run = here.account.deliver(messages, **config)
            assert (plan.error, run.error, plan.states) == (None, None, [])
            assert numbers(plan) == numbers(run)
            assert any(content(postgresql_url).values())


def test_a_journal_in_postgresql_is_copied_in_a_transaction_that_cannot_write(mailjet, postgresql_url, monkeypatch):
    mailjet.deliver(MESSAGES, journal=postgresql_url)

    def writes(source, *_):
        source.exec_driver_sql("CREATE TABLE IF NOT EXISTS public.made_by_a_plan (number integer)")

    monkeypatch.setattr("target_mailing.journal.schemas.copy_table", writes)
    assert "cannot be used" in str(mailjet.deliver(MESSAGES, mode="plan", journal=postgresql_url).error)


def test_a_list_is_locked_for_a_plan_by_the_database_of_its_journal_too(mailjet, postgresql_url, monkeypatch):
    monkeypatch.setattr(postgres, "LOCK_PATIENCE", 0.1)
    mailjet.deliver(MESSAGES, journal=postgresql_url)
    with contextlib.ExitStack() as opened:
        stores = [PostgresStore(postgresql_url, f"pipeline {number}") for number in range(3)]
        for store in stores:
            opened.callback(store.close)
        assert stores[0].hold_list(stores[0].open(), "one") is None
        for store in stores[1:]:
            copied = CopiedStore(store)
            opened.callback(copied.close)
            connection = copied.open()
            assert copied.hold_list(connection, "one") is not None
            assert (copied.hold_list(connection, "other") is None) == (store is stores[1])


@pytest.mark.slow
def test_a_role_that_may_only_read_can_plan(mailjet, postgresql_url):
    mailjet.deliver(MESSAGES, journal=postgresql_url)
    reads = f"{postgresql_url}{'&' if '?' in postgresql_url else '?'}options=-c%20default_transaction_read_only%3Don"
    assert mailjet.deliver(MESSAGES, journal=reads).error is not None
    plan = planned(mailjet, journal=reads)
    assert (plan.error, plan.counts()) == (None, {"unchanged": 3})


@pytest.mark.slow
@pytest.mark.parametrize("messages", [MESSAGES, [schema(), state(1)]], ids=["something", "nothing"])
def test_the_exit_code_tells_whether_there_is_something_to_do(mailjet, messages):
    code, out, err = Command(mailjet).run(messages, "--plan", "--detailed-exitcode")
    assert (code, out) == (3 if messages is MESSAGES else 0, "")
    assert "Nothing was written." in err
    assert Command(mailjet).run(messages, "--plan")[0] == 0
    assert Command(mailjet).run(messages, "--detailed-exitcode")[0] == 1
    assert mailjet.members(LIST) == {}


@pytest.mark.slow
def test_a_variable_that_wants_a_plan_and_is_not_read_delivers_nothing(mailjet, monkeypatch):
    monkeypatch.setenv("TARGET_MAILING_MODE", "plan")
    code, _, err = Command(mailjet).run(MESSAGES)
    assert code == 1
    assert "TARGET_MAILING_MODE wants a plan" in " ".join(err.split())
    assert mailjet.members(LIST) == {}
    assert Command(mailjet).run(MESSAGES, "--plan")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("route", ["auto", "contact"])
def test_a_signal_in_the_middle_leaves_no_copy_of_the_journal(mailjet, tmp_path, monkeypatch, route):
    mailjet.deliver([*MESSAGES[:-1], person(9, email="nobody"), state(1)])
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = Command(mailjet, route=route, batch_rows=10).start("--plan")
    files = {path: found for path, found in hashes(mailjet.folder).items() if path.suffix != ".lock"}
    before = files, len(mailjet.received())
    mailjet.sandbox.counters.reset()
    rows = [*people(range(20, 200), email="person0@example.com"), *people(range(200), city="Oslo")]
    process.stdin.write(lines([schema(), *rows, state(2)]))
    process.stdin.flush()
    if route == "contact":
        until(lambda: mailjet.sandbox.counters.total_calls > 40)
    until(lambda: [*temporary.glob("target-mailing-plan-*/journal.sqlite")])
    (folder,) = temporary.glob("target-mailing-plan-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM
    process.communicate()
    assert [*temporary.glob("target-mailing-plan-*")] == []
    after = {path: found for path, found in hashes(mailjet.folder).items() if path.suffix != ".lock"}
    assert (after, len(mailjet.received())) == before
    assert [call for call in mailjet.sandbox.counters.calls if not reads(call)] == []


@pytest.mark.slow
def test_the_copy_of_a_plan_that_was_killed_is_removed_by_the_next_one(mailjet, tmp_path, monkeypatch):
    mailjet.deliver(MESSAGES)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    process = Command(mailjet).start("--plan")
    process.stdin.write(lines([schema(), *people(range(3))]))
    process.stdin.flush()
    until(lambda: [*temporary.glob("target-mailing-plan-*/journal.sqlite")])
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    process.communicate()
    assert len([*temporary.glob("target-mailing-plan-*")]) == 1
    assert mailjet.deliver(MESSAGES, mode="plan").error is None
    assert [*temporary.glob("target-mailing-plan-*")] == []


@pytest.mark.slow
@pytest.mark.parametrize("table", ["meta", "keys", "runs"])
def test_a_damaged_journal_in_postgresql_is_damaged_for_a_plan_too(mailjet, postgresql_url, table):
    mailjet.config |= {"journal": postgresql_url, "mailjet_account": f"{table} {mailjet.folder.name}"}
    assert mailjet.deliver(MESSAGES).error is None
    with psycopg.connect(postgresql_url) as database:
        query = "SELECT schemaname FROM pg_tables WHERE tablename = %s AND schemaname LIKE %s"
        ((place,),) = database.execute(query, [table, f"target_mailing_mailjet_{table}_%"]).fetchall()
        database.execute(f'DROP TABLE "{place}".{table}')
    for mode in ("plan", "deliver"):
        assert "is damaged" in str(mailjet.deliver(MESSAGES, mode=mode).error)
