"""Amazon SES as a provider of the sandbox: its door, and its data for tests in the same process."""

from __future__ import annotations

import re
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from mailing_sandbox.provider import Reply
from mailing_sandbox.ses import exports, jobs
from mailing_sandbox.ses.account import Account, Profile
from mailing_sandbox.ses.control import Routes
from mailing_sandbox.ses.credentials import Key
from mailing_sandbox.ses.imports import suppress
from mailing_sandbox.ses.jobs import End, ImportJob, Plan
from mailing_sandbox.ses.pace import Throttle
from mailing_sandbox.ses.records import Contact, ContactList, Status, Table, Topic, folded, is_address
from mailing_sandbox.ses.refusal import CODES, Refusal
from mailing_sandbox.ses.routes import match
from mailing_sandbox.ses.seed import fill
from mailing_sandbox.switches import changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.routing import BaseRoute

    from mailing_sandbox.clock import Clock
    from mailing_sandbox.counters import Counters
    from mailing_sandbox.provider import Call
    from mailing_sandbox.ses.door import Door
    from mailing_sandbox.ses.storage import Storage
    from mailing_sandbox.ses.switches import Switches

REGION = "us-east-1"
"""The region that tests mean when they name none."""

NAMED = re.compile(r"(?P<code>[A-Z]\w+Exception): *(?P<text>.*)", re.DOTALL)


