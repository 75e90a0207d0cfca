"""Log lines that wait until what matters more was said."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

__all__ = ["HeldLines"]


class HeldLines(logging.Filter):
    """Keeps warnings and errors of some loggers, and drops what is below.

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
        """Hold the lines of these loggers, unless they are at level DEBUG, where everything is shown as it happens."""
        chosen = [logger for logger in loggers if not logger.isEnabledFor(logging.DEBUG)]
        for logger in chosen:
            logger.addFilter(self)
        try:
            yield
        finally:
            for logger in chosen:
                logger.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Hold a line."""
        if record.levelno >= logging.WARNING:
            self._held.append(record)
        return False

    def release(self) -> None:
        """Log what was held."""
        for record in self._held:
            logging.getLogger(record.name).handle(record)
        self._held.clear()
