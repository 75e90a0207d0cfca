"""The rate of requests of one account, shared with other processes, and what is left of it without their database."""

from __future__ import annotations

import hashlib
import logging
import random
import secrets
import threading
from collections.abc import Callable
from typing import Final, Protocol

from mailing_api.http import budget
from mailing_api.http.budget import Holder, Row, Step
from mailing_api.http.pace import Pace
from mailing_api.http.traffic import Traffic

__all__ = ["AwayError", "Budget", "BudgetStore", "SharedPace"]

logger = logging.getLogger(__name__)

#: Seconds: a wait that is longer is logged, once; after each piece of it the row is looked at again.
_LONG_WAIT: Final = 150.0
_PIECE: Final = 30.0
#: Attempts to change a row that other processes change at the same time, and seconds between two, at most.
_ATTEMPTS: Final = 10
#: Seconds after which no further attempt begins.
_PATIENCE: Final = 1.0
_BETWEEN: Final = 0.02


class AwayError(Exception):
    """The rows cannot be used now."""


class BudgetStore(Protocol):
    """Rows that all processes share; each call takes a bounded time, or raises `AwayError`."""

    @property
    def is_there(self) -> bool:
        """Whether the next call may succeed."""

    def read(self, name: str) -> tuple[float, int, Row | None]:
        """The store's time, the revision of the row, and the row; 0 and None if there is none."""

    def swap(self, name: str, revision: int, row: Row) -> bool:
        """Replace the row if it still has that revision; whether it had."""

    def close(self) -> None:
        """Close it."""


class Budget:
    """The shared rates of a process's accounts."""

    def __init__(self, store: BudgetStore) -> None:
        """Share by that store."""
        self._store = store

    def share(self, pace: Pace, account: str) -> Pace:
        """Share a pace with all processes that name the account so.

        Args:
            pace: its limits are those of the account; it has made nothing wait yet.
            account: provider and account, the same for all spellings of the settings. Only a hash of it is stored.
        """
        return SharedPace(pace, self._store, hashlib.blake2b(account.encode(), digest_size=16).hexdigest())

    def close(self) -> None:
        """Close the store."""
        self._store.close()


class SharedPace(Pace):
    """The pace of one account, of which other processes use a part; safe to share between threads.

    Without the store it is a pace of its own: at half of this process's share of the last rate, and from there as any
    other pace, up to its share of the limit.
    """

    def __init__(self, pace: Pace, store: BudgetStore, name: str) -> None:
        """Share a pace.

        Args:
            pace: its limits.
            store: has the row.
            name: of the row.
        """
        self._own = pace
        self._clock, self._sleep = pace.clock, pace.sleep
        self._limits = pace.limits
        self._store = store
        self._name = name
        self._worker = secrets.token_hex(4)
        #: Threads wait in a row for slots, so that a process holds one lease.
        self._turn = threading.Lock()
        self._holder = Holder()
        self._has_succeeded = False
        #: The row as last seen.
        self._row: Row | None = None
        #: From this process's clock to the store's.
        self._offset = 0.0
        #: The pace without the store; None with it.
        self._alone: Pace | None = None

    @property
    def rate(self) -> float | None:
        """Requests per second allowed now, of all processes; of this one without the store. None for no limit."""
        alone, row = self._alone, self._row
        if alone is not None:
            return alone.rate
        return self._own.rate if row is None else row.rate_within(self._limits)

    def wait(self, traffic: Traffic | None = None) -> float:
        """Wait for this thread's turn; as of any pace."""
        came = self._clock()
        with self._turn:
            start, alone = self._slot(), self._alone
        if traffic is not None and self._clock() > came:
            traffic.waits(self._clock() - came)
        return start if start is not None else (alone or self._own).wait(traffic)

    def succeeded(self) -> None:
        """Note that the provider accepted a request."""
        self._has_succeeded = True
        if (alone := self._alone) is not None:
            alone.succeeded()

    def refused(self, started: float, retry_after: float | None = None) -> None:
        """Note that the provider refused the request that started at `started`; all processes learn it."""
        self._has_succeeded = False
        if (alone := self._alone) is not None:
            alone.refused(started)
            return
        try:
            self._change(
                lambda row, now: budget.refuse(
                    row, self._limits, started=started + self._offset, now=now, retry_after=retry_after
                )
            )
        except AwayError:
            self._leave().refused(started)

    def _slot(self) -> float | None:
        """Wait for a slot, and return its time; None without the store."""
        if self._alone is not None and not self._store.is_there:
            return None
        has_warned = False
        try:
            while True:
                step = self._holder.step(self._clock() + self._offset)
                if step is Step.START:
                    self._alone = None
                    return self._clock()
                if step is Step.TAKE:
                    self._take()
                elif step is Step.LOOK:
                    self._look()
                elif isinstance(step, float):
                    if step > _LONG_WAIT and not has_warned:
                        has_warned = True
                        logger.warning(
                            "The provider requested a pause, for all runs with this `rate_budget`: the next request "
                            "of this account starts in %.0f s",
                            step,
                        )
                    self._sleep(min(step, _PIECE))
                    if step > _PIECE:
                        self._look()
        except AwayError:
            self._leave()
            return None

    def _take(self) -> None:
        lease: budget.Lease | None = None

        def taken(row: Row, now: float) -> Row:
            nonlocal lease
            row, lease = budget.take(
                row, self._limits, worker=self._worker, now=now, want=self._holder.want,
                has_succeeded=self._has_succeeded,
            )  # fmt: skip
            return row

        self._change(taken)
        self._has_succeeded = False
        if lease is not None:
            self._holder.took(lease, self._clock() + self._offset)

    def _look(self) -> None:
        before = self._clock()
        _, _, row = self._store.read(self._name)
        self._row = row or self._row
        self._holder.saw(row, before + self._offset)

    def _change(self, change: Callable[[Row, float], Row]) -> None:
        """Change the row, which other processes may change, too.

        Raises:
            AwayError: the store is away, or too many processes change the row at once.
        """
        deadline = self._clock() + _PATIENCE
        for attempt in range(_ATTEMPTS):
            if self._clock() > deadline:
                break
            now, revision, row = self._store.read(self._name)
            # The answer took a while, so the slots come a little late, never early.
            self._offset = now - self._clock()
            before = row or budget.begin(self._limits, now)
            after = change(before, now)
            if after == row or self._store.swap(self._name, revision, after):
                self._row = after
                return
            self._sleep(random.random() * _BETWEEN * (attempt + 1))  # noqa: S311
        raise AwayError

    def _leave(self) -> Pace:
        """Continue alone."""
        row = self._row
        sharing = max(1, len(row.workers)) if row is not None else 1
        self._holder.drop()
        self._alone = self._own.part(sharing, None if row is None else row.rate_within(self._limits) / 2)
        return self._alone
