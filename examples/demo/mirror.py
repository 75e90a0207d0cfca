"""A Mailjet list that equals a view of the warehouse, and the guard that stands before it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from project import Project, outcomes
from report import Report
from sandbox import Sandbox, calls_of
from warehouse import Warehouse

HERE = Path(__file__).parent
LIST = "Members"
PIPELINE = ("tap-postgres--members", "target-mailing--members")
ALLOWANCE = "TARGET_MAILING__MEMBERS_ALLOW_REMOVALS_ONCE"
MEMBERS = 160
OPTED_OUT_AT_MAILJET = range(481, 485)
"""Of those whom the view loses, which are the last ones by ID."""


class Mirror:
    """The third part of the story: fill a list, refuse to empty half of it, be allowed to do it once."""

    def __init__(self, sandbox: Sandbox, warehouse: Warehouse, project: Project, report: Report) -> None:
        self._sandbox = sandbox
        self._warehouse = warehouse
        self._project = project
        self._say = report.say
        self._check = report.check

    def __call__(self) -> dict[str, Any]:
        """Run the target three times; returns the outcomes of the runs that ended well."""
        self._warehouse.run((HERE / "members.sql").read_text(encoding="utf-8").format(members=MEMBERS))
        self._say(f"a view of {MEMBERS} people -> Mailjet list {LIST!r}, as a mirror: meltano run {' '.join(PIPELINE)}")
        filled = outcomes(self._project.run("mirror", *PIPELINE))
        self._check(self._members().keys() == self._view(), "read back: the list equals the view")

        stay = self._addresses(OPTED_OUT_AT_MAILJET)
        self._sandbox.unsubscribe(self._sandbox.lists()[LIST], sorted(stay))
        self._say(f"{len(stay)} of them opt out at Mailjet; the view loses half of its rows; the same command again")
        self._warehouse.run((HERE / "members.sql").read_text(encoding="utf-8").format(members=MEMBERS // 2))
        before = self._members()
        number = self._refused()
        self._check(self._members() == before, "read back: the list is as it was")

        self._say(f"it was no mistake, so the number is allowed for one run: {ALLOWANCE}={number} meltano run ...")
        emptied = outcomes(self._project.run("mirror-allowed", *PIPELINE, **{ALLOWANCE: str(number)}))
        members = self._members()
        self._check(members.keys() == self._view() | stay, "read back: the list equals the view and who opted out")
        self._check(
            {email for email, member in members.items() if member["status"] == "unsubscribed"} == stay,
            f"read back: the {len(stay)} are still known as unsubscribed",
        )
        return {"mirror": filled, "mirror-allowed": emptied}

    def _refused(self) -> int:
        """Run the pipeline, which takes nobody off; returns the number to allow."""
        self._sandbox.count_from_here()
        lines = self._project.run_that_fails("mirror-refused", *PIPELINE)
        said = [json.loads(line)["event"] for line in lines.read_text(encoding="utf-8").splitlines()]
        (number,) = {int(found[1]) for event in said if (found := re.search(r"allow_removals_once: (\d+)", event))}
        self._check(
            calls_of(self._sandbox.calls(), ("managemanycontacts",), method="POST") == 0,
            f"it fails and takes nobody off: {number} are more than `max_removals`",
        )
        return number

    def _members(self) -> dict[str, dict[str, Any]]:
        members = self._sandbox.members(self._sandbox.lists()[LIST])
        return {email.lower(): member for email, member in members.items()}

    def _view(self) -> set[str]:
        return {row["email"] for row in self._warehouse.rows("SELECT lower(email) AS email FROM crm.members")}

    def _addresses(self, people: range) -> set[str]:
        rows = self._warehouse.rows(
            f"SELECT lower(email) AS email FROM crm.people WHERE id BETWEEN {people[0]} AND {people[-1]}"
        )
        return {row["email"] for row in rows}
