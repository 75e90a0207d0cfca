"""Journals that earlier versions wrote, killed at each step of each route: this one takes them over and goes on.

`tests/target/journals` holds those of the first version, and `tickets` there some of a later one, with the calls that
the sandbox had answered by then. These are played to another sandbox, so that it is where that one was when the run was
killed.
"""

from __future__ import annotations

import json
import re
import sqlite3
import zipfile
from base64 import b64decode
from contextlib import closing
from threading import Thread

import psycopg
import pytest
import sqlalchemy as sa

from mailing_api.errors import MailingError
from mailing_api.http.retry import RetryPolicy
from mailing_api.mailjet import client as mailjet_client
from mailing_sandbox.postgrid import download
from mailing_sandbox.provider import Call
from mailing_sandbox.server import Sandbox
from mailing_sandbox.ses import signing
from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery import jobs
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.journal import runs
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.meta import JournalMeta
from target_mailing.journal.stores import FileStore, PostgresStore
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.row import Row
from target_mailing.ses import account as ses_account
from target_mailing.ses import import_route as ses_import_route
from tests.target.conftest import Mailjet
from tests.target.journals import cases
from tests.target.journals.cases import CASES, FOLDER

#: One of each route; the others take minutes.
QUICK = (
    "mailjet-json-submit", "mailjet-csv-import", "mailjet-contact-contacts", "ses-import-clear", "ses-direct-create",
    "suppressions-import-submit", "suppressions-direct-contacts", "postgrid-contacts-submit", "postgrid-adding-imports",
    "postgrid-replacing-submit_old", "postgrid-linking-put",
)  # fmt: skip

#: In seconds: however old a recorded journal is, what it holds counts.
FOR_EVER = 10**9


def marks(case, end):
    if case.name in QUICK:
        return () if end == "done" else pytest.mark.slow
    return pytest.mark.slow if end == "done" else (pytest.mark.slow, pytest.mark.exhaustive)


#: Where recorded journals are, by version: the first one, and the first that had tickets.
FOLDERS = (FOLDER, FOLDER / "tickets")


def each(*ends):
    return [
        pytest.param((case, folder), end, id=f"{case.name}-{end}-{folder.name}", marks=marks(case, end))
        for folder in FOLDERS
        for case in CASES
        for end in ends
        if (folder / f"{case.name}.zip").exists()
    ]


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch):
    quick = RetryPolicy(throttle_base=0.02, throttle_cap=0.1, throttle_tries=30, fault_base=0.02, fault_cap=0.1)
    monkeypatch.setattr(ses_account, "PATIENCE", quick)
    monkeypatch.setattr(ses_import_route, "SLOT_WAIT", 0.1)
    monkeypatch.setattr(jobs, "_APPEARS_WITHIN", 0.3)


@pytest.fixture(autouse=True)
def _signatures_of_before(monkeypatch, tmp_path):
    """What is played was signed for another host, some time ago."""
    monkeypatch.setattr(signing, "_check_date", lambda *_: None)
    monkeypatch.setattr(signing, "_check_signature", lambda *_: None)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox-secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def sandbox():
    with Sandbox(job_seconds=0.05, switches={"postgrid_import_seconds": 0.02}) as sandbox:
        yield sandbox


DURATIONS = ("job_seconds", "postgrid_job_seconds", "postgrid_import_seconds", "ses_job_seconds")


class AtOnce(Thread):
    """Has ended when it is started: a file that is linked to is there before the next call is played."""

    def start(self):
        super().start()
        self.join()


