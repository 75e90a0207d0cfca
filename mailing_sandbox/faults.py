"""Faults that tests inject: which calls they hit, how often, and the gates of held requests."""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase
from threading import Condition
from typing import Any, Literal

import msgspec

Kind = Literal["status", "reset", "reply_lost", "cut_body", "html", "hold", "slow"]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to do to which calls.

    `path` is a glob, matched without case against the decoded path without its query; ``*`` also crosses slashes.
    The first `skip` matching calls pass untouched, the next `times` are hit (``None``: for ever). With `done`, the
    work of a call with an injected `status` is done anyway.
    """

    kind: Kind
    path: str = "*"
    method: str = "*"
    times: int | None = 1
    skip: int = 0
    status: int = 500
    body: Literal["html", "text", "json", "empty"] = "json"
    message: str | None = None
    content: str | None = None
    headers: dict[str, str] = {}
    when: Literal["before", "after"] = "after"
    done: bool = False
    seconds: float = 1.0

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a call is one of those meant."""
        return self.method.upper() in ("*", method) and fnmatchcase(path.lower(), self.path.lower())


class Fault:
    """One rule at work. `hits` counts the calls hit, `waiting` those held at this moment."""

    def __init__(self, number: int, rule: Rule) -> None:
        self.id = number
        self.rule = rule
        self.hits = 0
        self.waiting = 0
        self._passed = 0
        self._released = False
        self._gates: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._changed = Condition()

    @property
    def spent(self) -> bool:
        """True when no further call will be hit."""
        return self._released or (self.rule.times is not None and self.hits >= self.rule.times)

    def take(self, method: str, path: str) -> bool:
        """Count a matching call, and tell whether it is to be hit."""
        if self.spent or not self.rule.matches(method, path):
            return False
        if self._passed < self.rule.skip:
            self._passed += 1
            return False
        with self._changed:
            self.hits += 1
            self._changed.notify_all()
        return True

    async def gate(self) -> None:
        """Wait, inside the server, until `release` is called."""
        event = asyncio.Event()
        with self._changed:
            if self._released:
                return
            self._gates.append((asyncio.get_running_loop(), event))
            self.waiting += 1
            self._changed.notify_all()
        try:
            await event.wait()
        finally:
            with self._changed:
                self.waiting -= 1
                self._changed.notify_all()

    def release(self) -> None:
        """Release every held request; the fault hits no further call."""
        with self._changed:
            self._released = True
            gates, self._gates = self._gates, []
            self._changed.notify_all()
        for loop, event in gates:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def wait_until_held(self, count: int = 1, timeout: float = 10.0) -> None:
        """Block the calling thread until `count` requests are held; TimeoutError after `timeout` seconds."""
        self._wait(lambda: self.waiting >= count, timeout, f"{count} held requests")

    def wait_until_hit(self, count: int = 1, timeout: float = 10.0) -> None:
        """Block the calling thread until `count` calls were hit; TimeoutError after `timeout` seconds."""
        self._wait(lambda: self.hits >= count, timeout, f"{count} hits")

    def _wait(self, condition: Any, timeout: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise TimeoutError(f"fault {self.id} saw {self.hits} hits and holds {self.waiting}, not {what}")

    def as_dict(self) -> dict[str, Any]:
        """Return the rule and its effects, as the control API shows them."""
        seen = {"id": self.id, "hits": self.hits, "waiting": self.waiting, "spent": self.spent}
        return seen | msgspec.structs.asdict(self.rule)


class Faults:
    """All faults, in the order they were added. The first that takes a call decides."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._last = 0

    def add(self, rule: Rule | None = None, **fields: Any) -> Fault:
        """Add a fault from a `Rule` or from its fields; ValueError names a field that does not fit."""
        if rule is None:
            try:
                rule = msgspec.convert(fields, Rule)
            except msgspec.ValidationError as error:
                raise ValueError(f"fault refused: {error}") from error
        self._last += 1
        fault = Fault(self._last, rule)
        self._faults[fault.id] = fault
        return fault

    def get(self, number: int) -> Fault | None:
        """Return a fault by its number."""
        return self._faults.get(number)

    def all(self) -> list[Fault]:
        """Return every fault not removed, spent ones too."""
        return list(self._faults.values())

    def remove(self, number: int) -> bool:
        """Release and forget a fault; False when there is none of this number."""
        fault = self._faults.pop(number, None)
        if fault is None:
            return False
        fault.release()
        return True

    def clear(self) -> None:
        """Release and forget all of them."""
        for number in list(self._faults):
            self.remove(number)

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that hits this call, if any."""
        return next((fault for fault in self.all() if fault.take(method, path)), None)
