"""Checks of the STATE that a run is given, before anything is read.

A null value is the same as no value, at every level. Anything unreadable is an error, since without its bookmark a
stream reads everything again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from tap_mailing.input.files import kind_of, quoted
from tap_mailing.streams.base import MailingStream

__all__ = ["read_state"]

logger = logging.getLogger(__name__)


class _Partition(msgspec.Struct):
    progress_markers: dict[str, Any] = {}


#: Members of every stream's entry that the SDK reads.
_SDK_MEMBERS: Final[Mapping[str, Any]] = {"partitions": list[_Partition], "progress_markers": dict}

_KEY: Final = "replication_key"

#: The deepest level at which bookmarks are searched in a STATE inside other objects.
_DEEPEST: Final = 4


def read_state(state: Any, known: Mapping[str, type[MailingStream[Any]]]) -> dict[str, Any]:
    """The STATE as the SDK reads it.

    Args:
        state: the JSON of `--state`; None for no STATE.
        known: all streams of the tap, by name.

    Raises:
        ConfigurationError: with the stream, the member, and its expected type or value.
    """
    if state is None:
        return {}
    if not isinstance(state, Mapping):
        raise _not_a_state(kind_of(state))
    if not isinstance(state.get("bookmarks"), Mapping):
        _check_unwrapped(state)
        return {}
    bookmarks = state["bookmarks"]
    if isinstance(bookmarks.get("bookmarks"), Mapping):
        raise _wrapped(("bookmarks",), state)
    if not bookmarks and (path := _path_to_bookmarks(state)):
        raise _wrapped(path, state)
    for name, entry in bookmarks.items():
        if name not in known and isinstance(entry, Mapping) and known.keys() & entry.keys():
            raise ConfigurationError(
                "The file given by --state has bookmarks one level too deep: replace `bookmarks` by its member "
                f"{quoted(name)}."
            )
    if bookmarks and not known.keys() & bookmarks.keys():
        logger.warning(
            "STATE has bookmarks for %s, but for none of this tap's streams: this run reads everything again.",
            ", ".join(map(quoted, sorted(bookmarks)[:5])),
        )
    return {
        "bookmarks": {
            name: _entry(name, entry, known.get(name)) for name, entry in bookmarks.items() if entry is not None
        }
    }


def _check_unwrapped(state: Mapping[str, Any]) -> None:
    """Raise ConfigurationError if the bookmarks are deeper, or if the object has other members instead of them."""
    if path := _path_to_bookmarks(state):
        raise _wrapped(path, state)
    if state.get("bookmarks") is not None:
        raise _not_a_state(f"{kind_of(state['bookmarks'])} as `bookmarks`")
    if others := [name for name, value in state.items() if value is not None and name != "bookmarks"]:
        raise _not_a_state(f"an object with {', '.join(map(quoted, others[:5]))}")


def _path_to_bookmarks(state: Mapping[str, Any], deepest: int = _DEEPEST) -> tuple[str, ...] | None:
    for name, value in state.items():
        if not isinstance(value, Mapping):
            continue
        if isinstance(value.get("bookmarks"), Mapping):
            return (name,)
        if deepest > 1 and (path := _path_to_bookmarks(value, deepest - 1)):
            return (name, *path)
    return None


def _entry(name: str, entry: Any, stream: type[MailingStream[Any]] | None) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise _wrong(name, f"the entry is {kind_of(entry)}, but must be an object")
    members = {member: value for member, value in entry.items() if value is not None}
    for member, kind in {**_SDK_MEMBERS, **(stream.state_members if stream else {})}.items():
        try:
            msgspec.convert(members.get(member), kind | None)
        except msgspec.ValidationError as exc:
            raise _wrong(name, f"`{member}`: {exc}") from None
    if stream is not None and stream.bookmark_column is not None:
        _check_bookmark(name, members, stream)
    return members


def _check_bookmark(name: str, entry: Mapping[str, Any], stream: type[MailingStream[Any]]) -> None:
    key = entry.get(_KEY)
    if key is None:
        others = entry.keys() - _SDK_MEMBERS.keys() - stream.state_members.keys()
        if others:
            names = ", ".join(map(quoted, sorted(map(str, others))[:5]))
            raise _wrong(name, f"the entry has {names}, but no `{_KEY}`, which must be '{stream.bookmark_column}'")
    elif not isinstance(key, str):
        raise _wrong(name, f"`{_KEY}` is {kind_of(key)}, but must be '{stream.bookmark_column}'")
    elif key != stream.bookmark_column:
        logger.warning(
            "STATE of stream %s has the replication key %s, but the stream's is %r: this run reads everything again.",
            name, quoted(key), stream.bookmark_column,
        )  # fmt: skip


def _wrapped(path: tuple[str, ...], state: Mapping[str, Any]) -> ConfigurationError:
    content = "a STATE message" if state.get("type") == "STATE" else "STATE inside another object"
    return ConfigurationError(f"The file given by --state has {content}: pass only its member `{'.'.join(path)}`.")


def _not_a_state(content: str) -> ConfigurationError:
    return ConfigurationError(
        "The file given by --state is not a STATE: expected an object with `bookmarks`, as the tap writes it, but it "
        f"has {content}."
    )


def _wrong(stream: str, problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"STATE of stream {stream}: {problem}. Correct it, or remove the stream from `bookmarks` to read everything "
        "again."
    )