def play(sandbox, case, calls):
    """Let the sandbox do what that of the recording had done; there time passed between the calls, and jobs ended."""
    usual = {name: value for name, value in sandbox.switches.as_dict().items() if name in DURATIONS}
    sandbox.switches.change(dict.fromkeys(DURATIONS, 0.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(download, "Thread", AtOnce)
        _play(sandbox, case, calls)
    sandbox.switches.change(usual)
    sandbox.postgrid._account.import_plans.clear()
    sandbox.postgrid._account.job_plans.clear()


def _play(sandbox, case, calls):
    providers = {provider.name: provider for provider in sandbox.providers}
    here = sandbox.url.removeprefix("http://")
    for call in calls:
        if call.get("plan"):
            cases.plan(sandbox, case)
            continue
        headers = {name: value.replace("HOST", here) for name, value in call["headers"].items()}
        body = b64decode(call["body"]).replace(b"HOST", here.encode())
        providers[call["provider"]].answer(Call.of(call["method"], call["path"], call["query"], headers, body))


def unpack(case, folder, form="", recorded=FOLDER):
    """The journal of a case into a folder; returns the calls."""
    with zipfile.ZipFile(recorded / f"{case.name}{form}.zip") as archive:
        archive.extractall(folder)
    return json.loads((folder / "calls.json").read_text())


def at(sandbox, case, calls, end):
    """Bring the sandbox to where that one was; or to before the call that was struck, or to nothing."""
    cases.furnish(sandbox, case)
    if end != "emptied":
        play(sandbox, case, calls if end == "done" else calls[:-1])


def know_account(monkeypatch, written):
    """Mailjet's account is known by its URL, which is another sandbox's: take the one that the journal knows."""
    if found := re.search(rb"mailjet:default:([0-9a-f]{8}):", written):
        given = mailjet_client.MailjetClient.__init__

        def init(self, *args, **kwargs):
            given(self, *args, **kwargs)
            self.identity = found[1].decode()

        monkeypatch.setattr(mailjet_client.MailjetClient, "__init__", init)


def account(sandbox, case, folder, journal):
    settings = cases.settings(sandbox, case)
    more = {
        "journal": journal,
        "rejects_path": str(folder / "rejects"),
        "job_abandon": FOR_EVER,
        "resend_window": FOR_EVER,
    }
    return Mailjet(sandbox, folder, settings | more)


def check(recorded, result, left):
    """Every row has its outcome, and the rejects come out, also those that the run before left."""
    case, folder = recorded
    if folder != FOLDER:
        left = 0  # they come again, and only the first version wrote them in another form
    rows = sum(message["type"] == "RECORD" for message in cases.second(case))
    assert result.error is None, result.log
    assert len(result.states) == 1
    assert sum(result.outcomes[outcome] for outcome in Outcome) == rows
    assert len(result.rejects) == left + result.outcomes["rejected"]
    assert [one["record"]["id"] for one in result.rejects].count(6) >= 1


@pytest.mark.slow
@pytest.mark.parametrize(("recorded", "end"), each("done", "not done"))
def test_p3_a_batch_left_at_a_step_is_followed_to_its_end(sandbox, monkeypatch, tmp_path, recorded, end):
    case, kept = recorded
    calls = unpack(case, tmp_path, recorded=kept)
    at(sandbox, case, calls, end)
    journal = tmp_path / "journal.sqlite"
    know_account(monkeypatch, journal.read_bytes() + journal.with_name("journal.sqlite-wal").read_bytes())
    with closing(sqlite3.connect(journal)) as database:
        ((left,),) = database.execute("SELECT count(*) FROM rejects")
        ((version,),) = database.execute("SELECT value FROM meta WHERE name = 'version'")
        assert version == b"3"
    check(recorded, account(sandbox, case, tmp_path, str(journal)).deliver(cases.second(case)), left)
    assert cases.held(sandbox, case) == cases.expected(case)
    with closing(sqlite3.connect(journal)) as database:
        assert database.execute("SELECT count(*) FROM batches WHERE state = 'open'").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM rejects").fetchone() == (0,)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_p9_where_the_provider_forgot_everything_each_row_ends_or_the_run_says_why_not(
    sandbox, monkeypatch, tmp_path, case
):
    at(sandbox, case, unpack(case, tmp_path), "emptied")
    know_account(monkeypatch, (tmp_path / "journal.sqlite-wal").read_bytes())
    result = account(sandbox, case, tmp_path, str(tmp_path / "journal.sqlite")).deliver(cases.second(case))
    if result.error is None:
        rows = sum(message["type"] == "RECORD" for message in cases.second(case))
        assert sum(result.outcomes[outcome] for outcome in Outcome) == rows
    else:
        assert isinstance(result.error, (MailingError, DeliveryFailed)), result.error
        assert len(str(result.error)) > 20
        assert "@" not in str(result.error)


IN_POSTGRESQL = [
    (case, folder) for case in CASES for folder in FOLDERS if (folder / f"{case.name}.postgresql.zip").exists()
]


@pytest.mark.parametrize(
    "recorded",
    [
        pytest.param(
            (case, folder),
            id=f"{case.name}-{folder.name}",
            marks=() if (case.name, folder.name) == ("mailjet-json-submit", "tickets") else pytest.mark.slow,
        )
        for case, folder in IN_POSTGRESQL
    ],
)
def test_p3_a_batch_left_in_postgresql_is_followed_to_its_end(sandbox, monkeypatch, tmp_path, postgresql_url, recorded):
    case, kept = recorded
    at(sandbox, case, unpack(case, tmp_path, ".postgresql", kept), "done")
    dump = (tmp_path / "journal.sql").read_text()
    know_account(monkeypatch, dump.encode())
    (schema,) = re.findall(r"CREATE SCHEMA (\w+);", dump)
    left = dump.count(f"INSERT INTO {schema}.rejects ")
    with psycopg.connect(postgresql_url, autocommit=True) as database:
        database.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        database.execute(dump)
    check(recorded, account(sandbox, case, tmp_path, postgresql_url).deliver(cases.second(case)), left)
    assert cases.held(sandbox, case) == cases.expected(case)
    with psycopg.connect(postgresql_url, autocommit=True) as database:
        assert database.execute(f"SELECT count(*) FROM {schema}.batches WHERE state = 'open'").fetchone() == (0,)
        assert database.execute(f"SELECT count(*) FROM {schema}.rejects").fetchone() == (0,)
        database.execute(f"DROP SCHEMA {schema} CASCADE")


#: Of the recorded journal whose tables of hashes are filled; the program that did it is in the same file.
DESTINATION, PEOPLE = "a destination", 60


def row(journal, number, address="", action="add"):
    address = address or f"person{number}@example.com"
    hashes = journal.hashes
    return Row(
        line=1, raw=b"", stream="people", key=hashes.key_ids(DESTINATION, "people")([b"%d" % number])[0],
        id=hashes.contact_ids(DESTINATION)([address])[0], action=action,
        fingerprint=hashes.fingerprints(action)([b"%d" % number])[0],
        held=EncodedContact(address, address, b"content"), drops_key=action == "remove",
    )  # fmt: skip


@pytest.fixture(params=["file", "postgresql"])
def recorded_tables(request, tmp_path):
    """Opens a journal of before whose tables of hashes are filled."""
    with zipfile.ZipFile(FOLDER / "tickets" / "tables.zip") as archive:
        archive.extractall(tmp_path)
    if request.param == "file":
        yield lambda: Journal(FileStore(tmp_path / "journal.sqlite"))
        return
    (tmp_path / "journal.sqlite").unlink()
    url = request.getfixturevalue("postgresql_url")
    dump = (tmp_path / "journal.sql").read_text()
    (schema,) = re.findall(r"CREATE SCHEMA (\w+);", dump)
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        database.execute(dump)
        yield lambda: Journal(PostgresStore(url, "tables"))
        database.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.mark.parametrize("run_at", [7, 65_536])
def test_p3_tables_that_were_ordered_by_hashes_are_taken_over_whole(recorded_tables, monkeypatch, tmp_path, run_at):
    monkeypatch.setattr(runs, "_RUN_AT", run_at)
    with monkeypatch.context() as patch:
        patch.setattr(JournalMeta, "note_format", lambda _: [].pop())
        with pytest.raises(JournalError):  # as if it were killed
            recorded_tables()
    for _ in range(2):
        with closing(recorded_tables()) as journal:
            rows = {number: row(journal, number) for number in [*range(PEOPLE + 1), 500]}
            emails = {one.key: one.email for one in rows.values()}
            emails |= {rows[1].key: "", rows[2].key: "moved2@example.com", rows[500].key: "person5@example.com"}
            keys = [one.key for one in rows.values()]
            assert journal.emails(keys) == emails
            ids = [one.id for number, one in rows.items() if number not in (1, 3, 5, 500)]
            known = journal.contacts([*ids, rows[3].id, rows[1].id, rows[5].id])
            assert [known[one.id].fingerprint for one in rows.values() if one.id in ids] == [
                one.fingerprint for one in rows.values() if one.id in ids
            ]
            assert all(one.confirmed_at for one in known.values())
            assert known[rows[1].id].fingerprint == row(journal, 1, action="remove").fingerprint
            assert known[rows[5].id].fingerprint == rows[500].fingerprint
            assert rows[3].id not in known
            perhaps = row(journal, 4, "perhaps4@example.com")
            assert journal.contacts([perhaps.id])[perhaps.id].confirmed_at is None
            assert {*journal.keys_of(rows[5].id)} == {rows[5].key, rows[500].key}
            assert journal.keys_of(rows[1].id) == journal.keys_of(rows[2].id) == []
            assert journal.possible_addresses(rows[4].key) == ["perhaps4@example.com"]
            assert journal.possible_addresses(rows[8].key) == ["old8@example.com"]
            assert journal.provider_ids([rows[6].id]) == {rows[6].id: ["id person6@example.com"]}
            assert journal.shared_keys.among(keys) == {rows[9].key}
            assert journal.declined.of([rows[10].id]) == {rows[10].id: {"News"}}
            assert [len(batch.rows) for batch in journal.unfinished(DESTINATION)] == [1]
            assert len(journal.rejects.pending(5)) == 1
            assert not [name for name in sa.inspect(journal._connection).get_table_names() if "former" in name]
    with closing(recorded_tables()) as journal:
        gone = row(journal, 20, action="remove")
        number = journal.begin_batch(DESTINATION, "remove", "json", [gone])
        journal.settle(
            number, destination=DESTINATION, action="remove", route="json", outcomes={}, confirmed=[gone]
        )  # fmt: skip
        left = b"".join(file.read_bytes() for file in tmp_path.glob("journal.sqlite*"))
        assert left.count(b"person20@") == left.count(b"id person20@")  # what the provider calls it stays


def test_every_journal_recorded_was_left_at_a_step(tmp_path):
    assert {case.account for case, _ in IN_POSTGRESQL} == {"mailjet", "ses", "suppressions", "postgrid"}
    for case in CASES:
        folder = tmp_path / case.name
        unpack(case, folder)
        with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
            query = (
                "SELECT steps.name FROM batches LEFT JOIN steps ON steps.batch = batches.id "
                "WHERE state = 'open' ORDER BY evidence IS NULL DESC"
            )
            assert database.execute(query).fetchone() is not None, case.name
            assert database.execute("SELECT count(*) FROM rejects").fetchone() != (0,)


def test_mailjets_account_is_known_by_the_name_that_journals_of_before_have():
    client = mailjet_client.MailjetClient(api_key="an-api-key", secret_key="a-secret-key")
    try:
        assert client.identity == "ac476633"
    finally:
        client.close()
