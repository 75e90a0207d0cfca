"""The person in question is in the answer alone: not in the log, an error, the command line, or a file."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
from urllib.parse import quote

import pytest

from mailing_sandbox.server import Sandbox
from tests.target.command.test_command import Command, lines, until
from tests.target.conftest import people, person, schema, state
from tests.target.explain.answers import explained
from tests.target.explain.test_explain import WORLDS
from tests.target.plan.worlds import world

#: Part of every address and key of the rows.
CANARY = "canary"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        yield sandbox


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files, of this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def rows(here):
    made = [here.row(number, number, "plain", changed=True) for number in range(2)]
    for number, row in enumerate(made):
        record = row["record"]
        record["id"] = f"{CANARY}{number}"
        if "email" in record:
            record["email"] = f"{CANARY}{number}@example.com"
    schema = here.schema | {"schema": {**here.schema["schema"]}}
    schema["schema"]["properties"] = schema["schema"]["properties"] | {"id": {"type": "string"}}
    return [schema, *made, state(1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_p7_nobody_is_in_the_log_or_an_error_and_no_file_stays(sandbox, temporary, caplog, capfd, name):
    tmp_path = temporary.parent
    with world(name, sandbox, tmp_path) as here:
        assert here.account.deliver(rows(here)).error is None
        before = here.writes(), here.hashes()
        caplog.set_level(logging.DEBUG)
        caplog.clear()
        wrong = {"mailjet": "mailjet_secret_key", "postgrid": "postgrid_api_key"}.get(name.partition("-")[0])
        for asked in (f"{CANARY}1", f"{CANARY}1@example.com", f"{CANARY}9@example.com"):
            for config in ({}, {} if wrong is None else {wrong: "test_sk_wrong"}, {"journal": str(tmp_path)}):
                out, error = explained(here.account, asked, **config)
                assert (error is None) == (config == {})
                assert CANARY not in str(error)
                assert CANARY not in caplog.text
                assert CANARY not in capfd.readouterr().err
                assert here.account.sandbox.secret_key not in out + caplog.text
        assert (here.writes(), here.hashes()) == before
        assert [*temporary.iterdir()] == []


@pytest.mark.slow
def test_p7_the_command_line_and_the_log_of_the_command_name_nobody(mailjet):
    mailjet.deliver([schema(), *people(range(2)), person(3, email=f"{CANARY}@example.com"), state(1)])
    file = mailjet.folder / "who"
    file.write_text(f"{CANARY}@example.com\n")
    code, out, err = Command(mailjet).run(b"", "--explain", str(file), level="DEBUG")
    assert code == 0
    assert f"{CANARY}@example.com" in out
    assert CANARY not in err
    assert quote(f"{CANARY}@example.com") not in err
    code, out, err = Command(mailjet).run(b"", "--explain", f"{CANARY}@example.com", level="DEBUG")
    assert (code, out) == (1, "")
    assert CANARY not in err
    assert "an argument is visible to other users" in err


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--check", "--plan", "--detailed-exitcode", "--input=/dev/null"])
def test_it_stands_alone(mailjet, option):
    code, out, err = Command(mailjet).run(b"", "--explain", "/dev/null", option)
    assert (code, out) == (1, "")
    assert "Option --explain stands alone" in err


@pytest.mark.slow
def test_it_answers_while_a_run_waits_for_its_job(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    file = mailjet.folder / "who"
    file.write_text("person7@example.com")
    with Command(mailjet).start() as process:
        process.stdin.write(lines([schema(), person(7), state(2)]))
        process.stdin.close()
        job = until(lambda: [one for one in mailjet.sandbox.mailjet.jobs() if one["status"] != "Completed"])[0]["id"]
        until(lambda: mailjet.sandbox.mailjet.jobs()[-1]["polls"] > 1)
        code, out, err = Command(mailjet).run(b"", "--explain", str(file))
        assert code == 0, err
        assert f"under way       addnoforce, job {job}, route json" in out
        mailjet.sandbox.mailjet.finish_job(job)
        assert process.wait() == 0
        assert process.stdout.read() == b'{"number": 2}\n'


@pytest.mark.slow
def test_p7_a_signal_leaves_no_copy_of_the_journal(mailjet, temporary, monkeypatch):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    mailjet.sandbox.faults.add(kind="hold", method="GET", path="/v3/REST/contact/*", times=None)
    monkeypatch.setenv("TMPDIR", str(temporary))
    file = mailjet.folder / "who"
    file.write_text("person1@example.com")
    with Command(mailjet).start("--explain", str(file)) as process:
        (copy,) = until(lambda: [*temporary.glob("target-mailing-explanation-*/journal.sqlite")])
        assert copy.parent.stat().st_mode & 0o777 == 0o700
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
    assert [*temporary.iterdir()] == []
