"""Mailjet as a provider of the sandbox: its door, and its data for tests in the same process."""

from __future__ import annotations

import base64
from threading import RLock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from mailing_sandbox.mailjet.account import Account
from mailing_sandbox.mailjet.control import Routes
from mailing_sandbox.mailjet.jobs import End, Job, Plan
from mailing_sandbox.mailjet.records import Signup
from mailing_sandbox.mailjet.refusal import Dropped, Refusal
from mailing_sandbox.mailjet.routes import Router
from mailing_sandbox.mailjet.seed import fill
from mailing_sandbox.provider import Reply
from mailing_sandbox.switches import changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.routing import BaseRoute

    from mailing_sandbox.clock import Clock
    from mailing_sandbox.counters import Counters
    from mailing_sandbox.mailjet.records import MailingList
    from mailing_sandbox.mailjet.switches import Switches
    from mailing_sandbox.provider import Call

REALM = 'Basic realm="Provide an apiKey and secretKey"'
NOT_FOUND_PAGE = b"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>"
JOB_FIELDS = {
    "Status": "status",
    "Count": "total",
    "Current": "current",
    "Errcount": "error_count",
    "ErrTreshold": "threshold",
    "Method": "method",
    "JobType": "job_type",
    "RefId": "ref_id",
    "DataID": "data_id",
    "RequestAt": "requested",
    "JobStart": "started",
    "AliveAt": "alive",
    "JobEnd": "ended",
    "Error": "error",
}
"""Fields of a past job that a test may set, and where they are kept."""


