"""What passed through the sandbox: calls, rows served, rows received."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import Any


class Counters:
    """Counts since the start or the last reset. Safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: Counter[str] = Counter()
        self._served: Counter[str] = Counter()
        self._received: Counter[str] = Counter()

    @property
    def calls(self) -> dict[str, int]:
        """Calls by method and route, such as ``GET /v3/REST/contact``; faulted calls count too."""
        with self._lock:
            return dict(self._calls)

    @property
    def rows_served(self) -> dict[str, int]:
        """Rows answered by listings, by resource."""
        with self._lock:
            return dict(self._served)

    @property
    def rows_received(self) -> dict[str, int]:
        """Rows accepted by bulk routes, by route."""
        with self._lock:
            return dict(self._received)

    @property
    def total_calls(self) -> int:
        """All provider calls."""
        with self._lock:
            return self._calls.total()

    def call(self, route: str) -> None:
        """Count one call of a route."""
        with self._lock:
            self._calls[route] += 1

    def served(self, resource: str, rows: int) -> None:
        """Count rows answered."""
        with self._lock:
            self._served[resource] += rows

    def received(self, route: str, rows: int) -> None:
        """Count rows accepted."""
        with self._lock:
            self._received[route] += rows

    def reset(self) -> None:
        """Start again from nothing."""
        with self._lock:
            for counter in (self._calls, self._served, self._received):
                counter.clear()

    def as_dict(self) -> dict[str, Any]:
        """Return everything counted, as the control API shows it."""
        return {"calls": self.calls, "rows_served": self.rows_served, "rows_received": self.rows_received}
