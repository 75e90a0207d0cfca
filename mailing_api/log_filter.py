"""What no log line may hold, whoever writes it: addresses, control characters, the details of libraries."""

from __future__ import annotations

import logging
import re
from typing import Final

__all__ = ["LogFilter", "guard_logs"]

#: Loggers of the plugins, and of the SDK and Python's warnings, which tell nothing of a row.
_OWN: Final = ("tap-mailing", "target-mailing", "tap_mailing", "target_mailing", "mailing_api", "singer_sdk", "py")
_ADDRESS: Final = re.compile(r"[^\s@'\"`<>(),;:=/]+(?:@|%40)[^\s@'\"`<>(),;:=/]+", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class LogFilter(logging.Filter):
    """Takes out addresses and control characters; of libraries lets only warnings pass, without their tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record; False where it is not to be shown."""
        is_own = record.name.partition(".")[0] in _OWN
        if not is_own and record.levelno < logging.WARNING:
            return False
        try:
            told = record.getMessage()
        except (TypeError, ValueError):
            told = str(record.msg)
        record.msg, record.args = _clean(told), None
        if record.exc_info and is_own:
            record.exc_text = _clean(logging.Formatter().formatException(record.exc_info))
        record.exc_info = None
        return True


def _clean(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", _ADDRESS.sub("<address>", text))


def guard_logs() -> None:
    """Put the filter before all handlers there are."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for logger in loggers:
        for handler in logger.handlers:
            if not any(isinstance(one, LogFilter) for one in handler.filters):
                handler.addFilter(LogFilter())
