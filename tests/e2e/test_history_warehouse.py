"""Histories in PostgreSQL, by the published target-postgres, loaded and asked as the example says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.warehouse import Plugin, started
from tests.history import read_history
from tests.target.command.test_command import Command
from tests.target.conftest import LIST, people, person, schema, state
from tests.target.postgrid.conftest import account, household, households
from tests.target.ses.conftest import (  # noqa: F401 - the same account of Amazon SES
    _little_patience,
    _no_aws_of_this_machine,
    bare,
    ses,
)

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "history_in_postgresql"


class Example:
    """A copy of the example's folder, and the commands of its README."""

    def __init__(self, folder, warehouse, loader, histories):
        self.folder = folder / "my copy"
        shutil.copytree(EXAMPLE, self.folder)
        readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
        self._blocks = re.findall(r"^```\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
        self.queries = re.findall(r"^```sql\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
        settings = self.folder / "warehouse.json"
        config = json.loads(settings.read_text(encoding="utf-8"))
        settings.write_text(json.dumps(config | {"sqlalchemy_url": warehouse.url}), encoding="utf-8")
        programs = (loader.python.parent, Path(warehouse.psql).parent)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TARGET_", "PYTHON"))},
            "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
            "PGTZ": "UTC",
            "WAREHOUSE_URL": warehouse.url,
        }
        self._histories = histories

    def follow_the_readme(self, begin, **changes):
        """Run the commands of the block that begins so; `changes` are values in it."""
        (block,) = [block for block in self._blocks if block.startswith(begin)]
        for before, after in {".meltano/target-mailing/history": str(self._histories), **changes}.items():
            block = block.replace(before, after)
        done = subprocess.run(
            ["bash", "-ec", block], cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def test_runs_of_three_providers_load_as_they_are(mailjet, ses, tmp_path, environments):  # noqa: F811 - a fixture
    folder = tmp_path / "histories"
    mine = {"history_path": str(folder)}
    first = [schema(), *people(range(1, 5)), person(5, email="no"), state(1)]
    mailjet.deliver(first, **mine)
    mailjet.deliver([schema(), person(1), person(2, city="Rom"), person(3, city="Rom"), state(2)], **mine)
    ses.deliver([schema(), *people([1, 2], subscription_status="unsubscribed"), state(1)], properties=None, **mine)
    with account(tmp_path / "postgrid") as postgrid:
        postgrid.deliver([households(), household(1), household(2), state(1)], **mine)
    hold = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*/managemanycontacts/*", times=1)
    with Command(mailjet, batch_rows=1, **mine).start() as process:
        process.stdin.write(mailjet.text([schema(), *people(range(90, 96)), state(3)]).encode())
        process.stdin.flush()
        hold.wait_until_held()
        process.kill()
    hold.release()
    mailjet.deliver([schema(), *people(range(90, 96)), state(3)], **mine)
    files = sorted(folder.glob("*.singer"))
    histories = [read_history(file) for file in files]
    loader = Plugin("target-postgres", tmp_path, environments)
    with started() as warehouse:
        example = Example(tmp_path, warehouse, loader, folder)
        unfinished = folder / "history-unfinished.singer.part"
        unfinished.touch()
        example.follow_the_readme("./load.sh")
        assert {file.name for file in (folder / "loaded").iterdir()} == {file.name for file in files}
        assert [file for file in folder.iterdir() if file.is_file()] == [unfinished]
        (folder / "loaded" / files[0].name).rename(files[0])  # one is loaded twice
        example.follow_the_readme("./load.sh")
        for stream in ("mailing_runs", "mailing_jobs", "mailing_outcomes"):
            records = [record for history in histories for record in history[stream]]
            (counted,) = warehouse.rows(f"SELECT count(*) AS rows FROM mailing_history.{stream}")
            assert counted == {"rows": len(records)}
        totals = """SELECT count(*) AS rows FROM mailing_history.mailing_runs r
            WHERE ended_at IS NOT NULL AND row_count <> (
            SELECT count(*) FROM mailing_history.mailing_outcomes o WHERE o.run_id = r.run_id)"""
        assert warehouse.rows(totals) == [{"rows": 0}]
        killed = warehouse.rows("SELECT * FROM mailing_history.mailing_runs WHERE ended_at IS NULL")
        assert [run["exit_code"] for run in killed] == [None]
        found = _records(example.follow_the_readme("psql --set=stream", **{"4711": "2"}))
        told = [(row["outcome"], row["effect"], row["status"]) for row in found if row["destination"][:7] == "mailjet"]
        assert told == [("delivered", "added_or_updated", "completed")] * 2
        assert all(
            row["job_id"] and row["submitted_at"] < row["ended_at"] for row in found if row["status"] == "completed"
        )
        assert [row["reached"] for row in found] == ["t"] * 3
        assert [row["settled_at"] for row in found] == sorted(row["settled_at"] for row in found)
        last = "SELECT * FROM mailing_history.mailing_last_outcome WHERE stream = 'people' AND key = '5'"
        assert [(row["outcome"], row["code"]) for row in warehouse.rows(last)] == [("rejected", "bad_address")]
        not_delivered, daily, failed = (warehouse.rows(query.strip().rstrip(";")) for query in example.queries)
        assert [(row["key"], row["code"]) for row in not_delivered] == [("5", "bad_address")]
        assert sum(row["row_count"] for row in daily) == sum(len(history["mailing_outcomes"]) for history in histories)
        assert {row["detail"] for row in daily} >= {"added_or_updated", "bad_address", "unsubscribed"}
        assert [(row["exit_code"], row["list"]) for row in failed] == [(None, LIST)]


def _records(text):
    """The records of psql's expanded form."""
    parts = re.split(r"^-\[ RECORD \d+ \].*$", text, flags=re.MULTILINE)[1:]
    return [
        {name.strip(): value.strip() for name, _, value in (line.partition("|") for line in part.strip().splitlines())}
        for part in parts
    ]
