"""What no log line may hold, whoever writes it: secrets, addresses, control characters, the details of libraries."""

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

#: Loggers of the plugins, and of Python's warnings, which tell nothing of a row, with the least level that is shown.
_OWN: Final = dict.fromkeys(
    ("tap-mailing", "target-mailing", "tap_mailing", "target_mailing", "mailing_api", "py"), logging.NOTSET
) | {"singer_sdk": logging.INFO}  # at DEBUG it tells what the filters of stream maps made of a row
_LEAST_OF_LIBRARIES: Final = logging.WARNING

#: What an address is not made of.
_BESIDE: Final = r"\s@'\"`<>(),;:=/"
#: It begins where nothing of it precedes, so that a long text without one is looked at once.
_ADDRESS: Final = re.compile(rf"(?<![^{_BESIDE}])[^{_BESIDE}]+(?:@|%40)[^{_BESIDE}]+", re.IGNORECASE)
_CONTROL: Final = re.compile(
    # also what is not seen, or turns the direction of what follows
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
#: A line break after which a line of its own could be forged; those of tracebacks are followed by blanks.
_NEW_LINE: Final = re.compile(r"\n(?=\S)")
#: What every record has; the rest was given as `extra`.
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class LogFilter(logging.Filter):
    """Takes out secrets, addresses and control characters; of libraries lets only warnings pass, without tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record; False where it is not to be shown."""
        if _is_detail(record):
            return False
        _clean(record)
        return True


class _Record(logging.LogRecord):
    """A record that is clean from the beginning, for handlers that nobody put a filter on."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if _is_detail(self):
            self.msg, self.args, self.exc_info, self.stack_info = "(left out)", None, None, None
        _clean(self)


def guard_logs() -> None:
    """Put the filter before all handlers there are, and see that records are clean for those that come later.

    What nobody caught is told in a line without its text, which may quote anything.
    """
    logging.setLogRecordFactory(_Record)
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for handler in [*(handler for one in loggers for handler in one.handlers), logging.lastResort]:
        if handler is not None and not any(isinstance(one, LogFilter) for one in handler.filters):
            handler.addFilter(LogFilter())
    sys.excepthook = _uncaught
    threading.excepthook = lambda found: _uncaught(found.exc_type, found.exc_value, found.exc_traceback)


def _uncaught(kind: type[BaseException], _: BaseException | None, places: TracebackType | None) -> None:
    logger.critical("Unexpected %s.\n%s", kind.__name__, "".join(traceback.format_tb(places)))


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
    # A metric, which structured formats show by its fields, stays what it is.
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
    """A text as a line may hold it, of a log or elsewhere."""
    return _NEW_LINE.sub(r"\\x0a", _safe(text))


def _is_metric(args: Any) -> bool:
    return isinstance(args, tuple) and len(args) == 1 and hasattr(args[0], "to_dict")


def _safe_value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {_safe(str(name)): _safe_value(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe_value(one) for one in value]
    return _safe(str(value))


def _safe(text: str) -> str:
    hidden = _ADDRESS.sub("<address>", SECRETS.hide(text))
    return _CONTROL.sub(_escaped, hidden)


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
