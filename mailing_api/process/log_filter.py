"""Removes secrets, addresses, control characters and details of libraries from every log line."""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

from mailing_api.process.secret_values import SECRETS

__all__ = ["LogFilter", "guard_logs", "safe_line"]

logger = logging.getLogger(__name__)

#: Loggers of the plugins, and of Python's warnings, which quote no row, with the least level that is shown.
_OWN: Final = dict.fromkeys(
    ("tap-mailing", "target-mailing", "tap_mailing", "target_mailing", "mailing_api", "py"), logging.NOTSET
) | {"singer_sdk": logging.INFO}  # at DEBUG it logs the results of stream maps' filters
_LEAST_OF_LIBRARIES: Final = logging.WARNING

#: Characters that are not part of an address.
_BESIDE: Final = r"\s@'\"`<>(),;:=/"
#: An address begins after one of these characters, so that a long text without one is searched only once.
_ADDRESS: Final = re.compile(rf"(?<![^{_BESIDE}])[^{_BESIDE}]+(?:@|%40)[^{_BESIDE}]+", re.IGNORECASE)
_CONTROL: Final = re.compile(
    # also invisible characters, and those that change the direction of the text
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
#: A line break after which a log line could be forged; in tracebacks, spaces follow line breaks.
_NEW_LINE: Final = re.compile(r"\n(?=\S)")
#: Attributes that every record has; others come from `extra`.
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class LogFilter(logging.Filter):
    """Removes secrets, addresses and control characters; from libraries it passes only warnings, without tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record; return False if it must not be shown."""
        if _is_detail(record):
            return False
        _clean(record)
        return True


class _Record(logging.LogRecord):
    """A record that is clean from the beginning, for handlers without a filter."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if _is_detail(self):
            self.msg, self.args, self.exc_info, self.stack_info = "(omitted)", None, None, None
        _clean(self)


def guard_logs() -> None:
    """Add the filter to all present handlers, and clean the records for handlers added later.

    Uncaught exceptions are logged without their message, which may quote anything.
    """
    logging.setLogRecordFactory(_Record)
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for handler in [*(handler for each in loggers for handler in each.handlers), logging.lastResort]:
        if handler is not None and not any(isinstance(each, LogFilter) for each in handler.filters):
            handler.addFilter(LogFilter())
    sys.excepthook = _uncaught
    threading.excepthook = lambda failure: _uncaught(failure.exc_type, failure.exc_value, failure.exc_traceback)


def _uncaught(kind: type[BaseException], _: BaseException | None, trace: TracebackType | None) -> None:
    logger.critical("Unexpected %s.\n%s", kind.__name__, "".join(traceback.format_tb(trace)))


def _is_detail(record: logging.LogRecord) -> bool:
    return record.levelno < _OWN.get(_root(record), _LEAST_OF_LIBRARIES)


def _root(record: logging.LogRecord) -> str:
    return record.name.partition(".")[0]


def _clean(record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    except (TypeError, ValueError, LookupError):
        message = str(record.msg)
    safe = safe_line(message)
    # A metric stays an object, since structured formats show its fields.
    if safe != message or not _is_metric(record.args):
        record.msg, record.args = safe, None
    if record.exc_info and _root(record) in _OWN:
        record.exc_text = _safe(logging.Formatter().formatException(record.exc_info))
    record.exc_info = None
    if record.stack_info:
        record.stack_info = _safe(record.stack_info)
    for name in record.__dict__.keys() - _STANDARD:
        record.__dict__[name] = _safe_value(record.__dict__[name])


def safe_line(text: str) -> str:
    """Return a string made safe for one line of a log or another output."""
    return _NEW_LINE.sub(r"\\x0a", _safe(text))


def _is_metric(args: Any) -> bool:
    return isinstance(args, tuple) and len(args) == 1 and hasattr(args[0], "to_dict")


def _safe_value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {_safe(str(name)): _safe_value(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe_value(member) for member in value]
    return _safe(str(value))


def _safe(text: str) -> str:
    hidden = _ADDRESS.sub("<address>", SECRETS.hide(text))
    return _CONTROL.sub(_escaped, hidden)


def _escaped(character: re.Match[str]) -> str:
    code = ord(character[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
