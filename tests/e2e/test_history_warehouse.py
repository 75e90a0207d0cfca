"""Histories in PostgreSQL, by the published target-postgres, and what the queries of docs/history.md find in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.warehouse import Plugin, started
from tests.history import read_history
from tests.target.conftest import people, person, schema, state
from tests.target.postgrid.conftest import account, household, households
from tests.target.ses.conftest import (  # noqa: F401 - the same account of Amazon SES
    _little_patience,
    _no_aws_of_this_machine,
    bare,
    ses,
)
from tests.target.test_command import Command

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs" / "history.md"


def sql(begin):
    """The statements of the document that begin so."""
    blocks = re.findall(r"^```sql\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(begin)]
    return block


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
    target = Plugin("target-postgres", tmp_path, environments)
    with started() as warehouse:
        for file in (*files, files[0]):  # one is loaded twice
            target.run({"sqlalchemy_url": warehouse.url, "default_target_schema": "public"}, f"--input={file}")
        for stream in ("mailing_runs", "mailing_jobs", "mailing_outcomes"):
            records = [record for history in histories for record in history[stream]]
            (counted,) = warehouse.rows(f"SELECT count(*) AS rows FROM {stream}")
            assert counted == {"rows": len(records)}
        totals = """SELECT count(*) AS rows FROM mailing_runs r WHERE ended_at IS NOT NULL AND row_count <> (
            SELECT count(*) FROM mailing_outcomes o WHERE o.run_id = r.run_id)"""
        assert warehouse.rows(totals) == [{"rows": 0}]
        killed = warehouse.rows("SELECT * FROM mailing_runs WHERE ended_at IS NULL")
        assert [run["exit_code"] for run in killed] == [None]
        query = sql("select o.outcome").replace("4711", "2").replace(";", "")
        found = warehouse.rows(query)
        told = [(row["outcome"], row["effect"], row["status"]) for row in found if row["destination"][:7] == "mailjet"]
        assert told == [("delivered", "added_or_updated", "completed")] * 2
        assert all(
            row["job_id"] and row["submitted_at"] < row["ended_at"] for row in found if row["status"] == "completed"
        )
        assert len(found) == 3
        warehouse.run(sql("create view mailing_last_outcome"))
        last = warehouse.rows("SELECT * FROM mailing_last_outcome WHERE stream = 'people' AND key = '5'")
        assert [(row["outcome"], row["code"]) for row in last] == [("rejected", "bad_address")]
        (all_rows,) = warehouse.rows("SELECT sum(row_count) AS rows FROM mailing_daily_totals")
        assert all_rows == {"rows": sum(len(history["mailing_outcomes"]) for history in histories)}
