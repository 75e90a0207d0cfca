"""The tap's settings that are not specific to a provider."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mailing_api import values
from mailing_api.errors import ConfigurationError
from mailing_api.rate_budget import RATE_BUDGET
from mailing_api.settings import ALLOW_HTTP, PROGRESS, Setting, duration, lookup, positive, shown
from mailing_api.storage import postgres
from mailing_api.storage.folders import NoHomeError, expanded

__all__ = ["TAP_SETTINGS", "Options", "SnapshotPlace"]

_START_DATE = Setting(
    name="start_date",
    title="Start date",
    description="Incremental streams skip rows that are older than this, for example 2024-01-31T00:00:00Z. Unset, or "
    "before 1970: they read all rows.",
)
_LOOKBACK = Setting(
    name="lookback",
    title="Look-back",
    description="How far before its bookmark an incremental stream starts, in seconds or as an ISO 8601 duration such "
    "as PT6H. It covers clock differences and changes that a provider lists late. It need not cover the duration of "
    "jobs, since an unfinished job holds the bookmark. Default: 86400, one day.",
    type=("string", "number"),
    default=86400,
)
_CONCURRENCY = Setting(
    name="concurrency",
    title="Concurrency",
    description="Number of concurrent requests. Default: 4.",
    type="integer",
    default=4,
)
_RATE = Setting(
    name="max_requests_per_second",
    title="Requests per second",
    description="Upper limit of requests per second. Unset: the limit that is known for the provider, if any. In "
    "either case requests slow down after HTTP 429 (too many requests).",
    type="number",
)
_TIMEOUT = Setting(
    name="request_timeout",
    title="Request time-out",
    description="Seconds to wait for a connection, and for a complete response; a large response may take longer while "
    "data keeps arriving. Default: 60.",
    type="number",
    default=60,
)

_CHANGE_DETECTION = Setting(
    name="change_detection",
    title="Change detection",
    description="Where to store a snapshot of the streams that the provider cannot filter by time: `path`, a file, or "
    "`url`, postgresql://. These streams then write only new and changed rows, and a record with `_sdc_deleted_at` for "
    "each deleted row. Unset: every run writes all of their rows.",
    type="object",
    secret=True,
)

TAP_SETTINGS = (
    _START_DATE,
    _LOOKBACK,
    _CONCURRENCY,
    _RATE,
    _TIMEOUT,
    RATE_BUDGET,
    ALLOW_HTTP,
    PROGRESS,
    _CHANGE_DETECTION,
)


#: Where snapshots are stored: a file, or the URL of a PostgreSQL database, which may contain a password.
SnapshotPlace = Path | str


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The checked settings.

    Attributes:
        start_date: as `mailing_api.values.timestamp` formats it; None for all rows.
        lookback: seconds.
        concurrency: 1 or more.
        max_requests_per_second: None for no limit.
        request_timeout: seconds.
        allow_http: allow http:// to another machine.
        progress: how the run tells how far it is: `auto`, `line` or `off`.
        change_detection: None if every run writes all rows.
    """

    start_date: str | None
    lookback: float
    concurrency: int
    max_requests_per_second: float | None
    request_timeout: float
    allow_http: bool
    progress: str
    change_detection: SnapshotPlace | None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Options:
        """Read and check the settings.

        Raises:
            ConfigurationError: a setting is wrong; the message says what it must be.
        """
        rate = lookup(_RATE, config)
        return cls(
            start_date=_start_date(lookup(_START_DATE, config)),
            lookback=duration(_LOOKBACK.name, lookup(_LOOKBACK, config)),
            concurrency=positive(_CONCURRENCY.name, lookup(_CONCURRENCY, config)),
            max_requests_per_second=None if rate is None else positive(_RATE.name, rate),
            request_timeout=positive(_TIMEOUT.name, lookup(_TIMEOUT, config)),
            allow_http=lookup(ALLOW_HTTP, config) is True,
            progress=lookup(PROGRESS, config),
            change_detection=_place(lookup(_CHANGE_DETECTION, config)),
        )


def _start_date(value: Any) -> str | None:
    try:
        start = values.timestamp(value)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"Setting `start_date` is {shown(value)}, but must be a date or date-time such as 2024-01-31T00:00:00Z."
        ) from None
    # No row is older, and some providers refuse such a filter.
    return start if start and start > values.EARLIEST else None


def _place(value: Any) -> SnapshotPlace | None:
    if value is None:
        return None
    match [(name, member) for name, member in value.items() if member is not None]:
        case [("path", str(path))]:
            return _path(path)
        case [("url", str(url))] if postgres.is_database(url):
            return url
    # The value is not quoted, since it may contain a password.
    raise ConfigurationError(
        "Setting `change_detection` must be an object with either `path`, a file, or `url`, postgresql://…"
    )


def _path(value: str) -> Path:
    if postgres.is_database(value):
        raise ConfigurationError(
            "Setting `change_detection`: `path` holds the URL of a database; give it as `url` instead."
        )
    try:
        return expanded(value)
    except NoHomeError:
        raise ConfigurationError(
            "Setting `change_detection`: `path` begins with `~`, but the home folder is unknown: HOME is not an "
            "absolute path, and this user is not in the password file. Set HOME, or give an absolute path."
        ) from None
    except ValueError as exc:
        raise ConfigurationError(f"Setting `change_detection`: `path` is not a valid path: {exc}.") from None
