"""`meltano run` of a reconciliation: it reads the whole table, finds what differs, and keeps STATE and list."""

from __future__ import annotations

import json

import pytest

from tests.e2e.test_plan_meltano import PEOPLE, ended, parts  # noqa: F401 - a fixture

pytestmark = pytest.mark.exhaustive


def test_a_reconciliation_under_meltano_finds_what_differs_and_keeps_the_state(parts):  # noqa: F811
    sandbox, table, project = parts
    assert ended(project.run())["delivered"] == PEOPLE
    (of_list,) = (row.id for row in sandbox.mailjet._account.store.lists.rows if row.name == "CRM people")
    sandbox.mailjet.add_contacts(
        [
            {"email": "guest@example.org", "list": of_list},
            {"email": "person3@example.com", "list": of_list, "unsubscribed": True},
        ]
    )
    table.run("UPDATE crm.people SET city = 'Oslo' WHERE id = 2")  # which an incremental run does not see
    table.run("DELETE FROM crm.people WHERE id = 1")
    table.run("INSERT INTO crm.people VALUES (99, 'new@example.com', 'New', 'Graz', 1, '2026-02-01')")
    path = project.folder / "found.jsonl"
    project.variables({"TARGET_MAILING_RECONCILE_PATH": str(path)})
    before = project.bookmark(), len(sandbox.mailjet.received()), sandbox.mailjet.members(of_list)
    journal = project.journal.read_bytes()
    expected = {
        "new@example.com": "missing",
        "person2@example.com": "different",
        "person3@example.com": "opted_out",
        "person1@example.com": "extra",
        "guest@example.org": "extra",
    }

    def compared(*arguments: str) -> int:
        run = project.start("run", *arguments)
        code = run.end()
        found = {one["email"]: one["found"] for one in map(json.loads, path.read_text().splitlines())}
        assert found == expected, run.said
        return code

    assert compared("tap-postgres", "target-mailing--reconcile") == 1
    project.variables({"TARGET_MAILING_MODE": "reconcile", "TARGET_MAILING_RECONCILE_TOLERANCE": "4"})
    assert compared("--full-refresh", "tap-postgres", "target-mailing") == 0
    assert (project.bookmark(), len(sandbox.mailjet.received()), sandbox.mailjet.members(of_list)) == before
    assert project.journal.read_bytes() == journal
