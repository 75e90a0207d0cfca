"""An emulator of Example Mail for `Sandbox(others=[ExampleMail])`. It imports nothing of the provider's package.

Contacts are known by IDs of Example Mail's own. A line of a job without an ID makes a contact, unless the job says
`known=refuse` and one of that address is there; so an address may belong to several contacts.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from typing import Any, Literal

import msgspec

from mailing_sandbox.clock import Clock
from mailing_sandbox.counters import Counters
from mailing_sandbox.provider import Call, Reply
from mailing_sandbox.switches import changed

__all__ = ["ExampleMail"]

TOKEN = "wsp1.canary-token-of-examplemail"
ENDED = {"finished", "failed", "cancelled"}
PAGE_SIZE = 50


class Switches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What nobody outside knows of Example Mail."""

    examplemail_job_seconds: float = 0.05
    #: Whether the listing of jobs shows the label that a job was given.
    examplemail_shows_labels: bool = True
    #: Which lines the results of a job tell of.
    examplemail_results: Literal["all", "refused"] = "all"
    #: Looks at the listing of jobs that do not show a new one.
    examplemail_hidden_looks: int = 0
    #: The share of its lines that a job has done when it fails.
    examplemail_failed_share: float = 0.0
    examplemail_page_size: int = PAGE_SIZE


@dataclass
class Job:
    number: str
    audience: str
    operation: str
    label: str
    refuses_known: bool
    lines: list[dict[str, Any]]
    submitted: float
    plan: Mapping[str, Any]
    state: str = "waiting"
    finished: float | None = None
    refused: int = 0
    results: list[dict[str, Any]] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    addresses: list[str] = field(default_factory=list)
    looks: int = 0


class Refusal(Exception):
    def __init__(self, status: int, code: str, text: str = "") -> None:
        super().__init__(code)
        self.reply = Reply(status, msgspec.json.encode({"error": {"code": code, "text": text}}))


