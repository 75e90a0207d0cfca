"""Many lists by a real Airflow, as the example's README says, while a delivery fails."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing

import httpx
import psycopg
import pytest

from tests.e2e.conftest import environments  # noqa: F401 - a fixture
from tests.e2e.warehouse import Plugin
from tests.engines.conftest import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "airflow_many_lists"
PLAYGROUND = (sys.executable, REPOSITORY / "examples" / "demo" / "playground.py")
FAULT = {
    "kind": "status",
    "status": 403,
    "times": 1,
    "method": "POST",
    "path": "/v3/REST/contactslist/*/managemanycontacts",
}
#: Tells the shell's variables, and stays until its input ends.
SHELL = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"


def blocks():
    """The commands of the README, apart from that which opens the shell."""
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    opening, *others = re.findall(r"^```\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert opening == "make .venv-airflow/.ready playground\n"
    return others


@pytest.fixture
def playground(airflow, tmp_path, environments):  # noqa: F811 - a fixture
    """The shell's variables, with a checkout in a folder of the test's."""
    tap = Plugin("tap-postgres", tmp_path / "plugins", environments)
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("examples", ".venv-airflow"):
        (checkout / name).symlink_to(REPOSITORY / name)
    with subprocess.Popen(
        [*PLAYGROUND, sys.executable, "-c", SHELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        variables = json.loads(process.stdout.readline())
        path = os.pathsep.join([variables["PATH"], str(tap.python.parent)])
        yield checkout, variables | {"PATH": path, "RETRY_SECONDS": "0.1", "PYTHONDONTWRITEBYTECODE": ""}
        process.stdin.close()
        assert process.wait(60) == 0


def tasks_of(home):
    """State, number of tries and pool of each instance of a task of the last run, by task and place."""
    query = "SELECT task_id, map_index, state, try_number, pool FROM task_instance"
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        return {(task, place): rest for task, place, *rest in database.execute(query)}


def test_p2_p3_many_lists_arrive_exactly_once_though_a_task_of_airflow_fails_first(playground):
    checkout, variables = playground
    home = checkout.parent / "airflow_many_lists"
    with httpx.Client(base_url=variables["SANDBOX_URL"], timeout=60, trust_env=False) as sandbox:
        sandbox.post("/_sandbox/faults", json=FAULT).raise_for_status()
        plan = {"next": [{"seconds": 0.1}] * 20}
        sandbox.post("/_sandbox/mailjet/jobs/plan", json=plan).raise_for_status()
        script = "set -e\n" + "".join(blocks())
        done = subprocess.run(
            ["bash", "-c", script], cwd=checkout, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        keys = (variables["SANDBOX_API_KEY"], variables["SANDBOX_SECRET_KEY"])
        answer = sandbox.get("/v3/REST/contactslist?Limit=1000", auth=keys).raise_for_status().json()
        lists = {row["Name"]: row["ID"] for row in answer["Data"]}
        received = sandbox.get("/_sandbox/mailjet/received").raise_for_status().json()
    arrived = Counter((row["list"], row["contact"]["Email"]) for row in received)
    with psycopg.connect(variables["SANDBOX_WAREHOUSE_URL"]) as warehouse:
        pipelines = warehouse.execute("SELECT account, list, view, state IS NOT NULL FROM pipelines").fetchall()
        wanted = {
            (lists[name], email): 1
            for _, name, view, _ in pipelines
            for (email,) in warehouse.execute(
                f"SELECT email FROM crm.{view} WHERE email LIKE '%@%' AND subscription_status <> 'pending'"
            )
        }
        # Both accounts of the example are one of the sandbox.
        ((revision,),) = warehouse.execute("SELECT revision FROM mailing_rate_budget.accounts").fetchall()
    assert revision > 8, "every target takes its turns from the budget"
    assert len(pipelines) == 8
    assert all(kept for *_, kept in pipelines)
    assert arrived == wanted
    tasks = tasks_of(home)
    delivered = {key: rest for key, rest in tasks.items() if key[0].startswith("deliver_")}
    assert Counter(task for task, _ in delivered) == Counter(f"deliver_{account}" for account, *_ in pipelines)
    assert {state for state, *_ in tasks.values()} == {"success"}
    assert sorted(tries for _, tries, _ in delivered.values()) == [1] * 7 + [2]
    assert all(pool == task.replace("deliver_", "mailing_") for (task, _), (*_, pool) in delivered.items())
    assert "rows were rejected" in done.stdout + done.stderr


def test_every_account_of_the_example_has_a_pool():
    accounts = json.loads((REPOSITORY / "examples" / "dagster_many_lists" / "accounts.json").read_text())
    pools = json.loads((EXAMPLE / "pools.json").read_text())
    assert set(pools) == {f"mailing_{account}" for account in accounts}