class Ses:
    """One emulated account under ``/v2/email``, in every region. Its methods may be called from any thread."""

    name = "ses"
    prefixes: tuple[str, ...] = ("v2",)

    def __init__(self, clock: Clock, counters: Counters, storage: Storage) -> None:
        self.lock = RLock()
        self._account = Account(clock, counters, storage)
        self._throttle = Throttle(clock)
        self._unfilled: list[tuple[int, int]] = []

    @cached_property
    def _door(self) -> Door:
        from mailing_sandbox.ses.door import Door  # noqa: PLC0415 - loads botocore, which Mailjet alone never needs

        return Door(self._account.storage.keyring)

    # the provider's door

    @property
    def switches(self) -> Switches:
        """The present switches."""
        return self._account.switches

    def change(self, **switches: Any) -> None:
        """Set some switches; ValueError names one that does not fit."""
        with self.lock:
            self._account.switches = changed(self._account.switches, switches)

    def template(self, call: Call) -> str:
        """Return the route of a call, to count it under."""
        found = match(call.method, call.segments)
        return f"{call.method} {found.route.path if found else '(unknown)'}"

    def error(self, status: int, message: str | None) -> Reply:
        """Return an injected error; a message such as ``ConflictException: text`` also names the exception."""
        named = NAMED.fullmatch(message or "")
        code = named["code"] if named else CODES.get(status, "InternalServiceErrorException")
        text = named["text"] if named else message
        words = "Too Many Requests" if status == 429 else "The request could not be served"
        return Refusal(code, text or words, status).reply(self.switches)

    def answer(self, call: Call) -> Reply:
        """Do the work of a call and answer it."""
        with self.lock:
            account = self._account
            try:
                result = self._work(call)
            except Refusal as refusal:
                return refusal.reply(account.switches)
            headers = {"x-amzn-RequestId": str(uuid4())}
            return Reply(200, msgspec.json.encode(result), headers=headers)

    def _work(self, call: Call) -> dict[str, Any]:
        account, switches = self._account, self.switches
        signed = self._door.enter(call, switches, account.clock.now())
        found = match(call.method, call.segments)
        if found is None:
            raise Refusal("UnknownOperationException", "")
        operation = found.route.operation
        self._door.permit(signed, operation)
        self._throttle.take(signed.region, operation, switches)
        given = self._door.model.read(operation, call, found.params)
        self._fill()
        region = account.region(signed.region)
        self._tick()
        account.endpoint = f"http://{call.headers.get('host', '')}/s3"
        result = found.route.work(region, given) or {}
        self._tick()
        rendered = self._door.model.render(operation, result, iso=switches.ses_timestamps == "iso")
        if "NextToken" in result and result["NextToken"] is None and switches.ses_last_token == "null":  # noqa: S105
            rendered["NextToken"] = None
        return rendered

    def _fill(self) -> None:
        """Invent the requested data, late, because many tests do not use SES."""
        asked, self._unfilled = self._unfilled, []
        for contacts, seed in asked:
            fill(self._account, contacts, seed)

    def _tick(self) -> None:
        for region in self._account.regions.values():
            jobs.tick(region)
            exports.tick(region)

    # for tests

    def routes(self) -> Sequence[BaseRoute]:
        """Return the control routes."""
        return Routes(self).all()

    def reset(self) -> None:
        """Forget all data. Keys and denied actions stay, as credentials do."""
        with self.lock:
            self._unfilled = []
            self._account.clear()

    def seed(self, contacts: int, seed: int = 1) -> None:
        """Fill with invented data; the same numbers give the same data."""
        with self.lock:
            self._unfilled.append((contacts, seed))

    def _current(self) -> Account:
        self._fill()
        self._tick()
        return self._account

    def _contact_list(self, region: str) -> ContactList:
        row = self._current().region(region).contact_list
        if row is None:
            raise ValueError(f"there is no contact list in {region}")
        return row

    def add_list(
        self, name: str, topics: Mapping[str, str] | None = None, *, region: str = REGION, description: str = ""
    ) -> None:
        """Create the contact list of a region; `topics` are default statuses by name. ValueError when it has one."""
        with self.lock:
            place = self._current().region(region)
            if place.contact_list is not None:
                raise ValueError(f"{region} has a contact list already: {place.contact_list.name}")
            now = place.now()
            row = ContactList(name=name, created=now, updated=now, description=description or None)
            for topic, default in (topics or {}).items():
                status = msgspec.convert(default, Status)
                row.topics[topic] = Topic(name=topic, display_name=topic, description=None, default=status)
            place.contact_list = row

    def add_contacts(self, contacts: Iterable[Mapping[str, Any]], *, region: str = REGION) -> None:
        """Create or replace contacts: `email`, `unsubscribed`, `topics` (statuses by name), `attributes` (an object
        or a string), `created`, `updated` (Unix seconds). ValueError when something does not fit.
        """  # noqa: D205
        with self.lock:
            row = self._contact_list(region)
            place = self._account.region(region)
            for given in contacts:
                _put(row, given, place.contact_key(_address(given)), place.now())

    def contacts(self, *, region: str = REGION) -> dict[str, dict[str, Any]]:
        """Return all contacts by address: `unsubscribed`, `topics`, `attributes` (a string), `created`, `updated`."""
        with self.lock:
            return {
                contact.email: {
                    "unsubscribed": contact.unsubscribed,
                    "topics": dict(contact.preferences),
                    "attributes": contact.attributes,
                    "created": contact.created,
                    "updated": contact.updated,
                }
                for contact in self._contact_list(region).contacts
            }

    def remove_contacts(self, emails: Iterable[str], *, region: str = REGION) -> None:
        """Delete contacts; those that do not exist are passed over."""
        with self.lock:
            row = self._contact_list(region)
            for email in emails:
                row.contacts.remove(self._account.region(region).contact_key(email))

    def add_suppressions(
        self, rows: Iterable[Mapping[str, Any]], *, region: str = REGION, tenant: str | None = None
    ) -> None:
        """Suppress addresses: `email`, `reason` (BOUNCE unless given), `updated`. A tenant comes into being here."""
        with self.lock:
            place = self._current().region(region)
            place.suppressions.setdefault(tenant, Table())
            for given in rows:
                at = float(given.get("updated", place.now()))
                suppress(place, _address(given), str(given.get("reason", "BOUNCE")), at, tenant=tenant)

    def suppressions(self, *, region: str = REGION, tenant: str | None = None) -> dict[str, str]:
        """Return the suppressed addresses and their reasons."""
        with self.lock:
            table = self._current().region(region).suppressions.get(tenant, Table())
            return {row.email: row.reason for row in table}

    def remove_suppressions(self, emails: Iterable[str], *, region: str = REGION, tenant: str | None = None) -> None:
        """Take addresses off a suppression list."""
        with self.lock:
            place = self._current().region(region)
            table = place.suppressions.get(tenant, Table())
            for email in emails:
                table.remove(place.suppression_key(email))

    def profile(self, *, region: str = REGION, **fields: Any) -> dict[str, Any]:
        """Set some of what GetAccount shows of a region, such as `production_access`, and return all of it."""
        with self.lock:
            place = self._current().region(region)
            try:
                place.profile = msgspec.convert(msgspec.to_builtins(place.profile) | fields, Profile)
            except msgspec.ValidationError as error:
                raise ValueError(f"account refused: {error}") from error
            return place.as_dict()

    def deny(self, *actions: str) -> None:
        """Deny exactly these actions to every key, such as ``ses:ListImportJobs`` or ``s3:PutObject``."""
        with self.lock:
            self._account.storage.keyring.denied = {*actions}

    def add_key(
        self, access_key: str, secret_key: str, session_token: str | None = None, *, seconds: float | None = None
    ) -> None:
        """Let another access key call; a temporary one with a token and for so many emulated seconds."""
        with self.lock:
            expires = None if seconds is None else self._account.clock.now() + seconds
            key = Key(access_key=access_key, secret_key=secret_key, session_token=session_token, expires=expires)
            self._account.storage.keyring.add(key)

    def received(self) -> list[dict[str, Any]]:
        """Return what was received: `job`, `operation`, `region`, `list`, `action`, `contact` as sent."""
        with self.lock:
            self._current()
            return self._account.received.rows()

    def plan_jobs(self, plans: Iterable[Plan | Mapping[str, Any]]) -> None:
        """Say how the next import jobs will go, in order. ValueError names what does not fit."""
        try:
            planned = [plan if isinstance(plan, Plan) else msgspec.convert(dict(plan), Plan) for plan in plans]
        except msgspec.ValidationError as error:
            raise ValueError(f"plan refused: {error}") from error
        with self.lock:
            self._account.plans.extend(planned)

    def forget_plans(self) -> None:
        """The next import jobs go as they do without a plan."""
        with self.lock:
            self._account.plans.clear()

    def refuse(self, emails: Iterable[str]) -> None:
        """Take these addresses for bad from now on, over the API and in import jobs."""
        with self.lock:
            self._account.refused.update(folded(email, "lower") for email in emails)

    def jobs(self) -> list[dict[str, Any]]:
        """Return every import job of every region, without counting a poll."""
        with self.lock:
            regions = self._current().regions
            return [{"region": name} | job.as_dict() for name, region in regions.items() for job in region.imports]

    def finish_job(self, number: str, end: End | None = None) -> None:
        """Bring an import job to its end now, also a held or stalled one. ValueError when there is none."""
        with self.lock:
            for region in self._current().regions.values():
                job: ImportJob | None = region.imports.get(number)
                if job is not None:
                    jobs.finish(region, job, end)
                    return
            raise ValueError(f"there is no import job {number}")


def _address(given: Mapping[str, Any]) -> str:
    email = given["email"]
    if not is_address(email):
        raise ValueError("email must be an e-mail address")
    return str(email)


def _put(row: ContactList, given: Mapping[str, Any], key: str, now: float) -> None:
    preferences = dict(given.get("topics") or {})
    if not preferences.keys() <= row.topics.keys():
        raise ValueError(f"there is no topic {min(preferences.keys() - row.topics.keys())!r}")
    contact = row.contacts.get(key)
    if contact is None:
        created = float(given.get("created", now))
        contact = Contact(number=row.contacts.next_number(), email=key, created=created, updated=created)
        row.contacts.add(key, contact)
    attributes = given.get("attributes")
    if attributes is not None and not isinstance(attributes, str):
        attributes = msgspec.json.encode(attributes).decode()
    contact.attributes = attributes
    contact.preferences = preferences
    contact.unsubscribed = bool(given.get("unsubscribed", False))
    contact.updated = float(given.get("updated", now))
