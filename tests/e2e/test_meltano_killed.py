"""Real Meltano and tap-postgres, killed again and again: the list ends as the table, and nothing goes twice unseen."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sqlite3
import time
from collections import defaultdict
from contextlib import closing
from typing import Any

import pytest

from mailing_sandbox import Sandbox
from tests.e2e.crm import Crm, crm
from tests.e2e.meltano import Project, Run, until

pytestmark = pytest.mark.slow

SUBMIT = "/v3/REST/contactslist/*/managemanycontacts"
LOOK = "/v3/REST/contactslist/*/managemanycontacts/*"
PEOPLE = 50_000
BATCH = 400
#: Seconds within which the first ones are killed that are killed before they deliver.
START = 6.0
#: A run takes longer until its first job where a job of the last run is looked for twice, a minute apart.
LOOKED_TWICE = 60.0
SIGTERM, SIGKILL, SIGKILL_ALL, TIMEOUT = "SIGTERM", "SIGKILL to Meltano", "SIGKILL to all", "--timeout"
#: How Meltano ends: by a signal that comes before it is prepared for it, or as it says itself.
CODES = {SIGTERM: {143, -15}, SIGKILL: {-9}, SIGKILL_ALL: {-9}, TIMEOUT: {1}}


def tell(text: str) -> None:
    """Say something that is shown when the test fails."""
    print(text)


class Mailjet:
    """What the sandbox and the journal know of jobs, side by side."""

    def __init__(self, sandbox: Sandbox, project: Project) -> None:
        self._sandbox = sandbox.mailjet
        self._list = self._sandbox.add_list("CRM people")
        self._project = project

    def jobs(self) -> set[int]:
        return {job["id"] for job in self._sandbox.jobs()}

    def carried(self) -> dict[str, list[int]]:
        """The jobs that carried each row, oldest first."""
        found: dict[str, list[int]] = defaultdict(list)
        for row in self._sandbox.received():
            found[row["contact"]["Email"]].append(row["job"])
        return found

    def confirmed(self) -> set[str]:
        """The rows of jobs that have ended, and that the journal has settled."""
        ended = {job["id"] for job in self._sandbox.jobs() if job["status"] == "Completed"} & self.noted("settled")
        return {email for email, jobs in self.carried().items() if not ended.isdisjoint(jobs)}

    def noted(self, *states: str) -> set[int]:
        """The jobs that the journal knows; or only those of batches in these states."""
        if not self._project.journal.exists():
            return set()
        with closing(sqlite3.connect(f"{self._project.journal.as_uri()}?mode=ro", uri=True)) as journal:
            try:
                rows = journal.execute(
                    "SELECT state, evidence FROM steps JOIN batches ON batches.id = batch "
                    "WHERE name = 'submit' AND evidence IS NOT NULL"
                ).fetchall()
            except sqlite3.OperationalError:  # killed before it had its tables
                return set()
        return {json.loads(evidence)["job"] for state, evidence in rows if not states or state in states}

    def members(self) -> dict[str, dict[str, Any]]:
        return self._sandbox.members(self._list)


@pytest.fixture
def parts(tmp_path, request):
    """A sandbox, a table, and a project that goes from one to the other."""
    with Sandbox(job_seconds=1.0) as sandbox:
        sandbox.mailjet.add_property("city", "str")
        sandbox.mailjet.add_property("visits", "int")
        with crm(request.param) as table:
            variables = {
                "SANDBOX_URL": sandbox.url,
                "SANDBOX_API_KEY": sandbox.api_key,
                "SANDBOX_SECRET_KEY": sandbox.secret_key,
                "WAREHOUSE_URL": table.url,
                "TARGET_MAILING_BATCH_ROWS": str(BATCH),
                "TARGET_MAILING_JOBS_IN_FLIGHT": "4",
                "TARGET_MAILING_POLL_INTERVAL": "0.2",
                "TARGET_MAILING_POLL_MAX_INTERVAL": "0.5",
            }
            project = Project(tmp_path / "my project", variables)
            try:
                yield sandbox, table, project
            finally:
                project.clear()


class Killings:
    """The sync and its killer."""

    def __init__(self, chance: random.Random, sandbox: Sandbox, table: Crm, project: Project) -> None:
        self.chance = chance
        self.sandbox = sandbox
        self.table = table
        self.project = project
        self.mailjet = Mailjet(sandbox, project)
        self.bookmark: str | None = None
        self.force: tuple[str, ...] = ()
        self.seconds_to_deliver = START

    def kill(self, how: str, *, delivering: bool) -> None:
        """Start a run, kill it, and look at what it left."""
        jobs, noted, before = self.mailjet.jobs(), self.mailjet.noted(), self.mailjet.carried()
        self._sprinkle_faults()
        if how == TIMEOUT:
            seconds = math.ceil(self.seconds_to_deliver) + self.chance.randint(1, 3)
            run = self.project.run(*self.force, "--timeout", str(seconds))
        else:
            run = self.project.run(*self.force)
            self._wait(run, jobs, delivering=delivering)
            assert run.process.poll() is None, f"nothing was left to kill:\n{run.said}"
            run.send(signal.SIGTERM if how == SIGTERM else signal.SIGKILL, to_all=how == SIGKILL_ALL)
        # An orphan goes on, but Meltano's STATE stands still from now on.
        confirmed = self.mailjet.confirmed() if how == SIGKILL else None
        code = run.end()
        assert code in CODES[how], run.said
        if code == -9:
            # Meltano takes a job whose process is gone for a running one, for five minutes.
            self.force = ("--force",)
        self.check(run, jobs, before, confirmed)
        new, known = self.mailjet.jobs() - jobs, self.mailjet.noted() - noted
        tell(f"{how}, {'delivering' if delivering else 'starting'}: exit {code}, {len(new)} jobs, {len(known)} noted")
        tell(f"  bookmark {self.bookmark}, {run.outcomes}")

    def check(self, run: Run, jobs: set[int], before: dict[str, list[int]], confirmed: set[str] | None = None) -> None:
        """What holds after every run, however it ended.

        Args:
            run: it.
            jobs: those before it.
            before: the jobs that had carried each row before it.
            confirmed: the rows that STATE may have passed, if these are others than now.
        """
        if confirmed is None:
            confirmed = self.mailjet.confirmed()
        bookmark = self.project.bookmark()
        assert self.bookmark is None or (bookmark is not None and bookmark >= self.bookmark)
        self.bookmark = bookmark
        assert self.table.changed_before(bookmark) <= confirmed, "STATE was ahead of the jobs"
        if run.outcomes is not None:
            carried = self.mailjet.carried()
            again = sum(len([job for job in carried[email] if job not in jobs]) for email in before)
            again += sum(len(carried[email]) - 1 for email in carried.keys() - before.keys())
            assert again <= run.outcomes["resubmitted"]
            assert run.outcomes["rejected"] == 0
        for private in ("@example.com", self.sandbox.secret_key):
            assert private not in run.said

    def _wait(self, run: Run, jobs: set[int], *, delivering: bool) -> None:
        began = time.monotonic()
        if not delivering:
            time.sleep(self.chance.uniform(0, self.seconds_to_deliver))
            return
        self._wait_for_jobs(run, jobs, 1)
        if (seconds := time.monotonic() - began) < LOOKED_TWICE:
            self.seconds_to_deliver = seconds
        self._wait_for_jobs(run, jobs, self.chance.randint(1, 8))
        time.sleep(self.chance.uniform(0, 0.6))

    def _wait_for_jobs(self, run: Run, jobs: set[int], count: int) -> None:
        until(lambda: len(self.mailjet.jobs() - jobs) >= count or run.process.poll() is not None, seconds=150.0)

    def _sprinkle_faults(self) -> None:
        """One call is told that there are too many, one look at a job fails, one reply is lost; all are slow."""
        faults, skip = self.sandbox.faults, lambda: self.chance.randint(0, 5)
        faults.clear()
        faults.add(kind="status", status=429, body="html", method="POST", path=SUBMIT, skip=skip())
        faults.add(kind="status", status=503, method="GET", path=LOOK, skip=skip())
        faults.add(kind="reply_lost", method="POST", path=SUBMIT, skip=skip())
        faults.add(kind="slow", method="POST", path=SUBMIT, seconds=0.3, times=None)


@pytest.mark.exhaustive
@pytest.mark.parametrize("parts", [PEOPLE], indirect=True)
def test_p3_meltano_killed_ten_times_in_a_row_ends_with_the_list_equal_to_the_table(parts):
    seed = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(10**6)))
    tell(f"KILL_SEED={seed}")
    chance = random.Random(seed)
    sandbox, table, project = parts
    killings = Killings(chance, sandbox, table, project)
    kills = [(how, True) for how in (SIGTERM, SIGTERM, SIGKILL, SIGKILL, SIGKILL_ALL, SIGKILL_ALL, TIMEOUT, TIMEOUT)]
    kills += [(how, False) for how in chance.sample([SIGTERM, SIGKILL, SIGKILL_ALL], 2)]
    chance.shuffle(kills)
    for how, delivering in kills:
        killings.kill(how, delivering=delivering)
    mailjet = killings.mailjet
    jobs, before = mailjet.jobs(), mailjet.carried()
    assert PEOPLE / 10 < len(before) < PEOPLE, "the kills must come while rows are delivered"
    last = project.run(*killings.force)
    assert last.end() == 0, last.said
    killings.check(last, jobs, before)
    assert mailjet.members() == table.members()

    # A job that the journal knows was followed to its end, so that what it carried never went again.
    noted, carried = mailjet.noted(), mailjet.carried()
    tell(f"{sum(len(jobs) > 1 for jobs in carried.values())} rows went more than once")
    assert [email for email, (*earlier, final) in carried.items() if final not in noted or noted & {*earlier}] == []

    jobs = mailjet.jobs()
    again = project.run("--full-refresh", *killings.force)
    assert again.end() == 0, again.said
    assert again.outcomes is not None
    assert again.outcomes["unchanged"] == again.outcomes["rows"] == PEOPLE
    assert mailjet.jobs() == jobs


@pytest.mark.exhaustive
@pytest.mark.parametrize("parts", [5000], indirect=True)
def test_p3_an_orphan_of_a_killed_meltano_keeps_the_next_run_out_until_it_has_ended(parts):
    sandbox, table, project = parts
    mailjet = Mailjet(sandbox, project)
    sandbox.mailjet.plan_jobs([{"hold": True}])
    killed = project.run()
    until(mailjet.jobs)
    killed.send(signal.SIGKILL)
    assert killed.process.wait(10) == -9
    (orphan,) = until(lambda: killed.processes("target-mailing") if len(killed.processes()) == 1 else None)

    refused = project.run()
    assert refused.end() == 1
    assert "pipeline is already running" in refused.said
    refused = project.run("--force")
    assert refused.end() == 1
    assert f"is held by process {orphan.pid} on" in refused.said
    assert "target_mailing/" not in refused.said  # no traceback of ours; Meltano shows one of its own if we are fast
    assert project.bookmark() is None

    sandbox.mailjet.finish_job(min(mailjet.jobs()))
    assert killed.end() == -9
    assert project.bookmark() is None
    last = project.run("--force")
    assert last.end() == 0, last.said
    assert mailjet.members() == table.members()
    assert {len(jobs) for jobs in mailjet.carried().values()} == {1}
