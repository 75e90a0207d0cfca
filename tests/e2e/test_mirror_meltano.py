"""`meltano run` of a mirror: a view that carries its own count, a guard that stops it, an allowance, and a plan."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailing_sandbox import Sandbox
from tests.e2e.crm import crm
from tests.e2e.meltano import Project

pytestmark = pytest.mark.slow

VIEW = "CREATE VIEW crm.readers AS SELECT id, email, name, city, visits, count(*) OVER () AS total FROM crm.people"
PEOPLE = 60


@pytest.fixture
def parts(tmp_path):
    """A sandbox, a table with a view, and a project that keeps a list equal to the view."""
    with Sandbox(job_seconds=0.1) as sandbox, crm(PEOPLE) as table:
        sandbox.mailjet.add_property("city", "str")
        sandbox.mailjet.add_property("visits", "int")
        table.run(VIEW)
        variables = {
            "SANDBOX_URL": sandbox.url,
            "SANDBOX_API_KEY": sandbox.api_key,
            "SANDBOX_SECRET_KEY": sandbox.secret_key,
            "WAREHOUSE_URL": table.url,
            "TAP_POSTGRES__SELECT": json.dumps(["crm-readers.*"]),
            "TAP_POSTGRES__METADATA": json.dumps({"crm-readers": {"replication-method": "FULL_TABLE"}}),
            "TARGET_MAILING_SYNC": "mirror",
            "TARGET_MAILING_WHOLE_COUNT": "total",
            "TARGET_MAILING_POLL_INTERVAL": "0.2",
        }
        project = Project(tmp_path / "my project", variables)
        try:
            yield sandbox, table, project
        finally:
            project.clear()


def ran(project: Project, **variables: str) -> tuple[int, str, dict[str, Any] | None]:
    """A run with more settings: its exit code, what it said, and its outcomes."""
    before = project.variables(variables)
    run = project.run()
    code = run.end()
    project.variables(before)
    return code, run.said, run.outcomes


def test_a_mirror_under_meltano_stops_at_its_guard_and_is_allowed_once(parts):
    sandbox, table, project = parts

    def members() -> int:
        (name,) = (row.id for row in sandbox.mailjet._account.store.lists.rows if row.name == "CRM people")
        assert sandbox.mailjet.members(name).keys() >= table.members().keys()
        return len(sandbox.mailjet.members(name))

    code, said, _ = ran(project)
    assert (code, members()) == (0, PEOPLE), said
    # The end of the run, for people and as a metric.
    assert "crm-readers to CRM people:" in said
    assert "http_request_count" in said
    table.run("DELETE FROM crm.people WHERE id <= 3")
    code, said, outcomes = ran(project)
    assert (code, members()) == (0, PEOPLE - 3), said
    assert outcomes is not None
    assert outcomes["absent_delivered"] == 3
    table.run("DELETE FROM crm.people WHERE id <= 33")
    code, said, _ = ran(project)
    assert (code, members()) == (1, PEOPLE - 3), said
    assert "`allow_removals_once: 30`" in said
    code, said, outcomes = ran(project, TARGET_MAILING_MODE="plan", TARGET_MAILING_ALLOW_REMOVALS_ONCE="30")
    assert (code, members()) == (0, PEOPLE - 3), said
    assert outcomes is not None
    assert outcomes["absent_delivered"] == 30
    code, said, _ = ran(project, TARGET_MAILING_ALLOW_REMOVALS_ONCE="30")
    assert (code, members()) == (0, PEOPLE - 33), said
    code, said, outcomes = ran(project)
    assert (code, members()) == (0, PEOPLE - 33), said
    assert outcomes is not None
    assert (outcomes["unchanged"], outcomes["batches"]) == (PEOPLE - 33, 0)
