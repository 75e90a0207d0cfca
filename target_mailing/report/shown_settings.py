"""The settings that a report shows: what decided how rows ended. None of them is a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from mailing_api.counted import counted, lasting
from mailing_api.process.log_filter import safe_line
from mailing_api.settings import filled
from target_mailing.settings.declared_settings import value_of

__all__ = ["Shown", "shown_settings"]

#: In the order of the page.
_NAMES: Final = (
    "list", "scope", "create_list", "route", "action", "action_column", "consent", "send", "resend_window", "sync",
    "mirror_scope", "mirror_action", "whole_count", "whole", "on_key_change", "on_unknown_stream", "max_removals",
    "allow_removals_once", "max_rejected", "validate_records", "nulls", "properties", "batch_rows", "jobs_in_flight",
    "max_requests_per_second", "job_timeout", "job_abandon",
)  # fmt: skip
#: Settings that are durations, which may be given as seconds.
_DURATIONS: Final = frozenset({"resend_window", "job_timeout", "job_abandon"})
#: Characters of a value that are shown.
_MOST: Final = 200


class Shown(NamedTuple):
    """A setting: its name, its value as text, and whether it is the default."""

    name: str
    value: str
    is_default: bool


def shown_settings(config: Mapping[str, Any]) -> Iterator[Shown]:
    """Those that have a value: the general ones, then those of the entries of `streams`."""
    given = filled(config)
    for name in _NAMES:
        if (value := value_of(name, config)) is not None:
            is_default = value == value_of(name, {})  # the SDK puts defaults into the settings
            yield Shown(name, _text(name, value), is_default=is_default)
    for pattern, own in (given.get("streams") or {}).items():
        if isinstance(own, Mapping):
            yield from (
                Shown(safe_line(f"streams.{pattern}.{name}"), _text(name, own[name]), is_default=False)
                for name in _NAMES
                if own.get(name) is not None
            )


def _text(name: str, value: Any) -> str:
    if name in _DURATIONS and isinstance(value, int | float):
        return _long(value)
    text = safe_line(value if isinstance(value, str) else msgspec.json.encode(value).decode())
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"


def _long(seconds: float) -> str:
    """Seconds as people say them: whole days as days, and the rest as `lasting` does."""
    days, rest = divmod(seconds, 86_400)
    return counted(int(days), "day") if days and not rest else lasting(seconds)
