"""Many lists by a real Dagster, as the example's README says, while workers are killed."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil
import psycopg
import pytest

from tests.e2e.conftest import environments  # noqa: F401 - a fixture
from tests.e2e.warehouse import Plugin
from tests.engines.conftest import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "dagster_many_lists"
PLAYGROUND = (sys.executable, REPOSITORY / "examples" / "demo" / "playground.py")
#: Tells the shell's variables, and stays until its input ends.
SHELL = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"
PATIENCE = 600.0
#: Rows of a list, of some 490 that are sent: a list that has fewer is not done.
HALF = 350
#: The totals in each partition's materialization, and the different results of each check.
ASK = """
import json
import dagster as dg
found = {}
with dg.DagsterInstance.get() as instance:
    for key in instance.all_asset_keys():
        for record in instance.fetch_materializations(key, limit=100).records:
            event = record.asset_materialization
            metadata = {name: value.value for name, value in event.metadata.items()}
            found.setdefault(event.partition, metadata)
    checks = {}
    for run in instance.get_runs():
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            check = entry.dagster_event.event_specific_data
            seen = checks.setdefault(check.check_name, [])
            if (result := [check.severity.value, check.passed]) not in seen:
                seen.append(result)
print(json.dumps({"totals": found, "checks": checks}))
"""


class Example:
    """A copy of the example's folder in the playground."""

    def __init__(self, folder, variables, programs):
        self.folder = folder
        shutil.copytree(EXAMPLE, folder)
        readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
        (commands,) = (block for block in blocks if block.startswith("psql"))
        self.commands = commands.splitlines()
        self._python = programs[-1] / "python"
        self.variables = variables | {
            "PATH": os.pathsep.join([variables["PATH"], *map(str, programs)]),
            "WAREHOUSE_URL": variables["SANDBOX_WAREHOUSE_URL"],
            "RETRY_SECONDS": "1",
            "DAGSTER_HOME": str(folder),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        self.sandbox = httpx.Client(base_url=variables["SANDBOX_URL"], timeout=60, trust_env=False)

    def run(self, *command):
        done = subprocess.run(command, cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask_dagster(self):
        return json.loads(self.run(self._python, "-c", ASK))

    @contextmanager
    def dagster(self):
        """Dagster, with everything that it starts, for the time of the block."""
        log = self.folder / "dagster.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-ec", f"exec env {self.commands[1]}"], cwd=self.folder, env=self.variables,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            started = self.processes()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            for each in [process, *started]:
                with suppress(psutil.Error):
                    each.kill()
            process.wait()

    def processes(self):
        """All that carry the variables of this test, as children of a killed worker are nobody's."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("DAGSTER_HOME") == str(self.folder):
                    found.append(process)
        return found

    def targets(self, dagster):
        """The running targets by the list that they deliver to, each with the process of Dagster that started it."""
        found = {}
        for process in psutil.Process(dagster.pid).children(recursive=True):
            with suppress(psutil.Error, OSError):
                configs = re.findall(r"--config=(\S+/target)$", " ".join(process.cmdline()))
                if configs and process.parent() is not None:
                    found[json.loads(Path(configs[0]).read_text())["list"]] = (process, process.parent())
        return found

    def runs(self):
        """Job, status, start and end of Dagster's runs, in the order of their starts."""
        path = self.folder / "history" / "runs.db"
        query = "SELECT pipeline_name, status, start_time, end_time FROM runs ORDER BY start_time"
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as runs:
            return runs.execute(query).fetchall()
        return []

    def log(self):
        return (self.folder / "dagster.log").read_text(encoding="utf-8")

    def rows(self, query, *values):
        with psycopg.connect(self.variables["WAREHOUSE_URL"]) as connection:
            return connection.execute(query, values).fetchall()

    def see(self, path):
        return self.sandbox.get(f"/_sandbox/mailjet/{path}").raise_for_status().json()

    def lists(self):
        keys = (self.variables["SANDBOX_API_KEY"], self.variables["SANDBOX_SECRET_KEY"])
        answer = self.sandbox.get("/v3/REST/contactslist?Limit=1000", auth=keys)
        return {row["Name"]: row["ID"] for row in answer.raise_for_status().json()["Data"]}

    def members(self, name):
        return {email: member["status"] for email, member in self.see(f"lists/{name}/members").items()}

    def wanted(self, view, until=None):
        """The people of a view who are to arrive, by address: subscribed or unsubscribed."""
        query = f"SELECT email, subscription_status FROM crm.{view} WHERE email LIKE '%%@%%'"
        query += " AND subscription_status <> 'pending' AND changed_at <= coalesce(%s::timestamptz, 'infinity')"
        return dict(self.rows(query, until))


@pytest.fixture
def example(dagster, tmp_path, environments, monkeypatch):  # noqa: F811 - a fixture
    tap = Plugin("tap-postgres", tmp_path / "plugins", environments)
    for name in ("MJ_APIKEY_PUBLIC", "TARGET_MAILING_LIST"):
        monkeypatch.setenv(name, "mine")
    with (
        TemporaryDirectory(prefix="dagster-test-", dir="/tmp") as folder,
        subprocess.Popen(
            [*PLAYGROUND, sys.executable, "-c", SHELL],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        ) as process,
    ):  # fmt: skip
        variables = json.loads(process.stdout.readline())
        mine = Example(Path(folder, "my copy"), variables, (tap.python.parent, dagster))
        yield mine
        mine.sandbox.close()
        process.stdin.close()
        assert process.wait(60) == 0


class Watch:
    """Looks at everything again and again, and kills when a list is half delivered."""

    def __init__(self, example):
        self._example = example
        #: What is killed: a worker with its pipe, as a machine that is lost; a worker alone; its target.
        self._plan = {"Readers in Graz": "all", "Readers in Porto": "worker", "Readers in Turin": "target"}
        self.killed = []
        self.states = {}
        #: The first job, of a pipeline of `east`, until the other one has met the lock of their list.
        fault = {"kind": "hold", "method": "POST", "path": "/v3/REST/contactslist/*/managemanycontacts"}
        self._held = example.sandbox.post("/_sandbox/faults", json=fault).raise_for_status().json()["id"]

    def look(self, dagster):
        self._check_states()
        if self._held and " is held by " in self._example.log():
            self._example.sandbox.post(f"/_sandbox/faults/{self._held}/release").raise_for_status()
            self._held = None
        targets = self._example.targets(dagster) if self._plan else {}
        for name, (target, worker) in targets.items():
            if name in self._plan and 0 < self._arrived(name) < HALF:
                self.killed.append(name)
                every = [worker, *worker.children(recursive=True)]
                for victim in {"all": every, "worker": [worker], "target": [target]}[self._plan.pop(name)]:
                    victim.kill()

    def _arrived(self, name):
        number = self._example.lists().get(name)
        return sum(job["current"] for job in self._example.see("jobs") if job["targets"][0][0] == number)

    def _check_states(self):
        """Whatever a STATE says was delivered must be there when it is seen."""
        for name, view, state in self._example.rows("SELECT list, view, state FROM pipelines WHERE state IS NOT NULL"):
            if self.states.get((name, view)) != state:
                self.states[name, view] = state
                until = state["bookmarks"][f"crm-{view}"]["replication_key_value"]
                there = self._example.members(name)
                assert self._example.wanted(view, until).items() <= there.items(), f"STATE of {view} came early"


def prepare(example):
    """Two workers, jobs that take different times, and two pipelines to one list of an account that takes two."""
    draw = random.Random(1)
    plans = [{"seconds": draw.uniform(0.1, 1.0)} for _ in range(200)]
    example.sandbox.post("/_sandbox/mailjet/jobs/plan", json={"next": plans}).raise_for_status()
    target, accounts, instance = (example.folder / name for name in ("target.json", "accounts.json", "dagster.yaml"))
    target.write_text(json.dumps(json.loads(target.read_text()) | {"batch_rows": 100, "jobs_in_flight": 1}))
    settings = json.loads(accounts.read_text())
    accounts.write_text(json.dumps({"east": settings["north"]} | settings))  # its pipelines are the first
    text, workers = re.subn(r"max_concurrent_runs: 4\b", "max_concurrent_runs: 2", instance.read_text())
    assert workers == 1
    instance.write_text(text)
    example.run("dagster", "instance", "concurrency", "set", "mailing_east", "2")
    with psycopg.connect(example.variables["WAREHOUSE_URL"]) as connection:
        connection.execute("INSERT INTO pipelines VALUES ('east', 'Everybody', 'lyon'), ('east', 'Everybody', 'vigo')")


def test_p2_p3_many_lists_on_two_workers_arrive_exactly_once_while_workers_are_killed(example):
    example.run("bash", "-ec", example.commands[0])
    prepare(example)
    watch, begun = Watch(example), time.monotonic()
    with example.dagster() as process:
        while [status for _, status, _, _ in example.runs()].count("SUCCESS") < 10:
            assert process.poll() is None, example.log()
            assert time.monotonic() - begun < PATIENCE, example.log()
            watch.look(process)
            time.sleep(0.3)
        watch.look(process)
    assert sorted(watch.killed) == ["Readers in Graz", "Readers in Porto", "Readers in Turin"]
    assert len(watch.states) == 10
    views = defaultdict(list)
    for name, view in example.rows("SELECT list, view FROM pipelines"):
        views[name].append(view)
    assert len(views) == 9
    lists, received = example.lists(), example.see("received")
    for name, of_list in views.items():
        wanted = {email: status for view in of_list for email, status in example.wanted(view).items()}
        assert example.members(name) == wanted
        arrived = Counter(row["contact"]["Email"] for row in received if row["list"] == lists[name])
        assert arrived == dict.fromkeys(wanted, 1), f"{name}: something is missing, or came twice"
    # Two workers were killed, which made their runs fail; everything else was the retry policy's matter.
    assert Counter(status for _, status, _, _ in example.runs()) == {"SUCCESS": 10, "FAILURE": 2}
    assert re.search(r"schema target_mailing_mailjet_default_list_everybody_\w+ is held by \S", example.log())
    for account in ("north", "south"):
        times = [times for job, _, *times in example.runs() if job == f"deliver_{account}"]
        assert all(end <= start for (_, end), (start, _) in pairwise(times)), "its pool takes one at a time"
    # Both accounts of the example, and `east`, are one of the sandbox.
    ((revision,),) = example.rows("SELECT revision FROM mailing_rate_budget.accounts")
    assert revision > 10, "every target takes its turns from the budget"
    answer = example.ask_dagster()
    assert len(answer["totals"]) == 10
    for name, totals in answer["totals"].items():
        view = name.rpartition(" from ")[2]
        assert totals["rows"] == 500
        assert totals["delivered"] + totals["unchanged"] == len(example.wanted(view))
        assert totals["rejected"] == totals["reasons"]["bad_address"] > 0
    assert answer["checks"] == {"none_rejected": [["WARN", False]], "none_unconfirmed": [["ERROR", True]]}
