"""`--history`: the last runs, or one, from the journal; it only reads, and no delivery notices it or fails for it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sqlite3
import zipfile
from contextlib import closing

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.errors import ConfigurationError
from mailing_sandbox.server import Sandbox
from target_mailing.journal import past_runs
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.past_runs import PastJob, PastRun, PastRuns, RunTotals, jobs_of, run_ids, runs_of
from target_mailing.journal.stores import FileStore
from target_mailing.past_runs import recorder
from target_mailing.past_runs.words import list_lines, run_lines
from target_mailing.rows.outcome import Outcome
from target_mailing.run_events import History, Job
from target_mailing.run_identity import AboutRun
from tests.history import files_of, read_history
from tests.target.command.test_command import Command, lines, until
from tests.target.conftest import people, person, schema, state
from tests.target.journals.cases import FOLDER
from tests.target.past_runs.told import told
from tests.target.plan.test_plans import WORLDS
from tests.target.plan.worlds import world

RUN_ID = r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}"


def remembered(account):
    """All runs of a journal in a file, the newest first, each with its jobs."""
    connection, _ = FileStore(account.folder / "journal.sqlite").read_only()
    with closing(connection):
        return [(run, jobs_of(connection, run.run_id)) for run in runs_of(connection, run_ids(connection, "", 99))]


def hashes(folder):
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


# What is told


def test_the_last_runs_are_listed_and_one_of_them_is_told(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["person2@example.com"]}])
    mailjet.deliver([schema(), *people(range(6)), person(7, email="no"), state(1)])
    mailjet.deliver([schema(), *people(range(6)), state(1)])
    text = told(mailjet)
    second, first = re.findall(RUN_ID, text)
    assert second > first
    assert [line.split()[-4:] for line in text.splitlines() if line.startswith("20")] == [
        ["6", "1", "0", "0"], ["7", "5", "2", "0"],
    ]  # fmt: skip
    one = told(mailjet, first[:21])
    assert one == told(mailjet, first)
    assert told(mailjet, second) == told(mailjet, "last")
    for part in (
        f"Run {first}\n  account         mailjet-default\n  list            Spring readers\n",
        "  exit code       0\n",
        f"history-{first}.singer\n",
    ):
        assert part in one, (part, one)
    said = " ".join(one.split())
    assert "added or updated 5 rejected: bad_address 1 rejected: refused_by_provider 1 rows 7 " in said
    for part in ("(2 rejected here)", "json, addnoforce, 6 rows; divided after", "; 1 refused"):
        assert part in said, (part, said)
    assert all(job["job_id"] in one for job in read_history(min(files_of(mailjet.folder)))["mailing_jobs"])


def test_the_journal_and_the_history_tell_the_same(mailjet):
    mailjet.deliver([schema(), *people(range(6)), state(1)])
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["person2@example.com"]}])
    rows = [
        *people(range(6), city="Rom"),
        person(7, email="no"),
        person(8),
        person(8),
        person(9, email="b@example.com"),
    ]
    mailjet.deliver([schema(), *rows, person(1, email="moved@example.com"), state(1)])
    for path, (run, jobs) in zip(sorted(files_of(mailjet.folder)), remembered(mailjet)[::-1], strict=True):
        history = read_history(path)
        (told_there,) = history["mailing_runs"]
        totals = run.totals
        here = {
            "run_id": run.run_id, "account": run.account, "list": run.list, "version": run.version,
            "exit_code": run.exit_code, "row_count": totals.rows, "calls": totals.calls, "retries": totals.retries,
            "throttled": totals.throttled, "seconds_waited": totals.seconds_waited,
            **{str(one): totals.outcomes.get(one, 0) for one in Outcome},
            **{f"{effect}_rows": rows for effect, rows in totals.codes.get("delivered", {}).items()},
            **{name: totals.events.get(name, 0) for name in ("former_removed", "batches", "resubmitted")},
        }  # fmt: skip
        assert {name: told_there[name] for name in here} == here
        assert run.history == str(path)
        names = ("batch", "job_id", "destination", "route", "action", "status", "refused", "resumed")
        assert sorted([*(getattr(job, name) for name in names), job.looks] for job in jobs) == sorted(
            [*(job[name] for name in names), job["polls"]] for job in history["mailing_jobs"]
        )
        assert len(jobs) == totals.jobs
        codes = {code: count for codes in totals.codes.values() for code, count in codes.items()}
        for code in {row["code"] for row in history["mailing_outcomes"]} - {None}:
            assert codes[code] == sum(row["code"] == code for row in history["mailing_outcomes"])


@pytest.mark.parametrize("path", ["off", None])
def test_runs_are_remembered_with_or_without_history_files(mailjet, path):
    mailjet.deliver([schema(), person(1), state(1)], history_path=path)
    ((run, jobs),) = remembered(mailjet)
    assert (run.history is None, len(jobs)) == (path == "off", 1)
    text = told(mailjet, "last", history_path=path)
    assert ("`history_path` was off" in text) == (path == "off")
    if path is None:
        (file,) = files_of(mailjet.folder)
        file.unlink()
        assert "not there: loaded away" in told(mailjet, "last")


def test_the_files_of_a_run_have_its_name_and_its_streams_are_told(mailjet):
    rows = [schema(), *people(range(6)), person(7, email="no"), schema("others"), person(40, stream="others"), state(1)]
    reports = mailjet.folder / "reports"
    mailjet.deliver(rows, report_path=str(reports))
    run = remembered(mailjet)[0][0].run_id
    text = told(mailjet, run)
    for name in (f"history-{run}.singer", f"rejects-{run}.singer", f"reports/report-{run}.html"):
        assert f"/{name}" in text
    assert "people to Spring readers: 7 rows: 6 delivered, 1 rejected" in " ".join(text.split())
    assert "others to Spring readers: 1 row: 1 delivered" in " ".join(text.split())
    for path in reports.iterdir():
        path.unlink()
    assert "(not there: moved away, or older than `report_keep`)" in " ".join(told(mailjet, run).split())
    mailjet.deliver(rows, report_path=str(mailjet.folder / "page.html"))
    assert "page.html (each run replaces it)" in " ".join(told(mailjet, "last").split())
    mailjet.deliver(rows)
    assert "report none (`report_path` was unset)" in " ".join(told(mailjet, "last").split())


def test_a_failed_run_has_its_error(mailjet):
    mailjet.deliver([schema(), person(1, email="no"), state(1)], max_rejected="0")
    assert [line.split()[-1] for line in told(mailjet).splitlines() if line.startswith("20")] == ["1"]
    assert "exit code 1: Setting `max_rejected`: 1 of 1 row was rejected" in " ".join(told(mailjet, "last").split())


def test_runs_of_several_lists_in_one_journal_have_their_lists(mailjet):
    mailjet.sandbox.mailjet.add_list("Others")
    for name in (None, "Others", "Others"):
        mailjet.deliver([schema(), person(1), state(1)], **({} if name is None else {"list": name}))
    said = [line for line in told(mailjet).splitlines() if not line.startswith("20")]
    assert [line for line in said if line.startswith("mailjet")] == [
        "mailjet-default, list 'Others':", "mailjet-default, list 'Spring readers':",
    ]  # fmt: skip


@pytest.mark.slow
def test_twenty_runs_are_listed_and_all_if_asked(mailjet):
    for _ in range(22):
        mailjet.deliver([schema(), state(1)])
    assert len(re.findall(RUN_ID, told(mailjet))) == 20
    assert "2 older: `--history all`" in told(mailjet)
    assert len(re.findall(RUN_ID, told(mailjet, "all"))) == 22


@pytest.mark.parametrize("run", ["2", "1999", "%", "_"])
def test_p9_a_run_that_is_unknown_or_not_one_is_an_error_that_helps(mailjet, run):
    for _ in range(7):
        mailjet.deliver([schema(), state(1)])
    with pytest.raises(ConfigurationError) as caught:
        told(mailjet, run)
    assert len(re.findall(RUN_ID, str(caught.value))) == 5
    assert ("begins several runs" if run == "2" else f"begins with {run!r}. The last ones: ") in str(caught.value)


def test_p9_where_no_run_is_remembered_that_is_told(mailjet):
    assert "does not exist, so no run is remembered" in " ".join(told(mailjet).split())
    with pytest.raises(ConfigurationError, match="does not exist"):
        told(mailjet, "last")
    assert [*mailjet.folder.iterdir()] == []
    with zipfile.ZipFile(FOLDER / "mailjet-json-follow.zip") as archive:
        (mailjet.folder / "journal.sqlite").write_bytes(archive.read("journal.sqlite"))
    before = hashes(mailjet.folder)
    assert "remembers no run yet" in told(mailjet)
    assert hashes(mailjet.folder) == before
    with pytest.raises(ConfigurationError, match="`journal` is off"):
        told(mailjet, journal="off")
    with pytest.raises(ConfigurationError, match="`create_journal`"):
        told(mailjet, journal=str(mailjet.folder / "other"), create_journal=False)


def test_p9_a_damaged_journal_is_told(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    with closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as database:
        database.execute("UPDATE past_runs SET totals = '[1'")
        database.commit()
    with pytest.raises(JournalError, match="is damaged"):
        told(mailjet)
    (mailjet.folder / "journal.sqlite").write_bytes(b"something else")
    with pytest.raises(JournalError, match="is not a SQLite file"):
        told(mailjet)


NUMBERS = st.integers(0, 10**6)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Zs"]), max_size=300)
TOTALS = st.builds(
    RunTotals,
    outcomes=st.dictionaries(st.sampled_from([*map(str, Outcome)]), NUMBERS),
    events=st.dictionaries(st.sampled_from(["rows_held", "rows_without_outcome", "absent_delivered"]), NUMBERS),
    calls=NUMBERS,
    jobs=st.integers(0, 5),
    streams=st.dictionaries(WORDS, st.dictionaries(st.sampled_from([*map(str, Outcome)]), NUMBERS), max_size=3),
)
RUNS = st.builds(
    PastRun,
    run_id=st.just("20261130T200408.951893Z-f0f710be"),
    account=st.none() | WORDS,
    list=st.none() | WORDS,
    version=st.just("0.1.0"),
    history=st.none(),
    started_at=st.just(1.7e9),
    ended_at=st.none() | st.floats(1.7e9, 1.7e9 + 3e5),
    exit_code=st.none() | st.integers(0, 255),
    error=st.none() | st.text("some words ", max_size=300),
    totals=TOTALS,
)
JOBS = st.builds(
    PastJob,
    batch=NUMBERS,
    job_id=st.text("0123456789abcdef-_", min_size=1, max_size=40),
    rows=NUMBERS,
    submitted=st.floats(0, 4e9),
    ended=st.none() | st.floats(0, 4e9),
    looks=st.none() | NUMBERS,
    destination=st.just("mailjet"),
    route=st.just("json"),
    action=st.sampled_from(["", "addnoforce"]),
    resumed=st.booleans(),
    status=st.just("completed"),
    refused=NUMBERS,
)


@pytest.mark.slow
@given(runs=st.lists(RUNS, min_size=1, max_size=3), jobs=st.lists(JOBS, max_size=3), holder=st.none() | st.just("x"))
def test_everything_is_readable_at_80_columns(runs, jobs, holder):
    texts = [*list_lines(runs, holder), *run_lines(runs[0], jobs, holder, [("history", ["none"])])]
    assert max(map(len, texts)) <= 80
    assert all(line.isprintable() for line in texts)


# Runs that do not end by themselves


@pytest.mark.slow
def test_a_run_is_told_while_it_lasts_and_does_not_notice(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    with Command(mailjet).start() as process:
        process.stdin.write(lines([schema(), person(7), state(2)]))
        process.stdin.close()
        job = until(lambda: [one for one in mailjet.sandbox.mailjet.jobs() if one["status"] != "Completed"])[0]["id"]
        until(lambda: mailjet.sandbox.mailjet.jobs()[-1]["polls"] > 1)
        code, out, err = Command(mailjet).run(b"", "--history")
        assert code == 0, err
        first = next(line for line in out.splitlines() if line.startswith("20"))
        assert first.split()[1:3] == ["under", "way"]
        code, out, _ = Command(mailjet).run(b"", "--history", "last")
        assert f"not yet: process {process.pid} on " in out
        mailjet.sandbox.mailjet.finish_job(job)
        assert process.wait() == 0
        assert process.stdout.read() == b'{"number": 2}\n'


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_or_killed_is_told_so(mailjet, monkeypatch, end):
    monkeypatch.setattr(recorder, "_EVERY", 0.0)
    hold = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*/managemanycontacts/*", times=1)
    with Command(mailjet, batch_rows=2).start() as process:
        process.stdin.write(mailjet.text([schema(), *people(range(6)), state(1)]).encode())
        process.stdin.flush()
        hold.wait_until_held()
        os.kill(process.pid, end)
        process.wait(10)
    hold.release()
    before = hashes(mailjet.folder)
    text, one = told(mailjet), told(mailjet, "last")
    after = hashes(mailjet.folder)
    assert {name for name in after if before.get(name) != after[name] and not name.endswith("-shm")} == set()
    assert before.keys() == after.keys()
    if end == signal.SIGTERM:
        assert "exit code       143: stopped by signal 15 (SIGTERM)" in one
        ((_, jobs),) = remembered(mailjet)
        assert "unfinished" in {job.status for job in jobs}
        assert not {job.status for job in jobs} & {"submitted"}
    else:
        assert "not ended" in text
        assert "the run was killed" in one
        assert any(f"{job['id']}: json, addnoforce; submitted" in one for job in mailjet.sandbox.mailjet.jobs())
    assert mailjet.deliver([schema(), *people(range(6)), state(1)]).states == [1]
    assert [line.split()[-1] for line in told(mailjet).splitlines() if line.startswith("20")] == [
        "0", "143" if end == signal.SIGTERM else "-",
    ]  # fmt: skip
    assert "; resumed" in told(mailjet, "last").replace(";\n    ", "; ")


# What writes none, and what is forgotten


def test_plans_and_reconciliations_and_checks_leave_no_run(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    for mode in ("plan", "reconcile"):
        assert mailjet.deliver([schema(), person(1), state(1)], mode=mode).error is None
    assert len(remembered(mailjet)) == 1


def test_runs_are_forgotten_by_age_and_number(mailjet, monkeypatch):
    for _ in range(3):
        mailjet.deliver([schema(), person(1), state(1)], send="all")
    monkeypatch.setattr(past_runs, "MOST_RUNS", 3)
    monkeypatch.setattr(past_runs, "MOST_JOBS", 2)
    oldest = remembered(mailjet)[-1][0].run_id
    mailjet.deliver([schema(), person(1), state(1)], send="all")
    kept = remembered(mailjet)
    assert oldest not in {run.run_id for run, _ in kept}
    assert [len(jobs) for _, jobs in kept] == [1, 1, 1]
    mailjet.deliver([schema(), person(1), state(1)], send="all")
    assert [len(jobs) for _, jobs in remembered(mailjet)] == [1, 1, 1]
    mailjet.deliver([schema(), person(1), state(1)], history_keep=0.001)
    assert len(remembered(mailjet)) == 1


def test_of_many_jobs_the_first_are_kept_and_all_are_counted(mailjet, monkeypatch):
    monkeypatch.setattr(recorder, "MOST_OF_A_RUN", 2)
    mailjet.deliver([schema(), *people(range(5)), state(1)], batch_rows=1)
    ((run, jobs),) = remembered(mailjet)
    assert (run.totals.jobs, len(jobs), {job.status for job in jobs}) == (5, 2, {"completed"})
    assert "3 other jobs, not kept by the journal" in told(mailjet, "last")


# A journal that cannot be written for it


@pytest.mark.parametrize("every", [0.0, 10.0])
@pytest.mark.parametrize("place", ["file", "postgresql"])
def test_a_journal_that_refuses_the_notes_fails_no_delivery(mailjet, postgresql_url, monkeypatch, place, every):
    if place == "postgresql":
        name = f"Refusing {every:.0f}"  # whose journal no other test has
        mailjet.sandbox.mailjet.add_list(name)
        mailjet.config |= {"list": name, "journal": postgresql_url}
    monkeypatch.setattr(recorder, "_EVERY", every)
    monkeypatch.setattr(PastRuns, "_put", lambda self, _: self._connection.execute(sa.text("SELECT nothing FROM none")))
    messages = [schema(), *people(range(9)), person(10, email="no"), person(1, email="new@example.com"), state(1)]
    result = mailjet.deliver(messages, batch_rows=2)
    assert (result.error, result.states) == (None, [1])
    warned = [line for line in result.log.splitlines() if "--history" in line]
    assert len(warned) >= 2
    assert warned[0].endswith("`--history` may not tell all of this run.")
    assert mailjet.deliver([schema(), *people(range(2, 9)), state(2)]).counts() == {"unchanged": 7}


def test_a_note_waits_while_something_else_is_to_be_committed(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "_EVERY", 0.0)
    history = History()
    job = Job(1, "job", "list", "json", "add", rows=1, submitted=0.0)
    with closing(Journal(FileStore(tmp_path / "journal.sqlite"))) as journal:
        recorder.RunNotes(journal.past_runs, AboutRun("run", 0.0), history, report=None, keep=1.0, words_of=str)
        number = journal.begin_batch("list", "add", "json", [])  # committed with its first step
        history.job(job)
        assert not journal.past_runs.may_note
        assert jobs_of(journal._connection, "run") == []
        journal.begin_step(number, "submit")
        history.job(msgspec.structs.replace(job, status="completed"))
        assert [one.status for one in jobs_of(journal._connection, "run")] == ["completed"]
        journal._connection.rollback()


# Journals of each kind


def test_a_journal_in_postgresql_tells_the_same(mailjet, postgresql_url):
    mailjet.sandbox.mailjet.add_list("Told")  # whose journal no other test has
    mailjet.config |= {"list": "Told", "journal": postgresql_url}
    assert "no run is remembered" in " ".join(told(mailjet).split())
    mailjet.deliver([schema(), *people(range(3)), person(7, email="no"), state(1)])
    reads = f"{postgresql_url}{'&' if '?' in postgresql_url else '?'}options=-c%20default_transaction_read_only%3Don"
    assert len(re.findall(RUN_ID, told(mailjet, journal=reads))) == 1
    text = " ".join(told(mailjet, "last", journal=reads).split())
    for part in ("rejected: bad_address 1", "json, addnoforce, 3 rows; completed after", "exit code 0"):
        assert part in text
    assert "hunter2" not in told(mailjet, journal=reads)


@pytest.mark.slow
def test_a_journal_in_postgresql_tells_who_uses_it(mailjet, postgresql_url):
    mailjet.sandbox.mailjet.add_list("In use")  # whose journal no other test has
    mailjet.config |= {"list": "In use", "journal": postgresql_url}
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    with Command(mailjet).start() as process:
        process.stdin.write(lines([schema(), person(7), state(2)]))
        process.stdin.close()
        until(lambda: [one for one in mailjet.sandbox.mailjet.jobs() if one["polls"] > 1])
        assert f"not yet: process {process.pid} on " in " ".join(told(mailjet, "last").split())
        mailjet.sandbox.mailjet.finish_job(mailjet.sandbox.mailjet.jobs()[0]["id"])
        assert process.wait() == 0
    assert "exit code       0" in told(mailjet, "last")


def test_a_journal_of_before_remembers_from_the_next_run_on(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    with closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as database:
        database.executescript("DROP TABLE past_runs; DROP TABLE past_jobs")
    assert "remembers no run yet" in told(mailjet)
    assert mailjet.deliver([schema(), person(1), state(1)]).counts() == {"unchanged": 1}
    assert len(remembered(mailjet)) == 1


# The command


@pytest.mark.slow
def test_the_command_writes_its_answer_and_its_errors_where_they_belong(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    for options in (("--history",), ("--history", "last")):
        code, out, err = Command(mailjet).run(b"", *options)
        assert (code, len(re.findall(RUN_ID, out)) >= 1) == (0, True), err
    code, out, err = Command(mailjet).run(b"", "--history", "1999")
    assert (code, out) == (1, "")
    assert "no run in" in err
    for option in ("--check", "--plan", "--input=/dev/null", "--explain=/dev/null"):
        code, out, err = Command(mailjet).run(b"", "--history", "last", option)
        assert (code, out) == (1, "")
        assert "stands alone" in err


# Nobody is in it


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        yield sandbox


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_p7_nobodys_data_is_in_the_tables_or_in_the_answer(sandbox, tmp_path, name):
    with world(name, sandbox, tmp_path) as here:
        made = [
            here.row(number, number, kind, changed=True)
            for number, kind in ((1, "plain"), (2, "opt-out"), (3, "wrong"))
        ]
        text = json.dumps([here.schema, *made, state(1)])
        for word in ("example.com", "Person", "Lyon"):
            text = text.replace(word, f"canary{word}")
        for limit in ("100%", "0"):
            here.account.deliver(json.loads(text), max_rejected=limit)
        with closing(sqlite3.connect(here.account.folder / "journal.sqlite")) as database:
            rows = [row for table in ("past_runs", "past_jobs") for row in database.execute(f"SELECT * FROM {table}")]
        assert len(rows) >= 2
        answers = told(here.account) + told(here.account, "last") + "".join(map(repr, rows))
        assert "canary" not in answers
        assert "@" not in answers
        assert here.account.sandbox.secret_key not in answers
