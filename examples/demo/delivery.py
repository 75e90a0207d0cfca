"""From the warehouse to a Mailjet list, three times, and from MPDX straight to another one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from project import Project, outcomes
from report import FIRST_REPORT, Report
from sandbox import Sandbox, calls_of
from warehouse import Warehouse

HERE = Path(__file__).parent
LIST = "CRM people"
PLANNED = "TARGET_MAILING_MODE=plan"
SUPPORTERS = "Supporters"
FAULTS = {"bad_address": 1, "wrong_type": 1, "unknown_property": 1}
OPTED_OUT_IN_THE_CRM = range(201, 221)
OPTED_OUT_AT_MAILJET = range(301, 316)
MOVED_TO_LISBON = range(301, 341)


class Deliveries:
    """The second part of the story: deliver, deliver changes, deliver everything again, deliver from MPDX."""

    def __init__(
        self, sandbox: Sandbox, warehouse: Warehouse, project: Project, report: Report, *, people: int, output: Path
    ) -> None:
        self._sandbox = sandbox
        self._warehouse = warehouse
        self._project = project
        self._say = report.say
        self._check = report.check
        self._people = people
        self._output = output
        self._outcomes: dict[str, Any] = {}
        self._planned: dict[str, Any] = {}

    def __call__(self) -> dict[str, Any]:
        """Plan, then run the target four times; returns the outcomes of each run."""
        self._make_people()
        self._plan()
        self._deliver_everything()
        self._deliver_changes()
        self._deliver_everything_again()
        self._deliver_from_mpdx()
        return {"deliveries": self._outcomes}

    def _make_people(self) -> None:
        self._say(f"a CRM table of {self._people + 1:,} people in PostgreSQL, with some faulty rows")
        self._warehouse.run((HERE / "people.sql").read_text(encoding="utf-8").format(people=self._people))

    def _plan(self) -> None:
        self._say(
            f"before the first delivery to Mailjet, a plan of it: {PLANNED} meltano run tap-postgres target-mailing"
        )
        self._sandbox.count_from_here()
        name, value = PLANNED.split("=")
        self._project.run("plan", "tap-postgres", "target-mailing", **{name: value})
        calls = self._sandbox.calls()
        self._check(
            all(route.startswith("GET ") for route in calls) and LIST not in self._sandbox.lists(),
            f"{calls.total()} calls, all of them reading; there is still no list {LIST!r}",
        )
        self._check(
            not any(any((self._output / name).iterdir()) for name in ("journal", "rejects")),
            "there is neither a journal nor a rejects file",
        )
        self._planned = json.loads((self._output / "plan.json").read_text(encoding="utf-8"))
        (contacts,) = (place["contacts"] for place in self._planned["destinations"].values())
        self._check(
            contacts.get("removed", 0) == 0,
            f"it would take nobody off, unsubscribe {contacts['unsubscribed']:,} and add or update "
            f"{contacts['added_or_updated']:,}",
        )

    def _deliver_everything(self) -> None:
        self._say(f"PostgreSQL -> Mailjet list {LIST!r}: meltano run tap-postgres target-mailing")
        found = self._deliver("deliver")
        self._check(
            self._planned["effects"] == found["effects"] and self._planned["rejected"] == found["reasons"],
            "every number is that of the plan",
        )
        report = (self._output / FIRST_REPORT).read_text(encoding="utf-8")
        self._check(
            f"<title>Delivery to {LIST}: completed</title>" in report, f"there is a page about it: {FIRST_REPORT}"
        )
        self._check(
            found["reasons"] == FAULTS and found["superseded"] == 1,
            "a bad address, a wrong type and an unknown property are rejected; the duplicate is superseded",
        )
        self._check(found["delivered"] == self._people - 3, "all other rows are delivered")
        members = self._members()
        self._check(len(members) == self._people - 3, f"read back: {len(members):,} members, as many as delivered")
        self._check(
            unsubscribed(members) == self._addresses(OPTED_OUT_IN_THE_CRM),
            f"read back: the {len(OPTED_OUT_IN_THE_CRM)} who opted out in the CRM are unsubscribed, and no others",
        )
        twice = self._warehouse.value(f"SELECT lower(email) FROM crm.people WHERE id = {self._people}")
        self._check(cities(members, {twice}) == {"Porto"}, "read back: the duplicate has the later city")

    def _deliver_changes(self) -> None:
        leaving = self._addresses(OPTED_OUT_AT_MAILJET)
        self._say(
            f"{len(leaving)} people unsubscribe at Mailjet; in the CRM, they and others move to Lisbon; "
            "the same command again"
        )
        self._sandbox.unsubscribe(self._sandbox.lists()[LIST], sorted(leaving))
        moved = f"id BETWEEN {MOVED_TO_LISBON[0]} AND {MOVED_TO_LISBON[-1]}"
        self._warehouse.run(
            f"UPDATE crm.people SET city = 'Lisbon', updated_at = timestamp '2026-06-01' + id * interval '1 s' "
            f"WHERE {moved}"
        )
        found = self._deliver("deliver-changes")
        self._check(found["delivered"] == len(MOVED_TO_LISBON), f"only the {len(MOVED_TO_LISBON)} who moved are sent")
        members = self._members()
        self._check(
            cities(members, self._addresses(MOVED_TO_LISBON)) == {"Lisbon"},
            "read back: they live in Lisbon at Mailjet too",
        )
        self._check(
            unsubscribed(members) == leaving | self._addresses(OPTED_OUT_IN_THE_CRM),
            f"read back: the {len(leaving)} who opted out at Mailjet stay unsubscribed",
        )

    def _deliver_everything_again(self) -> None:
        self._say("everything again: meltano run --full-refresh tap-postgres target-mailing")
        before = self._members()
        found = self._deliver("deliver-everything-again", "--full-refresh")
        self._check(found["unchanged"] == self._people - 3 and found["delivered"] == 0, "all valid rows are unchanged")
        self._check(
            found["reasons"] == FAULTS and found["superseded"] == 1,
            "the faulty rows are rejected again, and the duplicate is superseded again",
        )
        self._check(found["bulk_calls"] == 0, "no bulk call was made")
        self._check(self._members() == before, "read back: the list is as it was")

    def _deliver_from_mpdx(self) -> None:
        pipeline = ("tap-mailing--mpdx-people", "target-mailing--supporters")
        self._say(f"MPDX -> Mailjet list {SUPPORTERS!r}, without a mapping: meltano run {' '.join(pipeline)}")
        found = self._deliver("deliver-from-mpdx", pipeline=pipeline)
        members = self._members(SUPPORTERS)
        self._check(found["rejected"] == 0, "nobody is rejected; people without an address are skipped")
        people = self._warehouse.rows(
            "SELECT lower(email) AS email, subscription_status FROM mailing.mpdx_people WHERE email IS NOT NULL"
        )
        opted_out = {row["email"] for row in people if row["subscription_status"] == "unsubscribed"}
        expected = {row["email"] for row in people if row["subscription_status"] != "excluded"}
        self._check(
            members.keys() == expected,
            f"read back: {len(members):,} members: all people except those that MPDX excludes",
        )
        self._check(
            unsubscribed(members) == opted_out,
            f"read back: the {len(opted_out)} who opted out at MPDX are unsubscribed, and no others",
        )

    def _deliver(
        self, name: str, *options: str, pipeline: tuple[str, str] = ("tap-postgres", "target-mailing")
    ) -> dict[str, Any]:
        self._sandbox.count_from_here()
        found = outcomes(self._project.run(name, *options, *pipeline))
        found["bulk_calls"] = calls_of(self._sandbox.calls(), ("managemanycontacts",), method="POST")
        self._outcomes[name] = found
        settled = sum(
            found[each] for each in ("delivered", "unchanged", "withheld", "superseded", "skipped", "rejected")
        )
        self._check(settled == found["rows"], f"{found['rows']:,} rows, each with one outcome")
        return found

    def _members(self, name: str = LIST) -> dict[str, dict[str, Any]]:
        members = self._sandbox.members(self._sandbox.lists()[name])
        return {email.lower(): member for email, member in members.items()}

    def _addresses(self, people: range) -> set[str]:
        rows = self._warehouse.rows(
            f"SELECT lower(email) AS email FROM crm.people WHERE id BETWEEN {people[0]} AND {people[-1]}"
        )
        return {row["email"] for row in rows}


def unsubscribed(members: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the addresses of the unsubscribed members."""
    return {email for email, member in members.items() if member["status"] == "unsubscribed"}


def cities(members: Mapping[str, Mapping[str, Any]], addresses: set[str]) -> set[str | None]:
    """Return the cities of these people at Mailjet; None for a person who is no member or has no city."""
    return {members.get(address, {}).get("properties", {}).get("city") for address in addresses}
