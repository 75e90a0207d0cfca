"""`meltano run` of a plan: whose STATE each way reads, that it is kept, and that nothing is written."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mailing_sandbox import Sandbox
from tests.e2e.crm import crm
from tests.e2e.meltano import STATE_ID, Project, Run

pytestmark = pytest.mark.exhaustive

PEOPLE = 60
PLANNED = ("tap-postgres", "target-mailing--plan")


@pytest.fixture
def parts(tmp_path):
    """A sandbox, a table that is read incrementally, and a project that delivers it."""
    with Sandbox(job_seconds=0.1) as sandbox, crm(PEOPLE) as table:
        sandbox.mailjet.add_property("city", "str")
        sandbox.mailjet.add_property("visits", "int")
        incremental = {"replication-method": "INCREMENTAL", "replication-key": "updated_at"}
        variables = {
            "SANDBOX_URL": sandbox.url,
            "SANDBOX_API_KEY": sandbox.api_key,
            "SANDBOX_SECRET_KEY": sandbox.secret_key,
            "WAREHOUSE_URL": table.url,
            "TAP_POSTGRES__SELECT": json.dumps(["crm-people.*"]),
            "TAP_POSTGRES__METADATA": json.dumps({"crm-people": incremental}),
            "TARGET_MAILING_POLL_INTERVAL": "0.2",
        }
        project = Project(tmp_path / "my project", variables)
        try:
            yield sandbox, table, project
        finally:
            project.clear()


def ended(run: Run) -> dict[str, Any]:
    """The outcomes of a run that succeeds."""
    assert run.end() == 0, run.said
    assert run.outcomes is not None
    return run.outcomes


def test_which_plan_reads_the_state_of_the_delivery_and_that_it_is_kept(parts):
    sandbox, table, project = parts
    assert ended(project.run())["delivered"] == PEOPLE
    table.run("UPDATE crm.people SET visits = 50, updated_at = '2026-02-01' WHERE id <= 2")
    table.run("INSERT INTO crm.people VALUES (99, 'new@example.com', 'New', 'Graz', 1, '2026-02-01')")
    before, received = project.bookmark(), len(sandbox.mailjet.received())
    assert before is not None

    project.variables({"TARGET_MAILING_MODE": "plan"})
    one = ended(project.run())
    assert (one["delivered"], one["rows"] < PEOPLE) == (3, True)
    project.variables({"TARGET_MAILING_MODE": None})

    other = ended(project.start("run", *PLANNED))
    assert (other["delivered"], other["unchanged"], other["rows"]) == (3, PEOPLE - 2, PEOPLE + 1)

    named = ended(project.start("el", f"--state-id={STATE_ID}", *PLANNED))
    assert named == one

    copy = project.start("state", "copy", "--force", STATE_ID, f"demo:{'-to-'.join(PLANNED)}")
    assert copy.end() == 0, copy.said
    assert ended(project.start("run", *PLANNED)) == one

    assert (project.bookmark(), len(sandbox.mailjet.received())) == (before, received)
    assert ended(project.run()) == one | {"batches": 1}

    listed = project.start("invoke", "target-mailing", "--history")
    assert listed.end() == 0, listed.said
    assert re.findall(r"^\d{8}T\S+ .* (\d+)$", listed.said, re.MULTILINE) == ["0", "0"]  # a plan is no run
    last = project.start("invoke", "target-mailing", "--history", "last")
    assert last.end() == 0, last.said
    assert re.search(r"added or updated +3\n", last.said)
