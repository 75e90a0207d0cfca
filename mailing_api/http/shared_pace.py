"""The rate of requests of one account, shared with other processes, and what is left of it without their database."""

from __future__ import annotations

import hashlib
import logging
import random
import secrets
import threading
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

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
    other pace, up to its share of the limit. It obeys the cool-down that it knew, or meets itself, and tells the others
    when the store is back.
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
        self._worker = budget.named(secrets.token_hex(4), self._limits)
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
        #: By this process's clock, when a cool-down ends that the store may not know.
        self._cool_until = float("-inf")
        #: Until then a long wait was logged.
        self._told_until = float("-inf")

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
        if self._alone is None:
            try:
                self._change(
                    lambda row, now: budget.refuse(
                        row, self._limits, started=started + self._offset, now=now, retry_after=retry_after
                    )
                )
            except AwayError:
                pass
            else:
                return
        self._leave().refused(started)
        self._cools(retry_after or 0.0)

    def _slot(self) -> float | None:
        """Wait for a slot, and return its time; None without the store."""
        while True:
            if self._alone is None or self._store.is_there:
                try:
                    return self._shared_slot()
                except AwayError:
                    self._leave()
            seconds = self._cool_until - self._clock()
            if seconds <= 0:
                return None
            self._pause(seconds)

    def _shared_slot(self) -> float:
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
                self._pause(step)
                if step > _PIECE:
                    self._look()

    def _pause(self, seconds: float) -> None:
        """Wait for so long, or for a part of it."""
        now = self._clock()
        if seconds > _LONG_WAIT and now >= self._told_until:
            self._told_until = now + seconds
            logger.warning(
                "The provider requested a pause, for all runs with this `rate_budget`: the next request of this "
                "account starts in %.0f s",
                seconds,
            )
        self._sleep(min(seconds, _PIECE))

    def _take(self) -> None:
        lease: budget.Lease | None = None
        cool_until = self._cool_until

        def taken(row: Row, now: float) -> Row:
            nonlocal lease
            row = budget.cool(row, until=cool_until + self._offset, now=now)
            row, lease = budget.take(
                row, self._limits, worker=self._worker, now=now, want=self._holder.want,
                has_succeeded=self._has_succeeded, since=self._holder.since,
            )  # fmt: skip
            return row

        self._change(taken)
        self._has_succeeded = False
        if self._cool_until == cool_until:  # else another thread met a longer one meanwhile
            self._cool_until = float("-inf")
        if lease is not None:
            self._holder.took(lease, self._clock() + self._offset)

    def _look(self) -> None:
        asked = self._clock()
        now, _, row = self._store.read(self._name)
        if self._is_put(now, asked):
            self._set_clock(now, asked)
        else:
            self._holder.saw(row, asked + self._offset, self._clock() + self._offset)
        self._row = row or self._row

    def _is_put(self, now: float, asked: float) -> bool:
        """Whether the store's clock, or this process's, was put forward or back, by the answer to what was asked."""
        least, most = now - self._clock(), now - asked
        return not least - budget.GRACE <= self._offset <= most + budget.GRACE

    def _set_clock(self, now: float, asked: float) -> None:
        """Note the store's time. If its clock, or this process's, was put forward or back, the lease is void."""
        if self._is_put(now, asked):
            self._holder.drop()
            if self._row is not None:
                self._cools(self._row.cool_until - self._offset - self._clock())
        # The answer took a while, so the slots come a little late, never early.
        self._offset = now - self._clock()

    def _change(self, change: Callable[[Row, float], Row]) -> None:
        """Change the row, which other processes may change, too.

        Raises:
            AwayError: the store is away, or too many processes change the row at once.
        """
        deadline = self._clock() + _PATIENCE
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(random.random() * _BETWEEN * attempt)  # noqa: S311
            asked = self._clock()
            if asked > deadline:
                break
            now, revision, row = self._store.read(self._name)
            self._set_clock(now, asked)
            before = row or self._first_row(now)
            self._row = before
            after = change(before, now)
            if after == row or self._store.swap(self._name, revision, after):
                self._row = after
                return
        raise AwayError

    def _cools(self, seconds: float) -> None:
        """Note a cool-down that lasts so long from now on."""
        self._cool_until = max(self._cool_until, self._clock() + min(seconds, budget.LONGEST_COOL_DOWN))

    def _first_row(self, now: float) -> Row:
        """The row of an account that has none: as last known, if that was lost with the store's content."""
        row = budget.begin(self._limits, now)
        if self._alone is None or self._row is None:
            return row
        decreased_at = now if self._row.decreased_at else 0.0
        return msgspec.structs.replace(row, rate=self._row.rate_within(self._limits), decreased_at=decreased_at)

    def _leave(self) -> Pace:
        """Continue alone, with what is known of the account."""
        self._holder.drop()
        if (alone := self._alone) is None:
            row = self._row or budget.begin(self._limits, 0.0)
            self._cools(row.cool_until - self._offset - self._clock())
            alone = self._alone = self._own.part(len({*row.workers, self._worker}), row.rate_within(self._limits) / 2)
        return alone
