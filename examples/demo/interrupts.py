"""Ctrl-C, SIGTERM and a closed terminal end the demo as an exception, so that everything it started is stopped."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns the first signal into SystemExit; later ones don't disturb the stopping."""

    def __init__(self) -> None:
        self._held = False
        self._arrived: int | None = None
        for number in SIGNALS:
            signal.signal(number, self._arrive)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """While something starts or stops, a signal has to wait."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            if self._arrived is not None:
                sys.exit(128 + self._arrived)

    def _arrive(self, number: int, _: object) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        self._arrived = number
        if not self._held:
            sys.exit(128 + number)
