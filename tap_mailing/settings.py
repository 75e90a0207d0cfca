"""Settings of the tap that belong to no provider."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mailing_api import values
from mailing_api.errors import ConfigurationError
from mailing_api.settings import ALLOW_HTTP, Setting, duration, lookup, shown
from mailing_api.storage import postgres
from mailing_api.storage.folders import NoHomeError, expanded

__all__ = ["TAP_SETTINGS", "Options", "SnapshotPlace"]

_START_DATE = Setting(
    name="start_date",
    title="Start date",
    description="Incremental streams read nothing older than this, such as 2024-01-31T00:00:00Z. Unset, or a date "
    "before 1970: everything.",
)
_LOOKBACK = Setting(
    name="lookback",
    title="Look-back",
    description="How far before its bookmark an incremental stream reads again, in seconds or as an ISO 8601 duration "
    "such as PT6H. It covers clocks that differ and changes that a provider shows late; how long a job takes does not "
    "matter, since a job that is not finished holds the bookmark. Default: 86400, one day.",
    type=("string", "number"),
    default=86400,
)
_CONCURRENCY = Setting(
    name="concurrency",
    title="Concurrency",
    description="Requests under way at the same time. Default: 4.",
    type="integer",
    default=4,
)
_RATE = Setting(
    name="max_requests_per_second",
    title="Requests per second",
    description="Never ask faster than this. Unset: as fast as the provider allows; it is asked more slowly by itself "
    "after an answer of too many requests.",
    type="number",
)
_TIMEOUT = Setting(
    name="request_timeout",
    title="Request time-out",
    description="Seconds to wait for a connection, and for a whole answer; a large one has longer, as long as it keeps "
    "coming. Default: 60.",
    type="number",
    default=60,
)

_CHANGE_DETECTION = Setting(
    name="change_detection",
    title="Change detection",
    description="Where to keep a snapshot of the streams that a provider cannot filter: `path`, a file, or `url`, "
    "postgresql://. Of these streams only new and changed rows are written then, and a record with `_sdc_deleted_at` "
    "for each row that is gone. Unset: every run writes all of their rows.",
    type="object",
    secret=True,
)

TAP_SETTINGS = (_START_DATE, _LOOKBACK, _CONCURRENCY, _RATE, _TIMEOUT, ALLOW_HTTP, _CHANGE_DETECTION)


class SnapshotPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where snapshots are kept.

    Attributes:
        path: of a file, or
        url: of a PostgreSQL database; it may hold a password.
    """

    path: Path | None = None
    url: str | None = None


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, checked.

    Attributes:
        start_date: in the form of `mailing_api.values.timestamp`; None for everything.
        lookback: seconds.
        concurrency: 1 or more.
        max_requests_per_second: None for no limit.
        request_timeout: seconds.
        allow_http: http:// may lead to another machine.
        change_detection: None where every run writes all rows.
    """

    start_date: str | None
    lookback: float
    concurrency: int
    max_requests_per_second: float | None
    request_timeout: float
    allow_http: bool
    change_detection: SnapshotPlace | None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Options:
        """Read and check the settings.

        Raises:
            ConfigurationError: names the setting and what it takes.
        """
        return cls(
            start_date=_start_date(lookup(_START_DATE, config)),
            lookback=duration("lookback", lookup(_LOOKBACK, config)),
            concurrency=_positive("concurrency", lookup(_CONCURRENCY, config)),
            max_requests_per_second=_positive("max_requests_per_second", lookup(_RATE, config)),
            request_timeout=_positive("request_timeout", lookup(_TIMEOUT, config)),
            allow_http=lookup(ALLOW_HTTP, config) is True,
            change_detection=_place(lookup(_CHANGE_DETECTION, config)),
        )


def _start_date(value: Any) -> str | None:
    try:
        found = values.timestamp(value)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"Setting `start_date` is {shown(value)}, which is no date or date-time such as 2024-01-31T00:00:00Z."
        ) from None
    # Older than anything: some providers refuse to be asked for it, and all give everything where nothing is asked.
    return found if found and found > values.EARLIEST else None


def _positive(name: str, value: Any) -> Any:
    if value is not None and value <= 0:
        raise ConfigurationError(f"Setting `{name}` is {shown(value)}, but must be greater than 0.")
    return value


def _place(value: Any) -> SnapshotPlace | None:
    if value is None:
        return None
    given = {name: one for name, one in value.items() if one is not None}
    path, url = given.get("path"), given.get("url")
    if len(given) == 1 and isinstance(path, str):
        return SnapshotPlace(path=_path(path))
    if len(given) == 1 and isinstance(url, str) and postgres.is_database(url):
        return SnapshotPlace(url=url)
    # Not quoted: a password may stand in it.
    raise ConfigurationError(
        "Setting `change_detection` must be an object with either `path`, a file, or `url`, postgresql://…"
    )


def _path(value: str) -> Path:
    if postgres.is_database(value):
        raise ConfigurationError("Setting `change_detection`: `path` is no file's name; is it meant as `url`?")
    try:
        return expanded(value)
    except NoHomeError:
        raise ConfigurationError(
            "Setting `change_detection`: `path` begins with `~`, but there is no home folder: HOME is no absolute "
            "path, and this user has no entry in the password file. Set HOME, or give an absolute path."
        ) from None
    except ValueError as exc:
        raise ConfigurationError(f"Setting `change_detection`: `path` is no path: {exc}.") from None
