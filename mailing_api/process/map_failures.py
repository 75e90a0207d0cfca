"""What is said of a stream map whose expression failed on a row: the setting and the kind of failure, never the row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import did_you_mean

__all__ = ["check_aliases", "map_failure", "maps_without_stream"]


def map_failure(stream: str, exc: Exception, *, where: str = "a row") -> ConfigurationError:
    """The error for what an expression raised.

    Args:
        stream: whose map it is.
        exc: what was raised; its text may quote the row.
        where: which row it was.
    """
    column = _column(exc)
    cause = exc.__cause__ if isinstance(exc.__cause__, Exception) else exc
    kind = type(cause).__name__
    told = f"Setting `stream_maps.{stream}{column and f'.{column}'}`: the expression failed on {where} ({kind})"
    if kind == "NameNotDefined":
        return ConfigurationError(
            f"{told}, since it uses a name that the row does not have. Correct the name, or use `record.get('name')`."
        )
    if kind == "AttributeDoesNotExist" or isinstance(cause, (TypeError, AttributeError, LookupError)):
        return ConfigurationError(
            f"{told}. The value may be null or of another type there: allow for that, as in `x.title() if x else None`."
        )
    return ConfigurationError(f"{told}. Correct the expression, so that it takes every value of the column.")


def check_aliases(stream: str, maps: Iterable[Any]) -> None:
    """See that the maps of a stream give it a name.

    Raises:
        ConfigurationError: one of them makes something else of it.
    """
    for one in maps:
        if not isinstance(one.stream_alias, str) or not one.stream_alias:
            raise ConfigurationError(
                f"Setting `stream_maps`: `__alias__` makes no name of stream {stream!r}: give a name, or an expression "
                "that gives a text."
            )


def maps_without_stream(maps: Mapping[str, Any], streams: Iterable[str]) -> str:
    """What to say of maps that are for none of these streams, most often since the name is wrong; "" for nothing."""
    names = list(streams)
    unused = [
        name
        for name, one in maps.items()
        if not name.startswith("__") and not any(_is_of(name, one, to) for to in names)
    ]
    if not unused or not names:
        return ""
    return f"there is no stream for {', '.join(map(repr, unused))}; there are: {', '.join(map(repr, names))}." + (
        did_you_mean(unused, names)
    )


def _is_of(name: str, given: Any, stream: str) -> bool:
    source = given.get("__source__") if isinstance(given, Mapping) else None
    return fnmatchcase(stream, name) or source == stream


def _column(exc: Exception) -> str:
    """The column, or the option, whose expression was evaluated when it failed: the SDK's errors do not tell."""
    column, step = "", exc.__traceback__
    while step is not None:
        found = step.tb_frame.f_locals
        if step.tb_frame.f_code.co_name == "_eval" and "property_name" in found:
            column = found["property_name"] or "__filter__"
        step = step.tb_next
    return str(column)
