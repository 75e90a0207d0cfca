"""PostGrid as a provider of the sandbox: its door, and its data for tests in the same process."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.postgrid.account import Account
from mailing_sandbox.postgrid.body import Body
from mailing_sandbox.postgrid.contact_routes import checked
from mailing_sandbox.postgrid.control import Routes
from mailing_sandbox.postgrid.course import Plan
from mailing_sandbox.postgrid.csvfile import Mappings
from mailing_sandbox.postgrid.import_routes import download
from mailing_sandbox.postgrid.keys import LIVE_KEY, TEST_KEY
from mailing_sandbox.postgrid.links import PREFIX
from mailing_sandbox.postgrid.refusal import TYPES, Refusal, unknown_route
from mailing_sandbox.postgrid.replies import deleted
from mailing_sandbox.postgrid.routes import match, template
from mailing_sandbox.postgrid.seed import fill
from mailing_sandbox.switches import changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.routing import BaseRoute

    from mailing_sandbox.clock import Clock
    from mailing_sandbox.counters import Counters
    from mailing_sandbox.postgrid.account import Mode
    from mailing_sandbox.postgrid.address import AddressStatus
    from mailing_sandbox.postgrid.records import Import, MailingList
    from mailing_sandbox.postgrid.switches import Switches
    from mailing_sandbox.provider import Call, Reply


class PostGrid:
    """One emulated account under ``/print-mail/v1``. Its methods may be called from any thread.

    Methods that take `live` work on the data of live keys instead of test keys.
    """

    name = "postgrid"
    prefixes: tuple[str, ...] = ("print-mail", PREFIX)
    test_key = TEST_KEY
    live_key = LIVE_KEY

    def __init__(self, clock: Clock, counters: Counters) -> None:
        self.lock = RLock()
        self._account = Account(clock, counters)

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
        return template(call)

    def error(self, status: int, message: str | None) -> Reply:
        """Return an error in PostGrid's envelope."""
        kind = TYPES.get(status, "internal_service_error" if status >= 500 else "unprocessable_error")
        return Refusal(status, kind, message or f"Error {status}").reply()

    def answer(self, call: Call) -> Reply:
        """Do the work of a call and answer it."""
        with self.lock:
            self._account.tick()
            if call.segments[0].lower() == PREFIX:
                return download(self._account, call)
            try:
                return self._work(call)
            except Refusal as refusal:
                return refusal.reply()

    def _work(self, call: Call) -> Reply:
        account = self._account
        key = account.keys.check(call.headers.get("x-api-key", ""), writes=call.method not in ("GET", "HEAD"))
        account.keys.pace(key, account.switches)
        found = match(call)
        work = found.works.get(call.method) if found else None
        if found is None or work is None:
            raise unknown_route(call.method, call.path)
        mode = self._mode(live=key.live)
        if call.method == "GET" and found.id in mode.store.deleted and self.switches.postgrid_deleted == "shown":
            return deleted(found.id, found.id.rpartition("_")[0])
        return work(mode, call, found.id)

    # for tests

    def routes(self) -> Sequence[BaseRoute]:
        """Return the control routes."""
        return Routes(self).all()

    def reset(self) -> None:
        """Forget all data, hosted files and plans. IDs are not used again; keys and switches stay."""
        with self.lock:
            self._account.clear()

    def seed(self, contacts: int, seed: int = 1) -> None:
        """Fill the test mode with invented data; the same numbers give the same data."""
        with self.lock:
            fill(self._account, contacts, seed)

    def _mode(self, *, live: bool) -> Mode:
        return self._account.live if live else self._account.test

    def _list(self, number: str) -> tuple[Mode, MailingList]:
        for mode in self._account.modes:
            mailing_list = mode.store.lists.get(number)
            if mailing_list is not None:
                return mode, mailing_list
        raise ValueError(f"there is no list {number}")

    def _import(self, number: str) -> tuple[Mode, Import]:
        for mode in self._account.modes:
            imported = mode.store.imports.get(number)
            if imported is not None:
                return mode, imported
        raise ValueError(f"there is no import {number}")

    def add_key(self, key: str, *, read_only: bool = False, seconds: float | None = None) -> None:
        """Accept another key, beginning with ``test_`` or ``live_``; for `seconds` only if told."""
        with self.lock:
            self._account.keys.add(key, read_only=read_only, seconds=seconds)

    def remove_key(self, key: str) -> bool:
        """Accept a key no longer; False when it was unknown."""
        with self.lock:
            return self._account.keys.remove(key)

    def teach_address(self, line: str, status: AddressStatus, errors: str | None = None) -> None:
        """Say what the verifier of the live mode makes of addresses with this first line."""
        with self.lock:
            self._account.verifier.teach(line, status, errors)

    def add_contacts(self, contacts: Iterable[Mapping[str, Any]], *, live: bool = False) -> list[str]:
        """Create contacts from the fields of a request; `list` puts one on a list, `at` (Unix seconds) dates it.

        Returns their IDs. ValueError when PostGrid would refuse one, or there is no such list.
        """
        with self.lock:
            return [self._add_contact(dict(contact), self._mode(live=live)) for contact in contacts]

    def _add_contact(self, given: dict[str, Any], mode: Mode) -> str:
        number, at = given.pop("list", None), given.pop("at", None)
        if not (at is None or isinstance(at, int | float)):
            raise ValueError("at must be a number")
        mailing_list = None if number is None else mode.store.lists.get(str(number))
        if number is not None and mailing_list is None:
            raise ValueError(f"there is no list {number}")
        try:
            contact, _ = mode.store.contact(checked(Body(given), self.switches), at=at)
        except Refusal as refusal:
            raise ValueError(refusal.message) from refusal
        if mailing_list is not None:
            mode.store.join(mailing_list, [contact.id], contact.updated)
        return contact.id

    def add_list(self, description: str, metadata: dict[str, Any] | None = None, *, live: bool = False) -> str:
        """Create a list and return its ID."""
        with self.lock:
            return self._mode(live=live).store.mailing_list(description, metadata).id

    def add_import(self, content: str, mapping: dict[str, str], *, live: bool = False) -> str:
        """Take a CSV file in, as if it had been uploaded, and return the import's ID."""
        with self.lock:
            return self._mode(live=live).validation.submit(Mappings(mapping), content.encode()).id

    def host_file(self, content: str) -> str:
        """Keep a file that imports can fetch, and return the path of its URL below the sandbox's own."""
        with self.lock:
            return self._account.links.host(content.encode())

    def lose_file(self, number: str) -> None:
        """Let the file of an import be gone. ValueError when there is no such import."""
        with self.lock:
            self._import(number)[1].lost = True

    def contacts(self, *, live: bool = False) -> dict[str, dict[str, Any]]:
        """Return all contacts by their IDs, as answers show them; secret ones too."""
        with self.lock:
            self._account.tick()
            store = self._mode(live=live).store
            return {row.id: row.shown(self.switches, fresh=True) for row in store.contacts}

    def lists(self, *, live: bool = False) -> dict[str, dict[str, Any]]:
        """Return all lists by their IDs, as answers show them, without counting as a poll."""
        with self.lock:
            self._account.tick()
            return {row.id: row.shown(self.switches) for row in self._mode(live=live).store.lists}

    def imports(self, *, live: bool = False) -> dict[str, dict[str, Any]]:
        """Return all imports by their IDs, as answers show them but without links, without counting as a poll."""
        with self.lock:
            self._account.tick()
            return {row.id: row.shown(self.switches, "", "") for row in self._mode(live=live).store.imports}

    def members(self, number: str) -> dict[str, Any]:
        """Return who is on a list: `contacts` as they were sent, by ID, and `imports`, by ID the people of each."""
        with self.lock:
            self._account.tick()
            mode, mailing_list = self._list(number)
            contacts = ((each, mode.store.contacts.get(each)) for each in mailing_list.contacts)
            imports = ((each, mode.store.imports.get(each)) for each in mailing_list.imports)
            return {
                "contacts": {each: contact.sent for each, contact in contacts if contact},
                "imports": {
                    each: [row.receiver for row in mode.validation.people(imported)]
                    for each, imported in imports
                    if imported
                },
            }

    def received(self) -> list[dict[str, Any]]:
        """Return the rows received, each with the `route` that it came by. The latest 200,000 at most."""
        with self.lock:
            return self._account.received.rows()

    def jobs(self) -> list[dict[str, Any]]:
        """Return every list job, without counting a poll."""
        with self.lock:
            self._account.tick()
            found = [job.as_dict() for mode in self._account.modes for job in mode.jobs.all]
            return sorted(found, key=lambda job: int(job["number"]))

    def plan_jobs(self, plans: Iterable[Plan | Mapping[str, Any]]) -> None:
        """Say how the next list jobs will go, in order. ValueError names what does not fit."""
        planned = [planned_of(plan) for plan in plans]
        with self.lock:
            self._account.job_plans.extend(planned)

    def plan_imports(self, plans: Iterable[Plan | Mapping[str, Any]]) -> None:
        """Say how the next imports will go, in order. ValueError names what does not fit."""
        planned = [planned_of(plan) for plan in plans]
        with self.lock:
            self._account.import_plans.extend(planned)

    def finish_job(self, number: str, errors: list[str] | None = None) -> None:
        """Bring the job of a list to its end now, with errors of these types if told.

        ValueError when there is no such list or no job runs on it.
        """
        with self.lock:
            self._account.tick()
            mode, mailing_list = self._list(number)
            mode.jobs.finish(mailing_list, errors)

    def finish_import(self, number: str, errors: list[str] | None = None) -> None:
        """Bring an import to its end now, or when its file has come. ValueError when there is none under way."""
        with self.lock:
            self._account.tick()
            mode, imported = self._import(number)
            mode.validation.finish(imported, errors)


def planned_of(plan: Plan | Mapping[str, Any]) -> Plan:
    """Return a plan; ValueError names what does not fit."""
    try:
        return plan if isinstance(plan, Plan) else msgspec.convert(dict(plan), Plan)
    except msgspec.ValidationError as error:
        raise ValueError(f"plan refused: {error}") from error