class ExampleMail:
    """One workspace under `/examplemail/v1`. Its methods may be called from any thread."""

    name = "examplemail"
    prefixes = ("examplemail",)

    def __init__(self, clock: Clock, counters: Counters) -> None:
        self.lock = RLock()
        self.switches = Switches()
        self.token = TOKEN
        self._clock = clock
        self._counters = counters
        #: Of contacts and jobs: no ID is ever given twice.
        self._numbers = itertools.count(1)
        self.reset()

    # As the sandbox needs it

    def change(self, **switches: Any) -> None:
        self.switches = changed(self.switches, switches)

    def template(self, call: Call) -> str:
        parts = ["*" if any(sign.isdigit() for sign in one) and one != "v1" else one for one in call.segments]
        return f"{call.method} /{'/'.join(parts)}"

    def error(self, status: int, message: str | None) -> Reply:
        return Refusal(status, "injected", message or "").reply

    def routes(self) -> Sequence[Any]:
        return ()

    def reset(self) -> None:
        with self.lock:
            self.audiences: dict[str, dict[str, Any]] = {}
            self.people: dict[str, dict[str, Any]] = {}
            self.all_jobs: dict[str, Job] = {}
            self.plans: list[Mapping[str, Any]] = []
            self.refused: set[str] = set()
            self._tokens: dict[str, tuple[str, int]] = {}
            self._audience_numbers = itertools.count(1)

    def seed(self, contacts: int, seed: int) -> None:
        audience = self.add_audience("Seeded")
        for number in range(contacts):
            self.add_contact(audience, f"seed{seed}.{number}@example.org", f"Seed {number}")

    def answer(self, call: Call) -> Reply:
        with self.lock:
            self._advance()
            token = call.headers.get("authorization")
            if token != f"Bearer {self.token}":
                return Refusal(401, "token_unknown", f"{token} is unknown").reply
            try:
                found = self._work(call, *call.segments[2:])
            except Refusal as refusal:
                return refusal.reply
            return Reply(202 if call.method == "POST" else 200, msgspec.json.encode(found))

    # The API

    def _work(self, call: Call, kind: str = "", name: str = "", rest: str = "") -> Any:
        found: Any = None
        match (call.method, kind, name, rest):
            case ("GET", "audiences", "", ""):
                found = self._page(call, [self._counted(one) for one in self.audiences.values()])
            case ("POST", "audiences", "", ""):
                found = {"audience": self.add_audience(msgspec.json.decode(call.body)["title"])}
            case ("GET", "contacts", "", ""):
                found = self._page(call, self._listed(call))
            case ("GET", "contacts", _, ""):
                found = self.people.get(name)
            case ("POST", "audiences", _, "jobs") if name in self.audiences:
                found = {"job": self._submit(call, name)}
            case ("GET", "jobs", "", ""):
                found = self._page(call, self._listed_jobs(call))
            case ("GET", "jobs", _, "") if name in self.all_jobs:
                found = self._shown(self.all_jobs[name])
            case ("GET", "results", _, "") if name in self.all_jobs:
                found = self._page(call, [one for one in self.all_jobs[name].results if self._is_told(one)])
        if found is None:
            raise Refusal(404, "not_found")
        return found

    def _counted(self, audience: dict[str, Any]) -> dict[str, Any]:
        return audience | {"contacts": sum(one["audience"] == audience["id"] for one in self.people.values())}

    def _page(self, call: Call, rows: Sequence[Any]) -> dict[str, Any]:
        asked = f"{call.path}?{sorted(one for one in call.query.items() if one[0] != 'cursor')}"
        at = 0
        if token := call.query.get("cursor"):
            before, at = self._tokens.pop(token, ("", 0))
            if before != asked:
                raise Refusal(410, "cursor_expired")
        end = at + self.switches.examplemail_page_size
        following = None
        if end < len(rows):
            following = secrets.token_urlsafe(9)
            self._tokens[following] = asked, end
        self._counters.served(call.segments[2], len(rows[at:end]))
        return {"items": rows[at:end], "next": following}

    def _listed(self, call: Call) -> list[dict[str, Any]]:
        found = [
            one
            for one in self.people.values()
            if call.query.get("audience", one["audience"]) == one["audience"]
            and call.query.get("email", one["email"]).lower() == one["email"].lower()
            and one["changed"] >= call.query.get("changed_after", "")
        ]
        return sorted(found, key=lambda one: one["id"], reverse=True)

    def _listed_jobs(self, call: Call) -> list[dict[str, Any]]:
        found = []
        for job in reversed(self.all_jobs.values()):
            job.looks += 1
            if job.looks > self.switches.examplemail_hidden_looks and moment(job.submitted) >= call.query.get(
                "submitted_after", ""
            ):
                found.append(self._shown(job))
        return [one for one in found if call.query.get("audience", one["audience"]) == one["audience"]]

    def _shown(self, job: Job) -> dict[str, Any]:
        return {
            "id": job.number,
            "audience": job.audience,
            "operation": job.operation,
            "state": job.state,
            "lines": len(job.lines),
            "refused": job.refused,
            "submitted": moment(job.submitted),
            "finished": None if job.finished is None else moment(job.finished),
        } | ({"label": job.label} if self.switches.examplemail_shows_labels else {})

    def _is_told(self, result: Mapping[str, Any]) -> bool:
        return self.switches.examplemail_results == "all" or "code" in result

    def _submit(self, call: Call, audience: str) -> str:
        lines = [msgspec.json.decode(line) for line in call.body.splitlines()]
        if call.query.get("operation") not in {"write", "resubscribe", "opt_out", "delete"} or not lines:
            raise Refusal(400, "job_invalid")
        job = Job(
            f"job{next(self._numbers):06}", audience, call.query["operation"], call.query.get("label", ""),
            call.query.get("known") == "refuse", lines, self._clock.now(),
            self.plans.pop(0) if self.plans else {},
        )  # fmt: skip
        job.addresses = [self._address(line) for line in lines]
        self.all_jobs[job.number] = job
        self._counters.received(call.query["operation"], len(lines))
        return job.number

    # Jobs

    def _advance(self) -> None:
        now = self._clock.now()
        for job in self.all_jobs.values():
            is_due = now >= job.submitted + self.switches.examplemail_job_seconds
            if job.state == "waiting" and is_due and not job.plan.get("stall"):
                self._do(job)

    def _do(self, job: Job) -> None:
        job.state = job.plan.get("state", "finished")
        job.finished = self._clock.now()
        done = len(job.lines)
        if job.state != "finished":
            done = int(done * self.switches.examplemail_failed_share)
        for number, line in enumerate(job.lines, 1):
            if number in job.plan.get("unnamed", ()):
                code = "internal"
            elif number in job.plan.get("bad", ()):
                code = "line_unreadable"
            elif number > done:
                continue
            else:
                code = self._take(job, number, line)
            if code:
                job.refused += 1
                job.bad.add(self._address(line))
            if code and code != "internal":
                about = f"{self._address(line)} is refused: {code}"
                job.results.append({"line": number, "code": code, "text": about})

    def _address(self, line: Mapping[str, Any]) -> str:
        known = self.people.get(line.get("id", ""), {})
        return str(line.get("email") or known.get("email")).lower()

    def _take(self, job: Job, number: int, line: dict[str, Any]) -> str:
        """Do a line; returns the code of a refusal."""
        if self._address(line) in self.refused:
            return "address_refused"
        if "id" in line:
            one = self.people.get(line["id"])
            if one is None:
                return "contact_unknown"
            is_new = False
        else:
            same = [one for one in self.people.values() if one["email"].lower() == line["email"].lower()]
            if job.operation == "delete":
                return "contact_unknown"
            if same and job.refuses_known:
                return "contact_known"
            one, is_new = self.people[self.add_contact(job.audience, line["email"])], True
        if job.operation == "delete":
            if one["standing"] == "opted_out":
                return "opted_out"
            del self.people[one["id"]]
        else:
            self._write(job.operation, one, line)
        kept = job.operation == "write" and one["standing"] == "opted_out"
        job.results.append({"line": number, "contact": one["id"], "made": is_new, "opt_out_kept": kept})
        return ""

    def _write(self, operation: str, one: dict[str, Any], line: Mapping[str, Any]) -> None:
        one |= {name: line[name] for name in ("email", "full_name") if name in line}
        one["fields"] = {**one["fields"], **line.get("fields", {})}
        one["changed"] = moment(self._clock.now())
        if operation != "write":
            one["standing"] = "opted_out" if operation == "opt_out" else "active"

    # For tests

    def add_audience(self, title: str) -> str:
        with self.lock:
            number, now = f"aud{next(self._audience_numbers):06}", moment(self._clock.now())
            self.audiences[number] = {"id": number, "title": title, "created": now, "changed": now}
            return number

    def add_contact(self, audience: str, email: str, name: str = "", **more: Any) -> str:
        with self.lock:
            number = more.get("id") or f"ctc{next(self._numbers):06}"
            now = moment(self._clock.now())
            self.people[number] = {
                "id": number, "audience": audience, "email": email, "full_name": name, "fields": {},
                "standing": "active", "created": now, "changed": now,
            } | more  # fmt: skip
            return number

    def contacts(self) -> list[dict[str, Any]]:
        with self.lock:
            self._advance()
            return [dict(one) for one in self.people.values()]

    def change_contact(self, number: str, **fields: Any) -> None:
        """Somebody changes their contact."""
        with self.lock:
            self.people[number] |= fields | {"changed": moment(self._clock.now())}

    def opt_out(self, email: str) -> None:
        with self.lock:
            for one in self.contacts():
                if one["email"].lower() == email.lower():
                    self.change_contact(one["id"], standing="opted_out")

    def jobs(self) -> list[Job]:
        with self.lock:
            self._advance()
            return list(self.all_jobs.values())

    def plan_jobs(self, plans: Iterable[Mapping[str, Any]]) -> None:
        with self.lock:
            self.plans.extend(plans)

    def finish_jobs(self) -> None:
        with self.lock:
            for job in self.all_jobs.values():
                job.plan = {}


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
