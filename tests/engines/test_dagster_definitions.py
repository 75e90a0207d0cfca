"""The example's definitions in one process of Dagster's environment, without its daemon."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from mailing_sandbox import Sandbox
from tests.e2e.conftest import environments  # noqa: F401 - a fixture
from tests.e2e.warehouse import Plugin
from tests.engines.conftest import REPOSITORY
from tests.postgresql import postgresql_server

EXAMPLE = REPOSITORY / "examples" / "dagster_many_lists"
SENSOR = """
import json
import dagster as dg
import definitions
from pipeline import Pipeline

def tick(*rows):
    definitions.pipelines = lambda: [Pipeline(*row) for row in rows]
    result = definitions.new_pipelines(dg.build_sensor_context(instance))
    for change in result.dynamic_partitions_requests:
        change = change._asdict() if hasattr(change, "_asdict") else vars(change)
        name, keys = change["partitions_def_name"], change["partition_keys"]
        for key in keys:
            if instance.has_dynamic_partition(name, key):
                instance.delete_dynamic_partition(name, key)
            else:
                instance.add_dynamic_partitions(name, [key])
    every = {name: instance.get_dynamic_partitions(f"pipelines_of_{name}") for name in definitions.ASSETS}
    return [[request.job_name, request.partition_key] for request in result.run_requests], every

with dg.instance_for_test() as instance:
    ticks = [
        tick(("north", "A", "a"), ("south", "B", "b"), ("nowhere", "C", "c")),
        tick(("north", "A", "a"), ("south", "B", "b")),
        tick(("north", "A", "a"), ("north", "A", "d")),
    ]
    pools = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
print(json.dumps({"ticks": ticks, "pools": pools}))
"""
DELIVER = """
import json
import sys
import dagster as dg
import definitions

def deliver(account, partition):
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions(f"pipelines_of_{account}", [partition])
        asset = definitions.ASSETS[account]
        result = dg.materialize([asset], partition_key=partition, instance=instance, raise_on_error=False)
        materialized = [event.step_materialization_data for event in result.get_asset_materialization_events()]
        return {
            "success": result.success,
            "retries": len([event for event in result.all_events if event.is_step_restarted]),
            "checks": {check.check_name: check.passed for check in result.get_asset_check_evaluations()},
            "metadata": [
                {name: value.value for name, value in each.materialization.metadata.items()} for each in materialized
            ],
        }

account, view, *outcomes = sys.argv[1:]
found = []
if not outcomes:
    found.append(deliver(account, f"Readers in {view.title()} from {view}"))
for each in outcomes:
    definitions.pipelines = lambda: [definitions.Pipeline(account, "List", view)]
    definitions.run = lambda pipeline, log: json.loads(each)
    found.append(deliver(account, f"List from {view}"))
