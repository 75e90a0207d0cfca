"""A journal in PostgreSQL: what one worker leaves, another finishes, with no file in common."""

from __future__ import annotations

import json
import os
from subprocess import PIPE

import psycopg
import pytest

from tests.fork_server import FORKS
from tests.target.command.test_command import until
from tests.target.conftest import people, schema, state
from tests.totals import ENVIRONMENT

pytestmark = pytest.mark.slow

ROWS = 40


class Worker:
    """A place with a folder of its own from which the pipeline is run."""

    def __init__(self, name, mailjet, url):
        self.folder = mailjet.folder / name
        self.folder.mkdir()
        config = mailjet.settings(journal=url, batch_rows=10, jobs_in_flight=2)
        (self.folder / "config.json").write_text(json.dumps(config))

    def start(self):
        own = {"XDG_STATE_HOME": str(self.folder / "state"), "HOME": str(self.folder)}
        return FORKS.start(
            "target_mailing", "--config=config.json",
            cwd=self.folder, env=os.environ | ENVIRONMENT | own, stdin=PIPE, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip

    def run(self, text):
        with self.start() as process:
            out, err = process.communicate(text, timeout=60)
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
def workers(mailjet, postgresql_url):
    # The list's name makes a schema of this test's own.
    name = f"List of {mailjet.folder.name}"
    mailjet.sandbox.mailjet.add_list(name)
    mailjet.config["list"] = name
    return Worker("one", mailjet, postgresql_url), Worker("other", mailjet, postgresql_url)


def text():
    messages = [schema(), *people(range(ROWS)), state({"at": ROWS})]
    return b"".join(json.dumps(one).encode() + b"\n" for one in messages)


def sent(mailjet):
    return sorted(row["contact"]["Email"] for row in mailjet.received())


def followed(mailjet):
    """The jobs, once there are two that were looked at."""
    jobs = mailjet.sandbox.mailjet.jobs()
    return len(jobs) == 2 and all(job["polls"] for job in jobs) and jobs


def everybody():
    return sorted(f"person{number}@example.com" for number in range(ROWS))


def test_p3_a_run_killed_on_one_worker_is_finished_by_another(mailjet, workers):
    one, other = workers
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}] * 2)
    with one.start() as process:
        process.stdin.write(text())
        process.stdin.close()
        jobs = until(lambda: followed(mailjet))
        process.kill()
        assert process.stdout.read() == b""
    for job in jobs:
        mailjet.sandbox.mailjet.finish_job(job["id"])
    code, out, err = other.run(text())
    assert (code, json.loads(out)) == (0, {"at": ROWS})
    assert '"resumed":2' in err
    assert '"resubmitted":0' in err
    assert sent(mailjet) == everybody()
    assert "PostgreSQL localhost/postgres, schema target_mailing_" in err


def test_p9_a_second_worker_is_told_who_holds_the_journal(mailjet, workers):
    one, other = workers
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}] * 2)
    with one.start() as process:
        process.stdin.write(text())
        process.stdin.close()
        until(lambda: followed(mailjet))
        code, out, err = other.run(text())
        process.kill()
    assert (code, out) == (1, "")
    assert f"is held by process {process.pid} on " in err
    assert "Traceback" not in err


def test_p1_a_run_that_loses_its_journal_ends_and_another_goes_on(mailjet, workers, postgresql_url):
    one, other = workers
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}] * 2)
    with one.start() as process:
        process.stdin.write(text())
        process.stdin.close()
        jobs = until(lambda: followed(mailjet))
        with psycopg.connect(postgresql_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s",
                [f"process {process.pid} on %"],
            )
        for job in jobs:
            mailjet.sandbox.mailjet.finish_job(job["id"])
        out, err = process.stdout.read(), process.stderr.read().decode()
    assert (process.returncode, out) == (1, b"")
    assert "Setting `journal`: PostgreSQL localhost/postgres" in err
    assert "Traceback" not in err
    code, answer, _ = other.run(text())
    assert (code, json.loads(answer)) == (0, {"at": ROWS})
    assert sent(mailjet) == everybody()
