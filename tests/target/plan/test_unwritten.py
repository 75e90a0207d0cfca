"""A plan as a process: what it leaves behind, how it exits, and what it does with what earlier runs left."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import sqlite3

import pytest

from mailing_api.errors import WriteRefused
from mailing_api.http.read_only import ReadOnly
from mailing_api.mailjet.client import MailjetClient
from tests.target.conftest import LIST, people, person, schema, state
from tests.target.test_command import Command, until

MESSAGES = [schema(), *people(range(3)), state(1)]


def hashes(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def planned(mailjet, messages=MESSAGES, **config):
    before = hashes(mailjet.folder), len(mailjet.received()), mailjet.statuses()
    plan = mailjet.deliver(messages, mode="plan", **config)
    assert (hashes(mailjet.folder), len(mailjet.received()), mailjet.statuses()) == before
    assert plan.states == []
    return plan


def test_the_client_of_a_plan_refuses_calls_that_may_write(mailjet):
    gate = ReadOnly()
    client = MailjetClient(
        api_key=mailjet.sandbox.api_key, secret_key="-", base_url=mailjet.sandbox.url, gate=gate
    )  # fmt: skip
    with pytest.raises(WriteRefused, match="POST /v3/REST/contactslist"):
        client.create_list("Others")
    client.close()
    assert (gate.calls, mailjet.sandbox.counters.total_calls) == (0, 0)


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


def test_a_journal_in_postgresql_is_only_read(mailjet, postgresql_url):
    config = {"journal": postgresql_url, "rejects_path": str(mailjet.folder / "rejects")}
    assert planned(mailjet, **config).counts() == {"delivered": 3}
    mailjet.deliver(MESSAGES, **config)
    assert planned(mailjet, **config).counts() == {"unchanged": 3}


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
def test_a_signal_leaves_no_copy_of_the_journal(mailjet, tmp_path, monkeypatch):
    mailjet.deliver(MESSAGES)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = hashes(mailjet.folder)
    process = Command(mailjet).start("--plan")
    process.stdin.write(json.dumps(schema()).encode() + b"\n")
    process.stdin.flush()
    until(lambda: [*temporary.glob("target-mailing-plan-*/journal.sqlite")])
    (folder,) = temporary.glob("target-mailing-plan-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM
    process.communicate()
    assert [*temporary.glob("target-mailing-plan-*")] == []
    after = hashes(mailjet.folder)
    assert {path: after[path] for path in before} == before
