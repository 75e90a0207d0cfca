"""The catalog that a run is given, checked.

Catalogs are written by many tools: a member may be absent, null, or in an older place. Absent and null count as not
changed by the user. What cannot be understood is refused, since it may be the deselection of a stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, TypeGuard

from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from singer_sdk.singerlib.schema import Schema

from mailing_api.errors import ConfigurationError
from tap_mailing.input.files import kind_of, quoted
from tap_mailing.streams.base import MailingStream

__all__ = ["read_catalog"]

_METHODS: Final = (REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL)
_FLAGS: Final = ("selected", "selected-by-default")

Json = Mapping[str, Any]


def read_catalog(given: Any, known: Mapping[str, type[MailingStream[Any]]]) -> tuple[dict[str, Any], list[str]]:
    """The catalog as the SDK takes it, and the names of the streams that the tap does not have.

    Args:
        given: what `--catalog` holds.
        known: all streams that the tap has, by name.

    Raises:
        ConfigurationError: tells the stream, the member, and what was expected.
    """
    listed = given.get("streams") if isinstance(given, Mapping) else None
    if not isinstance(listed, (list, tuple)):
        raise ConfigurationError(
            "The file given by --catalog holds JSON of another form: give an object with `streams`, as the tap writes."
        )
    entries: dict[str, dict[str, Any]] = {}
    foreign: list[str] = []
    for place, entry in enumerate(listed, 1):
        name = _name(entry, place, known)
        if name not in known:
            foreign.append(name)
        elif name in entries:
            _refuse(name, "is there twice; leave one entry")
        else:
            entries[name] = _Entry(name, entry, known[name]).read()
    return {"streams": list(entries.values())}, sorted(set(foreign))


def _name(entry: Any, place: int, known: Mapping[str, Any]) -> str:
    if not isinstance(entry, Mapping):
        raise ConfigurationError(
            f"The catalog given by --catalog: entry {place} of `streams` is {kind_of(entry)}, but must be an object."
        )
    names = [entry.get("tap_stream_id"), entry.get("stream")]
    texts = [name for name in names if isinstance(name, str) and name]
    if not texts:
        raise ConfigurationError(
            f"The catalog given by --catalog: entry {place} of `streams` has no `tap_stream_id`, a stream's name."
        )
    return next((name for name in texts if name in known), texts[0])


def _refuse(stream: str, what: str) -> NoReturn:
    raise ConfigurationError(f"The catalog given by --catalog, stream {stream}: {what}.")


class _Entry:
    """One stream's entry while it is read."""

    def __init__(self, name: str, given: Json, stream: type[MailingStream[Any]]) -> None:
        self._name = name
        self._given = given
        self._stream = stream

    def read(self) -> dict[str, Any]:
        metadata = self._metadata()
        schema = self._schema(metadata)
        root = metadata.setdefault((), {})
        self._select(root, self._given.get("selected"), "selected")
        method = self._given.get("replication_method") or root.get("replication-method")
        keys = self._texts(self._given.get("key_properties"), "key_properties")
        if keys is None:
            keys = self._texts(root.get("table-key-properties"), "table-key-properties")
        return {
            "tap_stream_id": self._name,
            "stream": self._name,
            "key_properties": list(self._stream.keys if keys is None else keys),
            "replication_key": self._replication_key(root),
            "replication_method": self._method(method) or self._method(root.get("forced-replication-method")),
            "schema": schema,
            "metadata": [{"breadcrumb": list(place), "metadata": one} for place, one in metadata.items()],
        }

    def _metadata(self) -> dict[tuple[str, ...], dict[str, Any]]:
        given = self._given.get("metadata")
        if given is not None and given != {} and not isinstance(given, (list, tuple)):
            _refuse(self._name, f"`metadata` is {kind_of(given)}, but must be an array")
        found: dict[tuple[str, ...], dict[str, Any]] = {}
        for place, item in enumerate(given or (), 1):
            breadcrumb = item.get("breadcrumb") if isinstance(item, Mapping) else None
            if not isinstance(item, Mapping) or not _are_texts(breadcrumb):
                _refuse(self._name, f"entry {place} of `metadata` must be an object with a `breadcrumb` of texts")
            values = item.get("metadata")
            if values is not None and not isinstance(values, Mapping):
                _refuse(self._name, f"entry {place} of `metadata`: its `metadata` is {kind_of(values)}, not an object")
            own = dict(values or {})
            for flag in _FLAGS:
                own[flag] = self._flag(own.get(flag), flag)
            found[tuple(breadcrumb)] = own
        return found

    def _schema(self, metadata: dict[tuple[str, ...], dict[str, Any]]) -> dict[str, Any]:
        """The schema; flags in it, as the oldest catalogs have them, become metadata."""
        given = self._given.get("schema")
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            _refuse(self._name, f"`schema` is {kind_of(given)}, but must be an object")
        schema = dict(given)
        properties = schema.get("properties")
        if properties is not None and not isinstance(properties, Mapping):
            _refuse(self._name, f"`properties` of `schema` is {kind_of(properties)}, but must be an object")
        self._select(metadata.setdefault((), {}), schema.pop("selected", None), "selected of schema")
        schema["properties"] = {}
        for column, found in (properties or {}).items():
            if found is not None and found is not True and not isinstance(found, Mapping):
                _refuse(self._name, f"column {quoted(column)} of `schema` is {kind_of(found)}, but must be an object")
            own = dict(found) if isinstance(found, Mapping) else {}
            chosen = own.pop("selected", None)
            if chosen is not None:
                self._select(metadata.setdefault(("properties", column), {}), chosen, "selected of schema")
            schema["properties"][column] = own
        try:
            _check_types(schema)
            Schema.from_dict(schema).to_dict()
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            _refuse(self._name, "`schema` is no JSON Schema that the tap can read; take it from the tap's discovery")
        return schema

    def _select(self, metadata: dict[str, Any], chosen: Any, member: str) -> None:
        if metadata.get("selected") is None:
            metadata["selected"] = self._flag(chosen, member)

    def _flag(self, value: Any, member: str) -> bool | None:
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value is not None and not isinstance(value, bool):
            _refuse(self._name, f"`{member}` is {kind_of(value)}, but must be true or false")
        return value

    def _texts(self, value: Any, member: str) -> Sequence[str] | None:
        if value is not None and not _are_texts(value):
            _refuse(self._name, f"`{member}` must be an array of texts")
        return value

    def _replication_key(self, root: Json) -> str | None:
        own = self._stream.bookmark_column
        if root.get("selected") is False:
            return own
        for member, value in (
            ("replication_key", self._given.get("replication_key")),
            ("replication-key", root.get("replication-key")),
        ):
            if value is None:
                continue
            if not isinstance(value, str) or (own is not None and value != own):
                told = quoted(value)
                _refuse(self._name, f"`{member}` is {told}, but must be {own!r}" if own else f"`{member}` is {told}")
            return value
        return own

    def _method(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or value.upper() not in _METHODS:
            _refuse(self._name, f"the replication method is {quoted(value)}, but must be {' or '.join(_METHODS)}")
        return value.upper()


def _check_types(schema: Any) -> None:
    """Raise TypeError where a type is neither a text nor an array of texts, at any depth."""
    if isinstance(schema, Mapping):
        found = schema.get("type")
        if found is not None and not isinstance(found, (str, Mapping)) and not _are_texts(found):
            raise TypeError("no type")
        for one in schema.values():
            _check_types(one)
    elif isinstance(schema, (list, tuple)):
        for one in schema:
            _check_types(one)


def _are_texts(value: Any) -> TypeGuard[Sequence[str]]:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)
