"""The target's settings, read and resolved for each stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.settings import duration, filled, positive, shown
from mailing_api.suggestions import did_you_mean
from target_mailing.settings.declared_settings import BATCH_DEFAULTS, BY_NAME, NO_JOURNAL, value_of

__all__ = ["StreamSettings", "check_entries", "is_entry_of", "resolved"]

#: Values in `mapping` for a column that is not read, as in `stream_maps`.
_NULLS: Final = (None, "__NULL__")
_DURATIONS: Final = frozenset(
    {"resend_window", "batch_max_age", "job_timeout", "job_abandon", "poll_interval", "poll_max_interval"}
)

#: Actions that put contacts on a list.
_ADDING: Final = ("addnoforce", "addforce")
_ADDING_SHOWN: Final = " and ".join(f"`{one}`" for one in _ADDING)
#: Minimum seconds between two polls of a job.
_LEAST_POLL: Final = 0.01


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that may differ between streams, resolved for one; durations in seconds.

    Attributes:
        named: the stream has an entry in `streams`.
        left_out: columns that `mapping` sets to null, so that they are not read; these are not in `mapping`.
        unset: settings of batches that are not set, so that a provider's own defaults apply.
    """

    list: str | int | Sequence[str | int] | None
    scope: Literal["list", "account"]
    create_list: bool
    action: str
    action_column: str | None
    mapping: dict[str, str]
    properties: Sequence[str] | str | None
    create_properties: bool
    nulls: Literal["skip", "clear"]
    validate_records: bool
    consent: Literal["respect", "force"]
    route: str | None
    send: Literal["changed", "all"]
    resend_window: float
    batch_rows: int
    batch_bytes: int
    batch_max_age: float
    job_timeout: float
    job_abandon: float
    poll_interval: float
    poll_max_interval: float
    on_unknown_stream: Literal["fail", "skip"]
    on_key_change: Literal["remove", "keep"]
    sync: Literal["upsert", "mirror"]
    mirror_scope: Literal["stream", "list"]
    mirror_action: Literal["remove", "unsubscribe"]
    whole_count: str | None
    whole: bool
    named: bool
    left_out: frozenset[str]
    unset: Sequence[str] = ()

    @classmethod
    def resolve(cls, config: Mapping[str, Any], stream: str | None) -> StreamSettings:
        """The settings for a stream: the entry of its exact name wins over those of patterns that match.

        Raises:
            ConfigurationError: a value is of the wrong type or out of bounds, or cannot differ between streams.
        """
        names = [name for name in cls.__struct_fields__ if name in BY_NAME]
        values = {name: value_of(name, config) for name in names}
        overrides = _overrides(config, stream) if stream is not None else []
        places = {name: name for name in names}  # the source of each value, for messages
        for pattern, given in overrides:
            if not isinstance(given, Mapping):
                raise ConfigurationError(
                    f"Setting `streams.{pattern}` must be an object of settings, such as "
                    '{"mapping": {"email": "mail"}}.'
                )
            if wrong := sorted(set(given) - set(names)):
                _refuse_split_name(pattern, given, names)
                raise ConfigurationError(
                    f"Setting `streams.{pattern}` cannot contain {', '.join(map(repr, wrong))}."
                    f"{did_you_mean(wrong, names)} A stream can have: {', '.join(names)}."
                )
            values |= filled(given)
            places |= {name: f"{name}` of `streams.{pattern}" for name in filled(given)}
        values["mapping"], left_out = _without_nulls(values["mapping"])
        unset = [name for name in BATCH_DEFAULTS if values[name] is None]
        values |= {name: BATCH_DEFAULTS[name] for name in unset}
        for name in _DURATIONS:
            values[name] = duration(places[name], values[name])
        for name, value in values.items():
            values[name] = _convert(name, value, places[name])
        settings = cls(**values, named=bool(overrides), left_out=left_out, unset=unset)
        for name in ("poll_interval", "poll_max_interval"):
            if values[name] < _LEAST_POLL:
                raise ConfigurationError(
                    f"Setting `{places[name]}` is {values[name]:g} seconds, which would flood the provider; it must "
                    f"be at least {_LEAST_POLL}."
                )
        for name in BATCH_DEFAULTS:
            positive(places[name], values[name])
        settings._check_mirror(config, places)
        return settings

    @property
    def is_mirror(self) -> bool:
        """Whether who is absent from the stream is taken off."""
        return self.sync == "mirror"

    @property
    def mirrors_list(self) -> bool:
        """Whether a mirror takes off everybody on the list whom the input does not name."""
        return self.mirror_scope == "list"

    def _check_mirror(self, config: Mapping[str, Any], places: Mapping[str, str]) -> None:
        """Check the settings of a mirror.

        Raises:
            ConfigurationError: a mirror cannot be kept with them, or they have no meaning without one.
        """
        if not self.is_mirror:
            for name in ("whole_count", "whole"):
                if getattr(self, name):
                    raise ConfigurationError(
                        f"Setting `{places[name]}` says when an input is whole, which matters only with `sync: "
                        "mirror`. Set that, too, or unset this one."
                    )
            if self.mirrors_list:
                raise ConfigurationError(
                    f"Setting `{places['mirror_scope']}` is list, which matters only with `sync: mirror`. Set that, "
                    "too, or `mirror_scope: stream`."
                )
            return
        reasons = (
            (self.action not in _ADDING, "action", f"{self.action}, and a mirror adds; choose one of {_ADDING_SHOWN}"),
            (self.scope != "list", "scope", "account, and a mirror is kept of a list; set `scope: list`"),
            (self.on_key_change == "keep", "on_key_change", "keep, which leaves former addresses; set `remove`"),
            (value_of("journal", config) == NO_JOURNAL, "journal", "off, and only a journal knows who is absent"),
            (self.whole and self.whole_count, "whole", "true, and `whole_count` is set; set only one of them"),
        )
        for is_wrong, name, why in reasons:
            if is_wrong:
                where = places.get(name, name)
                raise ConfigurationError(f"Setting `{places['sync']}` is mirror, but `{where}` is {why}.")

    @property
    def lists(self) -> Sequence[str]:
        """The lists in the setting `list`, as strings."""
        if self.list is None:
            return []
        if isinstance(self.list, (str, int)):
            return [str(self.list)]
        return [str(one) for one in self.list]


