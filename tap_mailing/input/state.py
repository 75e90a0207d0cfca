"""The STATE that a run is given: checked level by level before anything is read.

Null counts as absent at every level. What cannot be understood is refused, since a bookmark that is overlooked means
that everything is read again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from tap_mailing.input.files import kind_of, quoted
from tap_mailing.streams.base import MailingStream

__all__ = ["read_state"]

logger = logging.getLogger(__name__)

#: Members of a stream's entry that the SDK reads, whoever's stream it is.
_SDK_MEMBERS: Final[Mapping[str, type]] = {"partitions": list, "progress_markers": dict}

_KEY: Final = "replication_key"
_VALUE: Final = "replication_key_value"

#: How deep bookmarks are looked for in a STATE that something else was wrapped around.
_DEEPEST: Final = 4

_AGAIN: Final = "or remove the stream's entry to read everything again"


def read_state(given: Any, known: Mapping[str, type[MailingStream[Any]]]) -> dict[str, Any]:
    """The STATE as the SDK takes it.

    Args:
        given: what `--state` holds; None for no STATE.
        known: all streams that the tap has, by name.

    Raises:
        ConfigurationError: tells the stream, the member, and what was expected.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise _other_form(f"{kind_of(given)}")
    if not isinstance(given.get("bookmarks"), Mapping):
        _check_unwrapped(given)
        return {}
    bookmarks = given["bookmarks"]
    if isinstance(bookmarks.get("bookmarks"), Mapping):
        raise _wrapped(("bookmarks",))
    if not bookmarks and (place := _place_of_bookmarks(given)):
        raise _wrapped(place, is_message=given.get("type") == "STATE")
    for name, entry in bookmarks.items():
        if name not in known and isinstance(entry, Mapping) and entry.keys() & known.keys():
            raise ConfigurationError(
                "The file given by --state holds bookmarks one level too deep: put what stands under "
                f"{quoted(name)} of `bookmarks` in its place."
            )
    if bookmarks and not bookmarks.keys() & known.keys():
        logger.warning(
            "STATE has bookmarks for %s, but for none of this tap's streams: everything is read again.",
            ", ".join(map(quoted, sorted(bookmarks)[:5])),
        )
    return {
        "bookmarks": {
            name: _entry(name, entry, known.get(name)) for name, entry in bookmarks.items() if entry is not None
        }
    }


def _check_unwrapped(given: Mapping[str, Any]) -> None:
    """Raise ConfigurationError where something stands in place of bookmarks, or around them."""
    if place := _place_of_bookmarks(given):
        raise _wrapped(place, is_message=given.get("type") == "STATE")
    if given.get("bookmarks") is not None:
        raise _other_form(f"{kind_of(given['bookmarks'])} under `bookmarks`")
    if others := [name for name, value in given.items() if value is not None and name != "bookmarks"]:
        raise _other_form(f"no `bookmarks`, but: {', '.join(map(quoted, others[:5]))}")


def _place_of_bookmarks(given: Mapping[str, Any], deepest: int = _DEEPEST) -> tuple[str, ...] | None:
    for name, value in given.items():
        if not isinstance(value, Mapping):
            continue
        if isinstance(value.get("bookmarks"), Mapping):
            return (name,)
        if deepest > 1 and (place := _place_of_bookmarks(value, deepest - 1)):
            return (name, *place)
    return None


def _entry(name: str, entry: Any, stream: type[MailingStream[Any]] | None) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise _wrong(name, f"the entry is {kind_of(entry)}, but must be an object")
    found = {member: value for member, value in entry.items() if value is not None}
    own = stream.state_members if stream else {}
    for member, kind in {**_SDK_MEMBERS, **own}.items():
        value = found.get(member)
        if value is not None and not isinstance(value, kind):
            raise _wrong(name, f"`{member}` is {kind_of(value)}, but must be {kind_of(kind())}")
    if not all(isinstance(partition, dict) for partition in found.get("partitions", ())):
        raise _wrong(name, "`partitions` must be an array of objects")
    if not all(isinstance(partition.get("progress_markers", {}), dict) for partition in found.get("partitions", ())):
        raise _wrong(name, "`partitions`: `progress_markers` must be an object")
    if stream is not None and stream.bookmark_column is not None:
        _check_bookmark(name, found, stream)
    return found


def _check_bookmark(name: str, entry: Mapping[str, Any], stream: type[MailingStream[Any]]) -> None:
    key = entry.get(_KEY)
    if key is None:
        others = entry.keys() - _SDK_MEMBERS.keys() - stream.state_members.keys()
        if others:
            found = ", ".join(map(quoted, sorted(map(str, others))[:5]))
            raise _wrong(name, f"the entry has {found}, but no `{_KEY}`, which must be '{stream.bookmark_column}'")
    elif not isinstance(key, str):
        raise _wrong(name, f"`{_KEY}` is {kind_of(key)}, but must be '{stream.bookmark_column}'")
    elif key != stream.bookmark_column:
        logger.warning(
            "STATE of stream %s is by %s, but the stream goes by %r: everything is read again.",
            name, quoted(key), stream.bookmark_column,
        )  # fmt: skip


def _wrapped(place: tuple[str, ...], *, is_message: bool = False) -> ConfigurationError:
    what = "a STATE message" if is_message else "STATE inside another object"
    return ConfigurationError(f"The file given by --state holds {what}: give what stands under `{'.'.join(place)}`.")


def _other_form(found: str) -> ConfigurationError:
    return ConfigurationError(
        f"The file given by --state holds JSON of another form: give an object with `bookmarks`, as the tap writes. "
        f"It holds {found}."
    )


def _wrong(stream: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"STATE of stream {stream}: {what}. Correct it, {_AGAIN}.")
