"""Errors for stream maps whose expression failed on a row: they name the setting and the failure, not the row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from traceback import walk_tb
from typing import Any

from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import did_you_mean

__all__ = ["check_aliases", "map_failure", "maps_without_stream"]


def map_failure(stream: str, exc: Exception, *, where: str = "a row") -> ConfigurationError:
    """Return the error for an exception in an expression.

    Args:
        stream: the stream of the map.
        exc: the exception; its message may quote the row.
        where: the row, for the message.
    """
    column = _column(exc)
    cause = exc.__cause__ if isinstance(exc.__cause__, Exception) else exc
    kind = type(cause).__name__
    advice = ". Correct the expression, so that it accepts every value of the column."
    if kind == "NameNotDefined":
        advice = ", since it uses a name that the row does not have. Correct the name, or use `record.get('name')`."
    elif kind == "AttributeDoesNotExist" or isinstance(cause, (TypeError, AttributeError, LookupError)):
        advice = ". The value may be null or of another type: handle that, as in `x.title() if x else None`."
    return ConfigurationError(
        f"Setting `stream_maps.{stream}{column and f'.{column}'}`: the expression failed on {where} ({kind}){advice}"
    )


def check_aliases(stream: str, maps: Iterable[Any]) -> None:
    """Check that the maps of a stream give it a name.

    Raises:
        ConfigurationError: a map's alias is not a name.
    """
    for stream_map in maps:
        if not isinstance(stream_map.stream_alias, str) or not stream_map.stream_alias:
            raise ConfigurationError(
                f"Setting `stream_maps`: the `__alias__` of stream {stream!r} is not a name: set it to a name, or to "
                "an expression that returns a string."
            )


def maps_without_stream(maps: Mapping[str, Any], streams: Iterable[str]) -> str:
    """Return the message for maps of no stream, most often because of a wrong name; "" if there are none."""
    names = list(streams)
    unused = [
        name
        for name, options in maps.items()
        if not name.startswith("__") and not any(_is_of(name, options, stream) for stream in names)
    ]
    if not unused or not names:
        return ""
    return f"there is no stream for {', '.join(map(repr, unused))}; there are: {', '.join(map(repr, names))}." + (
        did_you_mean(unused, names)
    )


def _is_of(name: str, options: Any, stream: str) -> bool:
    source = options.get("__source__") if isinstance(options, Mapping) else None
    return fnmatchcase(stream, name) or source == stream


def _column(exc: Exception) -> str:
    """The column, or the option, whose expression failed, from the traceback: the SDK's errors do not name it."""
    column = ""
    for frame, _ in walk_tb(exc.__traceback__):
        if frame.f_code.co_name == "_eval" and "property_name" in frame.f_locals:
            column = frame.f_locals["property_name"] or "__filter__"
    return str(column)
