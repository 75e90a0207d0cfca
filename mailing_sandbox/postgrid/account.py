"""One emulated account: its two modes, and what they share."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from mailing_sandbox.postgrid.address import Verifier
from mailing_sandbox.postgrid.jobs import Jobs
from mailing_sandbox.postgrid.keys import Keys
from mailing_sandbox.postgrid.links import Links
from mailing_sandbox.postgrid.received import Received, Sent, cells_of
from mailing_sandbox.postgrid.refusal import unknown
from mailing_sandbox.postgrid.store import Store
from mailing_sandbox.postgrid.switches import Switches
from mailing_sandbox.postgrid.validation import Validation

if TYPE_CHECKING:
    from mailing_sandbox.clock import Clock
    from mailing_sandbox.counters import Counters
    from mailing_sandbox.postgrid.course import Plan
    from mailing_sandbox.postgrid.records import Contact, Import, MailingList
    from mailing_sandbox.postgrid.refusal import Refusal


class Mode:
    """The data of test or of live keys, and the work under way on it."""

    def __init__(self, account: Account, *, live: bool) -> None:
        self.account = account
        self.store = Store(account.clock, account.switches, account.verifier, live=live)
        self.jobs = Jobs(self.store, account.job_plans, account.job_numbers)
        self.validation = Validation(self.store, account.verifier, account.import_plans, self.keep_file)

    def tick(self) -> None:
        """Let pass what has happened since the last look."""
        self.validation.tick()
        self.jobs.tick()

    def clear(self) -> None:
        """Forget all data."""
        self.store.clear()
        self.jobs.clear()
        self.validation.clear()

    def keep_file(self, number: str, content: bytes) -> None:
        """Count and remember the rows of a file that a client sent for an import."""
        size = len(cells_of(content))
        self.account.counters.received("POST /print-mail/v1/mailing_list_imports", size)
        if self.account.switches.postgrid_keep_received:
            about = {"route": "mailing_list_imports", "live": self.store.live, "import": number}
            self.account.received.keep(Sent(about, size, [], content))

    def contact(self, number: str) -> Contact:
        """Return a contact; a 404 otherwise."""
        found = self.store.contacts.get(number)
        if found is None:
            raise self._unknown("contact", number)
        return found

    def mailing_list(self, number: str) -> MailingList:
        """Return a list; a 404 otherwise."""
        found = self.store.lists.get(number)
        if found is None:
            raise self._unknown("mailing_list", number)
        return found

    def imported(self, number: str) -> Import:
        """Return an import; a 404 otherwise."""
        found = self.store.imports.get(number)
        if found is None:
            raise self._unknown("mailing_list_import", number)
        return found

    def _unknown(self, resource: str, number: str) -> Refusal:
        return unknown(resource, number, generic=self.store.switches.postgrid_not_found_style == "generic")


class Account:
    """Everything a route may need. `seeded` holds the numbers that data was drawn from."""

    def __init__(self, clock: Clock, counters: Counters) -> None:
        self.clock = clock
        self.counters = counters
        self.keys = Keys(clock)
        self.links = Links(clock)
        self.verifier = Verifier()
        self.received = Received()
        self.job_plans: deque[Plan] = deque()
        self.import_plans: deque[Plan] = deque()
        self.job_numbers = count(1)
        self.seeded: set[int] = set()
        self._switches = Switches()
        self.test = Mode(self, live=False)
        self.live = Mode(self, live=True)
        self.modes = (self.test, self.live)

    @property
    def switches(self) -> Switches:
        """The present switches."""
        return self._switches

    @switches.setter
    def switches(self, value: Switches) -> None:
        identity = [name for name in value.__struct_fields__ if name.startswith("postgrid_dedupe_")]
        compared_alike = all(getattr(value, name) == getattr(self._switches, name) for name in identity)
        self._switches = value
        for mode in self.modes:
            mode.store.switches = value
            if not compared_alike:
                mode.store.reidentify()

    def tick(self) -> None:
        """Let pass what has happened since the last look."""
        for mode in self.modes:
            mode.tick()

    def clear(self) -> None:
        """Forget all data; keys and switches stay."""
        for mode in self.modes:
            mode.clear()
        self.received.clear()
        self.verifier.clear()
        self.links.hosted.clear()
        self.job_plans.clear()
        self.import_plans.clear()
        self.seeded.clear()