print(json.dumps(found))
"""
NOTHING = dict.fromkeys(
    ("rows", "delivered", "unchanged", "superseded", "withheld", "skipped", "rejected", "resubmitted"), 0
)


class Process:
    """Python of Dagster's environment in a copy of the example's folder."""

    def __init__(self, dagster, folder, **variables):
        self._python = dagster / "python"
        self._folder = folder / "example"
        shutil.copytree(EXAMPLE, self._folder)
        self._variables = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "RETRY_SECONDS": "1", **variables}

    @contextmanager
    def started(self, script, *arguments):
        with subprocess.Popen(
            [self._python, "-c", script, *arguments],
            cwd=self._folder, env=self._variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()

    def run(self, script, *arguments):
        with self.started(script, *arguments) as process:
            return ended(process)


def ended(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1]), err


def test_the_sensor_keeps_the_partitions_as_the_table_is_and_runs_new_ones(dagster, tmp_path):
    found, log = Process(dagster, tmp_path).run(SENSOR)
    (first, second, third) = found["ticks"]
    assert first == [
        [["deliver_north", "A from a"], ["deliver_south", "B from b"]],
        {"north": ["A from a"], "south": ["B from b"]},
    ]
    assert "'C from c' is not delivered: accounts.json has no 'nowhere'" in log
    assert second == [[], first[1]]
    assert third == [[["deliver_north", "A from d"]], {"north": ["A from a", "A from d"], "south": []}]
    assert found["pools"] == {"mailing_north": 1, "mailing_south": 1}


def test_checks_see_rejected_and_unconfirmed_rows(dagster, tmp_path):
    cases = [
        ({}, [True, True]),
        ({"rejected": 1, "reasons": {"bad_address": 1}}, [False, True]),
        ({"rejected": 2, "reasons": {"unconfirmed": 2}}, [False, False]),
    ]
    outcomes = [{**NOTHING, "reasons": {}, **totals} for totals, _ in cases]
    found, _ = Process(dagster, tmp_path).run(DELIVER, "north", "graz", *map(json.dumps, outcomes))
    for each, totals, (_, passed) in zip(found, outcomes, cases, strict=True):
        checks = dict(zip(("none_rejected", "none_unconfirmed"), passed, strict=True))
        assert each == {"success": True, "retries": 0, "checks": checks, "metadata": [totals]}


def test_a_pipe_without_its_programs_is_not_retried(dagster, tmp_path):
    with postgresql_server() as server:
        with psycopg.connect(server.url) as connection:
            connection.execute((EXAMPLE / "pipelines.sql").read_text())
        process = Process(dagster, tmp_path, WAREHOUSE_URL=server.url, PATH=os.defpath)
        (found,), log = process.run(DELIVER, "north", "graz")
    assert (found["success"], found["retries"]) == (False, 0)
    assert "tap-postgres is not on the PATH of the worker" in log
    assert "FileNotFoundError" not in log


@contextmanager
def delivering(dagster, folder, environments, server, sandbox):  # noqa: F811 - no fixture here
    """A run to the list of Graz, whose first job is held; yields the process and what holds it."""
    tap = Plugin("tap-postgres", folder / "plugins", environments)
    with psycopg.connect(server.url) as connection:
        connection.execute((EXAMPLE / "pipelines.sql").read_text())
    fault = sandbox.faults.add(kind="hold", method="POST", path="*/managemanycontacts", times=1)
    process = Process(
        dagster, folder, WAREHOUSE_URL=server.url, SANDBOX_URL=sandbox.url, SANDBOX_API_KEY=sandbox.api_key,
        SANDBOX_SECRET_KEY=sandbox.secret_key,
        PATH=os.pathsep.join([str(tap.python.parent), str(Path(REPOSITORY, ".venv", "bin")), os.environ["PATH"]]),
    )  # fmt: skip
    with process.started(DELIVER, "north", "graz") as running:
        fault.wait_until_held(timeout=60)
        yield running, fault


def test_p2_postgresql_is_killed_and_started_again_and_the_retry_policy_delivers_the_rest(
    dagster,
    tmp_path,
    environments,  # noqa: F811 - a fixture
):
    """It has the table, the people and the journal."""
    query = "SELECT email, subscription_status FROM crm.graz"
    query += " WHERE email LIKE '%@%' AND subscription_status <> 'pending'"
    with postgresql_server() as server, Sandbox(contacts=0, job_seconds=0.2) as sandbox:
        with delivering(dagster, tmp_path, environments, server, sandbox) as (running, fault):
            server.kill()
            fault.release()
            server.start()
            (found,), log = ended(running)
        assert found["success"], log
        assert found["retries"] >= 1
        with psycopg.connect(server.url) as connection:
            wanted = dict(connection.execute(query).fetchall())
        received = sandbox.mailjet.received()
        (graz,) = {row["list"] for row in received}
        members = {email: member["status"] for email, member in sandbox.mailjet.members(graz).items()}
        assert members == wanted
        assert Counter(row["contact"]["Email"] for row in received) == dict.fromkeys(wanted, 1)


def test_a_run_that_is_cancelled_ends_its_target_and_is_not_retried(
    dagster,
    tmp_path,
    environments,  # noqa: F811 - a fixture
):
    with (
        postgresql_server() as server,
        Sandbox(contacts=0) as sandbox,
        delivering(dagster, tmp_path, environments, server, sandbox) as (running, fault),
    ):
        children = psutil.Process(running.pid).children(recursive=True)
        alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]  # the tap may have ended
        assert any("target-mailing" in " ".join(child.cmdline()) for child in alive)
        running.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(alive, timeout=20)
        fault.release()
        assert not alive
        (found,), _ = ended(running)
        assert (found["success"], found["retries"]) == (False, 0)
