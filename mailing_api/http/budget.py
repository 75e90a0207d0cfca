"""The rate of one account, shared by many processes: pure functions on a row, which a database stores.

A row has the rate and the time of the next free slot; a slot is the right to begin one request. A process takes a lease
of a few slots at a time, and begins a request in each. Shortly before, it looks at the row: a refusal that any process
has met makes all leases void. Nothing has to be returned: slots of a killed process pass unused.

All times are seconds of one clock, the database's.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

__all__ = [
    "FRESH", "GRACE", "LONGEST_COOL_DOWN", "SPAN", "Holder", "Lease", "Limits", "Row", "Step", "begin", "cool",
    "named", "refuse", "take",
]  # fmt: skip

#: Seconds: what a process knows of the row is at most this old when a request begins.
FRESH: Final = 0.1
#: Seconds after which a slot that was not used is lost.
GRACE: Final = 0.5
#: Seconds that the leases of all processes last together, if each has more than one slot.
SPAN: Final = 0.5
#: Requests per second to begin with, where no limit is known, and the greatest rate.
_BEGINNING: Final = 4.0
_MOST: Final = 1000.0
#: The rate doubles so often, at most, between two leases.
_DOUBLINGS: Final = 4.0
#: Seconds without a lease after which a process no longer counts, at least.
_PATIENCE: Final = 10.0
#: Seconds: the longest cool-down; longer ones would outlast the retries of a client.
LONGEST_COOL_DOWN: Final = 3600.0
#: Seconds that a slow store takes for a lease, at most. Who waited longer was stopped, and its slots are lost.
_SLOW: Final = 3.0
#: Seconds that a free slot may be ahead beside the leases of all processes: more is another clock's time.
_FARTHEST: Final = 60.0


class Limits(msgspec.Struct, frozen=True):
    """How a process changes the rate.

    Attributes:
        most: requests per second, at most; None for no such limit.
        increase: requests per second that each second without a refusal adds.
        floor: the least rate in requests per second.
    """

    most: float | None
    increase: float
    floor: float


class Row(msgspec.Struct, frozen=True):
    """What all processes know of an account.

    Attributes:
        rate: requests per second, of all processes together.
        next_slot: the time of the first free slot.
        cool_until: no request begins before.
        decreased_at: when the rate was last lowered, or a cool-down was lengthened; 0 if never.
        grown_at: until when successes were counted.
        epoch: leases of another epoch are void.
        workers: the processes, by names as of `named`, and when each last took a lease.
    """

    rate: float
    next_slot: float
    cool_until: float
    decreased_at: float
    grown_at: float
    epoch: int
    workers: Mapping[str, float]

    def rate_within(self, limits: Limits) -> float:
        """Requests per second, of all processes, if their limits are these; never less than the floor."""
        return min(max(self.rate, limits.floor), _MOST if limits.most is None else limits.most)


class Lease(msgspec.Struct, frozen=True):
    """Slots of one process.

    Attributes:
        start: the time of the first.
        interval: seconds between two.
        count: how many.
        epoch: of the row.
    """

    start: float
    interval: float
    count: int
    epoch: int


def named(worker: str, limits: Limits) -> str:
    """Return the name of a process in a row, which tells its limit to the others.

    Args:
        worker: letters and digits that no other process has.
        limits: of the process.
    """
    return f"{worker}-" if limits.most is None else f"{worker}-{limits.most:.6g}"


def _of_all(limits: Limits, workers: Iterable[str]) -> Limits:
    """The limits of a process among these: at most the greatest limit; processes of earlier versions tell none."""
    most = limits.most
    for _, has_told, told in (name.partition("-") for name in workers):
        if has_told and most is not None:
            try:
                most = max(most, float(told)) if told else None
            except ValueError:  # edited by hand
                continue
    return msgspec.structs.replace(limits, most=most)


def begin(limits: Limits, now: float) -> Row:
    """Return the row of an account that no process used before."""
    return Row(limits.most or _BEGINNING, now, 0.0, 0.0, now, 0, {})


def take(
    row: Row, limits: Limits, *, worker: str, now: float, want: int = 1, has_succeeded: bool = False, since: float = 0.0
) -> tuple[Row, Lease]:
    """Take slots for a process; return the row without them, and the lease.

    A process with a lower limit than another takes slots of the others' rate, at greater intervals.

    Args:
        row: of the account.
        limits: of the process.
        worker: its name, as of `named`.
        now: the database's time.
        want: slots, at most. There are fewer where many processes share a low rate, but at least one.
        has_succeeded: the provider accepted a request of the process since its last lease.
        since: its last slot, and the interval after it, have passed then; 0 for no slot.
    """
    row, own = _dated(row, now), limits
    rate, own_rate = row.rate_within(_of_all(own, row.workers)), row.rate_within(own)
    patience = max(_PATIENCE, 3 * len(row.workers) / rate, 3 / own_rate)
    workers = {name: at for name, at in row.workers.items() if now - patience < at <= now + patience} | {worker: now}
    limits = _of_all(own, workers)
    if has_succeeded:
        row = _grown(row, limits, now)
    rate, own_rate = row.rate_within(limits), row.rate_within(own)
    count = max(1, min(want, int(own_rate * SPAN / len(workers))))
    farthest = max(now, row.cool_until) + _FARTHEST + 2 * len(workers) / rate
    start = max(now, row.cool_until, min(row.next_slot, farthest))
    lease = Lease(max(start, min(since, now + 1 / own_rate)), 1 / own_rate, count, row.epoch)
    return msgspec.structs.replace(row, next_slot=start + count / rate, workers=workers), lease


def _dated(row: Row, now: float) -> Row:
    """The row with times that this clock may have made: a cool-down does not last longer because it was put back."""
    decreased_at, lasts = row.decreased_at, LONGEST_COOL_DOWN
    if decreased_at > now:
        decreased_at, lasts = now - _FARTHEST, min(lasts, max(0.0, row.cool_until - decreased_at))
    return msgspec.structs.replace(row, decreased_at=decreased_at, cool_until=min(row.cool_until, now + lasts))


def _grown(row: Row, limits: Limits, now: float) -> Row:
    """Raise the rate for the time since the last success, if the rate is what holds requests back."""
    rate = max(row.rate, limits.floor)
    elapsed = min(max(0.0, now - row.grown_at), max(1.0, 2 / rate))
    if row.next_slot > now - 1 / rate and (limits.most is None or rate < limits.most):
        is_unknown = not row.decreased_at
        rate = min(_MOST, rate * 2 ** min(elapsed, _DOUBLINGS)) if is_unknown else rate + limits.increase * elapsed
        rate = max(row.rate, rate if limits.most is None else min(rate, limits.most))
    return msgspec.structs.replace(row, rate=rate, grown_at=now)


def refuse(row: Row, limits: Limits, *, started: float, now: float, retry_after: float | None = None) -> Row:
    """Return the row after the provider refused a request as one too many.

    Args:
        row: of the account.
        limits: of the process.
        started: when the request began. Requests that began before the rate was last lowered do not lower it again.
        now: the database's time.
        retry_after: seconds for which the provider wants no request; None if it does not say.
    """
    cool_until = now + min(retry_after, LONGEST_COOL_DOWN) if retry_after else 0.0
    row = _dated(row, now)
    if started <= row.decreased_at + FRESH:
        return cool(row, until=cool_until, now=now)
    rate = max(limits.floor, row.rate_within(_of_all(limits, row.workers)) / 2)
    return msgspec.structs.replace(
        row,
        rate=rate,
        next_slot=max(cool_until, row.cool_until, now + 1 / rate),
        cool_until=max(cool_until, row.cool_until),
        decreased_at=now,
        grown_at=now,
        epoch=row.epoch + 1,
    )


def cool(row: Row, *, until: float, now: float) -> Row:
    """Return the row with a cool-down until that time, at least; unchanged if it has one, or the time has passed."""
    until = min(until, now + LONGEST_COOL_DOWN)
    if until <= max(now, row.cool_until):
        return row
    return msgspec.structs.replace(
        row, next_slot=max(row.next_slot, until), cool_until=until, decreased_at=now, epoch=row.epoch + 1
    )


class Step(enum.Enum):
    """What a process does next."""

    TAKE = enum.auto()  #: take a lease
    LOOK = enum.auto()  #: look at the row
    START = enum.auto()  #: begin the request


class Holder:
    """The lease of one process, slot by slot."""

    def __init__(self) -> None:
        """Begin without a lease."""
        self._lease: Lease | None = None
        self._used = 0
        self._seen_at = float("-inf")
        #: Seconds that an answer of the store took, for which no slot of this lease is lost.
        self._answered_late = 0.0
        #: Slots to take next time: more while all are used, one after some were lost.
        self.want = 1
        #: When the last slot that was used, and the interval after it, have passed.
        self.since = 0.0

    def step(self, now: float) -> Step | float:
        """What to do at that time: a step, or wait for so many seconds. A slot is used with START."""
        lease = self._lease
        if lease is None:
            return Step.TAKE
        lost_before = now - GRACE - self._answered_late
        while self._used < lease.count and lease.start + self._used * lease.interval < lost_before:
            self._used += 1
            self.want = 0
        if self._used == lease.count:
            self._lease = None
            self.want = max(1, 2 * self.want)
            return Step.TAKE
        slot = lease.start + self._used * lease.interval
        if slot > now:
            return slot - now
        if now - self._seen_at > FRESH:
            return Step.LOOK
        self._used += 1
        self.since = slot + lease.interval
        return Step.START

    def took(self, lease: Lease, now: float) -> None:
        """Have a lease from now on."""
        self._lease, self._used, self._seen_at = lease, 0, now
        late = max(0.0, now - lease.start)
        self._answered_late = late if late <= _SLOW else 0.0
        self.want = lease.count

    def saw(self, row: Row | None, asked: float, now: float) -> None:
        """Drop the lease if the row, as the store answered at `now` when it was asked before, says that it is void.

        Where answers take longer than what is known may be old, nothing newer can be known.
        """
        took, lease = now - asked, self._lease  # which another thread may drop
        self._seen_at = asked if took <= FRESH else now
        self._answered_late = max(self._answered_late, took)
        if row is None or (lease is not None and row.epoch != lease.epoch):
            self._lease = None

    def drop(self) -> None:
        """Give the lease up."""
        self._lease = None