_TYPES: Final = msgspec.structs.fields(StreamSettings)


def _without_nulls(mapping: Any) -> tuple[Any, frozenset[str]]:
    """A mapping of columns, and the columns that it sets to null."""
    if not isinstance(mapping, Mapping):
        return mapping, frozenset()
    left_out = frozenset(name for name, column in mapping.items() if column in _NULLS)
    return {name: column for name, column in mapping.items() if name not in left_out}, left_out


def _convert(name: str, value: Any, place: str) -> Any:
    annotation = next(field.type for field in _TYPES if field.name == name)
    try:
        return msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        raise ConfigurationError(f"Setting `{place}` is {shown(value)}; it must be {BY_NAME[name].expected}.") from None


def _overrides(config: Mapping[str, Any], stream: str) -> list[tuple[str, dict[str, Any]]]:
    streams = config.get("streams") or {}
    matching = [(pattern, given or {}) for pattern, given in streams.items() if is_entry_of(pattern, stream)]
    return sorted(matching, key=lambda one: one[0] == stream)


def _refuse_split_name(pattern: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise ConfigurationError for the first part of a stream's name with dots, where Meltano splits names."""
    rest = next((name for name, one in given.items() if name not in known and isinstance(one, Mapping)), None)
    if rest is None:
        return
    parts, inner = [pattern, rest], given[rest]
    while len(inner) == 1 and isinstance(one := inner[name := next(iter(inner))], Mapping) and name not in known:
        parts.append(name)
        inner = one
    raise ConfigurationError(
        f"Setting `streams.{pattern}` cannot contain {rest!r}. Meltano splits names at dots: for the stream "
        f"'{'.'.join(parts)}' write `{'?'.join(parts)}`, with a question mark for each dot."
    )


def check_entries(config: Mapping[str, Any]) -> None:
    """Check the general settings, and those of each entry of `streams`.

    Raises:
        ConfigurationError: one of them is wrong.
    """
    resolved(config)


def resolved(config: Mapping[str, Any]) -> list[StreamSettings]:
    """The general settings, and those of each entry of `streams`.

    Raises:
        ConfigurationError: one of them is wrong.
    """
    return [StreamSettings.resolve(config, pattern) for pattern in (None, *(config.get("streams") or {}))]


def is_entry_of(pattern: str, stream: str) -> bool:
    """Whether an entry of `streams` matches a stream."""
    return pattern == stream or fnmatchcase(stream, pattern)