class Mailjet:
    """One emulated account under ``/v3`` and ``/v4``. Its methods may be called from any thread."""

    name = "mailjet"
    prefixes: tuple[str, ...] = ("v3", "v4")

    def __init__(self, clock: Clock, counters: Counters, api_key: str, secret_key: str) -> None:
        self.lock = RLock()
        self._account = Account(clock, counters)
        self._credentials = f"{api_key}:{secret_key}".encode()
        self._router = Router()
        self._answered: dict[tuple[str, str, str], Reply] = {}

    # the provider's door

    @property
    def switches(self) -> Switches:
        """The present switches."""
        return self._account.switches

    @switches.setter
    def switches(self, value: Switches) -> None:
        with self.lock:
            refold = value.email_case != self._account.switches.email_case
            self._account.store.switches = value
            self._account.store.version += 1
            if refold:
                self._account.store.refold()

    def change(self, **switches: Any) -> None:
        """Set some switches; ValueError names one that does not fit."""
        self.switches = changed(self.switches, switches)

    def template(self, call: Call) -> str:
        """Return the route of a call, to count it under."""
        match = self._router.match(call.segments)
        return f"{call.method} {match.template if match else '(unknown)'}"

    def error(self, status: int, message: str | None) -> Reply:
        """Return an error as the gateway or a failing server words it."""
        known = {
            429: "Too Many Requests",
            500: "An Unexpected Error occurred during API request",
            404: "Object not found",
        }
        text = message or known.get(status, f"Error {status}")
        body = {"ErrorIdentifier": str(uuid4()), "ErrorInfo": "", "ErrorMessage": text, "StatusCode": status}
        return Reply(status, msgspec.json.encode(body))

    def answer(self, call: Call) -> Reply:
        """Do the work of a call and answer it."""
        if not self._authorised(call.headers.get("authorization", "")):
            return self._unauthorised()
        with self.lock:
            self._account.tick()
            try:
                reply = self._once(call)
            except Refusal as refusal:
                return refusal.reply()
            except Dropped:
                return Reply(0, dropped=True)
            self._account.jobs.tick()
            return reply

    def _authorised(self, header: str) -> bool:
        scheme, _, encoded = header.partition(" ")
        try:
            return scheme.lower() == "basic" and base64.b64decode(encoded) == self._credentials
        except ValueError:
            return False

    def _unauthorised(self) -> Reply:
        if self.switches.gateway_json_401:
            message = (
                "API key authentication/authorization failure. You may be unauthorized to access the API or your "
                "API key may be expired."
            )
            body = {"ErrorIdentifier": str(uuid4()), "StatusCode": 401, "ErrorMessage": message}
            return Reply(401, msgspec.json.encode(body))
        return Reply(401, b"", "text/html", {"WWW-Authenticate": REALM})

    def _once(self, call: Call) -> Reply:
        """Work a call, or repeat the answer to its idempotency key where the switch says so."""
        key = call.headers.get("idempotency-key", "")
        if not key or call.method != "POST" or not self.switches.idempotency_key:
            return self._work(call)
        known = (call.method, call.path.lower(), key)
        if known not in self._answered:
            self._answered[known] = self._work(call)
        return self._answered[known]

    def _work(self, call: Call) -> Reply:
        match = self._router.match(call.segments)
        if match is None:
            if [segment.lower() for segment in call.segments[:2]] == ["v3", "rest"]:
                message = f'Could not determine HTTP module for request "{call.path}"'
                raise Refusal(500, message, "EFPWebError")
            return Reply(404, NOT_FOUND_PAGE, "text/html")
        work = match.works.get(call.method)
        if work is None:
            raise Refusal(405, "Method not allowed")
        return work(self._account, call, match.params)

    # for tests

    def routes(self) -> Sequence[BaseRoute]:
        """Return the control routes."""
        return Routes(self).all()

    def reset(self) -> None:
        """Forget all data. Job and data IDs are not used again; all others start again."""
        with self.lock:
            self._account.store.clear()
            self._account.jobs.clear()
            self._account.received.clear()
            self._account.seeded.clear()
            self._answered.clear()

    def seed(self, contacts: int, seed: int = 1) -> None:
        """Fill with invented data; the same numbers give the same data."""
        with self.lock:
            fill(self._account, contacts, seed)

    def add_list(self, name: str) -> int:
        """Create a list and return its ID."""
        with self.lock:
            return self._account.store.add_list(name).id

    def add_property(self, name: str, datatype: str = "str") -> int:
        """Define a property and return its ID."""
        with self.lock:
            return self._account.store.add_property(name, datatype).id

    def historic(self, name: str, datatype: str = "str") -> int:
        """Define a property in the namespace `historic`, perhaps beside a static one of that name; return its ID."""
        with self.lock:
            return self._account.store.add_property(name, datatype, "historic").id

    def retype(self, name: str, datatype: str) -> None:
        """Give a static property another type; what contacts hold stays. ValueError when there is none of that name."""
        with self.lock:
            store = self._account.store
            for definition in store.properties.rows:
                if (definition.name, definition.namespace) == (store.property_key(name), "static"):
                    store.version += 1
                    definition.datatype = datatype
                    return
            raise ValueError(f"there is no property {name!r}")

    def add_contacts(self, contacts: Iterable[Mapping[str, Any]]) -> list[int]:
        """Create or change contacts.

        Each has `email`, `name`, `list` (ID), `unsubscribed`, `excluded`, `spam_complaint`, `properties`.

        Returns their IDs. ValueError when a list or property does not exist.
        """
        with self.lock:
            return [self._add_contact(contact) for contact in contacts]

    def _add_contact(self, given: Mapping[str, Any]) -> int:
        store = self._account.store
        email = str(given["email"])
        contact = store.by_email.get(store.fold(email)) or store.add_contact(email)
        store.version += 1
        contact.name = str(given.get("name", contact.name))
        if "excluded" in given:
            store.set_excluded(contact, bool(given["excluded"]), store.now())
        contact.spam_complaining = bool(given.get("spam_complaint", contact.spam_complaining))
        rows = sorted(store.properties.rows, key=lambda each: each.namespace == "static")
        known = {each.name: each for each in rows}
        values = {}
        for name, value in dict(given.get("properties") or {}).items():
            definition = known.get(store.property_key(name))
            if definition is None:
                raise ValueError(f"there is no property {name!r}")
            values[definition.column] = None if value is None else store.cast(definition, value)
        store.set_values(contact, values)
        if given.get("list") is not None:
            mailing_list = self._list(given["list"])
            store.act(mailing_list, contact, "addnoforce", store.now())
            if "unsubscribed" in given:
                membership = mailing_list.members[contact.id]
                store.set_unsubscribed(membership, unsubscribed=bool(given["unsubscribed"]), at=store.now())
        return contact.id

    def refuse(self, emails: Iterable[str]) -> None:
        """Refuse these addresses from now on, as a contact and in every job, whatever is wrong with them."""
        with self.lock:
            self._account.store.refused.update(self._account.store.fold(email) for email in emails)

    def add_signups(self, signups: Iterable[Mapping[str, Any]]) -> list[int]:
        """Let people sign up now by a form: `list` (ID), `email`, `confirmed` (false unless given).

        A contact is made where there is none; memberships stay as they are. Returns the sign-ups' IDs. ValueError
        when a list does not exist.
        """
        with self.lock:
            return [self._add_signup(signup) for signup in signups]

    def _add_signup(self, given: Mapping[str, Any]) -> int:
        store = self._account.store
        mailing_list = self._list(given["list"])
        email = str(given["email"])
        contact = store.by_email.get(store.fold(email)) or store.add_contact(email)
        confirmed = bool(given.get("confirmed", False))
        store.version += 1
        number = store.next_id("signup")
        store.signups.append(
            Signup(
                id=number,
                contact_id=contact.id,
                list_id=mailing_list.id,
                email=contact.email,
                signed_up=store.now(),
                confirmed=store.now() if confirmed else 0,
                ip="192.0.2.1",
                confirm_ip="198.51.100.1" if confirmed else "",
                key=f"{number:016x}",
                source="widget",
                source_id=4000,
            )
        )
        return number

    def _list(self, key: int | str) -> MailingList:
        store = self._account.store
        mailing_list = store.find_list(str(key)) or store.live_list_named(str(key))
        if mailing_list is None:
            raise ValueError(f"there is no list {key}")
        return mailing_list

    def members(self, list_id: int | str) -> dict[str, dict[str, Any]]:
        """Return a list's members by address: `status` (subscribed, unsubscribed), `name`, `properties`, `excluded`."""
        with self.lock:
            self._account.tick()
            store = self._account.store
            return {
                row.contact.email: {
                    "status": "unsubscribed" if row.is_unsubscribed else "subscribed",
                    "name": row.contact.name,
                    "properties": {each.name: text for each, text in store.values_of(row.contact)},
                    "excluded": row.contact.excluded,
                }
                for row in self._list(list_id).rows.rows
            }

    def contacts(self) -> dict[str, dict[str, Any]]:
        """Return all contacts by address: `id`, `name`, `properties`, `excluded`."""
        with self.lock:
            self._account.tick()
            store = self._account.store
            return {
                row.email: {
                    "id": row.id,
                    "name": row.name,
                    "properties": {each.name: text for each, text in store.values_of(row)},
                    "excluded": row.excluded,
                }
                for row in store.contacts.rows
            }

    def received(self) -> list[dict[str, Any]]:
        """Return the bulk rows received: `job`, `list`, `action`, `contact` as sent. The latest 200,000 at most."""
        with self.lock:
            return self._account.received.rows()

    def plan_jobs(self, plans: Iterable[Plan | Mapping[str, Any]]) -> None:
        """Say how the next jobs will go, in order. ValueError names what does not fit."""
        try:
            planned = [plan if isinstance(plan, Plan) else msgspec.convert(dict(plan), Plan) for plan in plans]
        except msgspec.ValidationError as error:
            raise ValueError(f"plan refused: {error}") from error
        with self.lock:
            self._account.jobs.plans.extend(planned)

    def forget_plans(self) -> None:
        """The next jobs go as they do without a plan."""
        with self.lock:
            self._account.jobs.plans.clear()

    def jobs(self) -> list[dict[str, Any]]:
        """Return every job, without counting a poll."""
        with self.lock:
            self._account.tick()
            return [job.as_dict() for job in self._account.jobs.table.rows]

    def _job(self, number: int) -> Job:
        job = self._account.jobs.table.get(number)
        if job is None:
            raise ValueError(f"there is no job {number}")
        return job

    def finish_job(self, number: int, end: End | None = None) -> None:
        """Bring a job to its end now, also a held or stalled one. ValueError when there is none."""
        with self.lock:
            self._account.tick()
            self._account.jobs.finish(self._job(number), end)
            self._account.tick()

    def set_job(self, number: int, fields: Mapping[str, Any]) -> None:
        """Set batchjob fields of a job, spelled as Mailjet does; ValueError names one that cannot be set."""
        with self.lock:
            job = self._job(number)
            for name in fields:
                if name not in JOB_FIELDS:
                    raise ValueError(f"job field {name!r} cannot be set; fields that can: {', '.join(JOB_FIELDS)}")
            for name, value in fields.items():
                setattr(job, JOB_FIELDS[name], value)
            self._account.store.version += 1
