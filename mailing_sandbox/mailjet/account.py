"""One emulated account: everything a route may need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mailing_sandbox.mailjet.jobs import Jobs
from mailing_sandbox.mailjet.received import Received
from mailing_sandbox.mailjet.store import Store
from mailing_sandbox.mailjet.switches import Switches
from mailing_sandbox.provider import Reply

if TYPE_CHECKING:
    from mailing_sandbox.clock import Clock
    from mailing_sandbox.counters import Counters

APIKEY_ID = 41
"""Number of the account's key pair, as batchjob rows show it."""


class Account:
    """The data of a key pair, its jobs, and what was received.

    `selections` keeps the rows that listings chose, so that paging does not choose them again; `selected` is the
    store's version that they belong to. `seeded` holds the numbers that data was drawn from.
    """

    def __init__(self, clock: Clock, counters: Counters) -> None:
        self.clock = clock
        self.counters = counters
        self.store = Store(clock, Switches())
        self.jobs = Jobs(self.store)
        self.received = Received()
        self.selections: dict[Any, list[Any]] = {}
        self.selected = 0
        self.seeded: set[int] = set()

    @property
    def switches(self) -> Switches:
        """The present switches."""
        return self.store.switches

    def tick(self) -> None:
        """Let pass what has happened since the last look: jobs going on, contacts being purged."""
        self.jobs.tick()
        self.store.purge()

    def envelope(
        self, rows: list[Any], *, status: int = 200, count: int | None = None, total: int | None = None
    ) -> Reply:
        """Answer rows; Count and Total are those of the page unless told otherwise (Mailjet reference, envelope)."""
        if self.switches.quoted_numbers:
            rows = quoted(rows)
        size = len(rows)
        body = {"Count": size if count is None else count, "Data": rows, "Total": size if total is None else total}
        return Reply(status, msgspec.json.encode(body))


def quoted(value: Any) -> Any:
    """Return a JSON value with every number as a string, as many documentation samples show them."""
    if isinstance(value, dict):
        return {name: quoted(each) for name, each in value.items()}
    if isinstance(value, list):
        return [quoted(each) for each in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
