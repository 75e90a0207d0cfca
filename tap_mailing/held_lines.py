"""Log lines held back until a more important line is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["HeldLines"]


class HeldLines(logging.Filter):
    """Holds warnings and errors of some loggers, and drops lines of lower levels.

    Example:
        >>> with held.holding(loggers):
        ...     work()
        >>> logger.info("It worked, with these warnings:")
        >>> held.release()
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: list[logging.LogRecord] = []

    @contextmanager
    def holding(self, loggers: Iterable[logging.Logger]) -> Iterator[None]:
        """Hold the lines of these loggers. Loggers at level DEBUG log at once."""
        held = [logger for logger in loggers if not logger.isEnabledFor(logging.DEBUG)]
        for logger in held:
            logger.addFilter(self)
        try:
            yield
        finally:
            for logger in held:
                logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Hold a line; False drops it for now."""
        if record.levelno >= logging.WARNING:
            self._held.append(record)
        return False

    def release(self) -> None:
        """Log the held lines."""
        for record in self._held:
            logging.getLogger(record.name).handle(record)
        self._held.clear()
