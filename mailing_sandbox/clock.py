"""The sandbox's clock: real time plus an offset that tests move."""

from __future__ import annotations

import time


class Clock:
    """Unix time in seconds. It runs with the machine's clock until it is frozen, and only ever moves forward."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._frozen: float | None = None

    def now(self) -> float:
        """Return the emulated time, in Unix seconds with fractions."""
        base = time.time() if self._frozen is None else self._frozen
        return base + self._offset

    def advance(self, seconds: float) -> float:
        """Move the time forward by `seconds` and return the new time."""
        if seconds < 0:
            raise ValueError(f"the clock only moves forward, so it cannot advance by {seconds} seconds")
        self._offset += seconds
        return self.now()

    def freeze(self) -> None:
        """Stop the time where it is; from now on only `advance` moves it."""
        self._frozen = time.time() if self._frozen is None else self._frozen

    def thaw(self) -> None:
        """Let the time run again, from where it stands."""
        if self._frozen is not None:
            self._offset -= time.time() - self._frozen
            self._frozen = None
