"""Checks of the catalog that a run is given.

Many tools write catalogs: a member may be absent, null, or in an older place. An absent or null member means that the
user did not change it. Anything unreadable is an error, since it may be the deselection of a stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from singer_sdk.singerlib.schema import Schema

from mailing_api.errors import ConfigurationError
from tap_mailing.input.files import kind_of, quoted
from tap_mailing.streams.base import MailingStream

__all__ = ["read_catalog"]

_METHODS: Final = (REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL)
_FLAGS: Final = ("selected", "selected-by-default")

Metadata = dict[tuple[str, ...], dict[str, Any]]
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class _MetadataItem(msgspec.Struct):
    """An item of an entry's `metadata`."""

    breadcrumb: list[str]
    metadata: dict[str, Any] | None = None


class _Columns(msgspec.Struct):
    """The part of an entry's `schema` with the columns."""

    properties: dict[str, Any] | None = None


class _Members(msgspec.Struct):
    """The members of an entry whose type is checked."""

    schema: _Columns | None = None
    metadata: list[_MetadataItem] | None = None
    key_properties: list[str] | None = None


class _Root(msgspec.Struct, rename="kebab"):
    """The metadata of a stream itself whose type is checked."""

    table_key_properties: list[str] | None = None


def read_catalog(catalog: Any, known: Mapping[str, type[MailingStream[Any]]]) -> tuple[dict[str, Any], list[str]]:
    """The catalog as the SDK reads it, and the names of the streams that the tap does not have.

    Args:
        catalog: the JSON of `--catalog`.
        known: all streams of the tap, by name.

    Raises:
        ConfigurationError: with the stream, the member, and its expected type or value.
    """
    listed = catalog.get("streams") if isinstance(catalog, Mapping) else None
    if not isinstance(listed, (list, tuple)):
        raise ConfigurationError(
            "The file given by --catalog is not a catalog: expected an object with `streams`, as `--discover` prints "
            "it."
        )
    entries: dict[str, dict[str, Any]] = {}
    foreign: set[str] = set()
    for number, entry in enumerate(listed, 1):
        name = _name(entry, number, known)
        if name not in known:
            foreign.add(name)
        elif name in entries:
            _refuse(name, "two entries; remove one of them")
        else:
            entries[name] = _Entry(name, entry, known[name]).read()
    return {"streams": list(entries.values())}, sorted(foreign)


def _name(entry: Any, number: int, known: Mapping[str, Any]) -> str:
    if not isinstance(entry, Mapping):
        raise ConfigurationError(
            f"The catalog given by --catalog: entry {number} of `streams` is {kind_of(entry)}, but must be an object."
        )
    candidates = [entry.get("tap_stream_id"), entry.get("stream")]
    names = [name for name in candidates if isinstance(name, str) and name]
    if not names:
        raise ConfigurationError(
            f"The catalog given by --catalog: entry {number} of `streams` has no `tap_stream_id`, the stream's name."
        )
    return next((name for name in names if name in known), names[0])


def _refuse(stream: str, problem: str) -> NoReturn:
    raise ConfigurationError(f"The catalog given by --catalog, stream {stream}: {problem}.")


class _Entry:
    """Reads one stream's entry."""

    def __init__(self, name: str, entry: Mapping[str, Any], stream: type[MailingStream[Any]]) -> None:
        self._name = name
        metadata = entry.get("metadata")
        # Some tools write an empty object instead of no metadata.
        self._entry = {**entry, "metadata": None if metadata == {} else metadata}
        self._stream = stream

    def read(self) -> dict[str, Any]:
        members = self._convert(self._entry, _Members)
        metadata = self._metadata(members.metadata or ())
        schema = self._schema(metadata)
        root = metadata.setdefault((), {})
        self._select(root, self._entry.get("selected"), "selected")
        keys = members.key_properties
        if keys is None:
            keys = self._convert(root, _Root).table_key_properties
        return {
            "tap_stream_id": self._name,
            "stream": self._name,
            "key_properties": list(self._stream.keys) if keys is None else keys,
            "replication_key": self._replication_key(root),
            "replication_method": self._method(root),
            "schema": schema,
            "metadata": [{"breadcrumb": list(path), "metadata": item} for path, item in metadata.items()],
        }

    def _convert(self, value: Any, kind: type[_Struct]) -> _Struct:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as exc:
            _refuse(self._name, str(exc))

    def _metadata(self, items: Sequence[_MetadataItem]) -> Metadata:
        metadata = {tuple(item.breadcrumb): item.metadata or {} for item in items}
        return {
            path: {**item, **{flag: self._flag(item.get(flag), flag) for flag in _FLAGS}}
            for path, item in metadata.items()
        }

    def _schema(self, metadata: Metadata) -> dict[str, Any]:
        """The schema; the oldest catalogs have flags in it, which become metadata."""
        schema = dict(self._entry.get("schema") or {})
        if not schema:
            return {}
        self._select(metadata.setdefault((), {}), schema.pop("selected", None), "selected of schema")
        columns: dict[str, dict[str, Any]] = {}
        for name, declared in (schema.get("properties") or {}).items():
            if declared is not None and declared is not True and not isinstance(declared, Mapping):
                _refuse(self._name, f"column {quoted(name)} of `schema` is {kind_of(declared)}, but must be an object")
            column = dict(declared) if isinstance(declared, Mapping) else {}
            selected = column.pop("selected", None)
            if selected is not None:
                self._select(metadata.setdefault(("properties", name), {}), selected, "selected of schema")
            columns[name] = column
        schema["properties"] = columns
        try:
            _check_types(schema)
            Schema.from_dict(schema).to_dict()
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            _refuse(self._name, "`schema` is not a valid JSON Schema; copy it from the output of `--discover`")
        return schema

    def _select(self, metadata: dict[str, Any], selected: Any, member: str) -> None:
        if metadata.get("selected") is None:
            metadata["selected"] = self._flag(selected, member)

    def _flag(self, value: Any, member: str) -> bool | None:
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if value is not None and not isinstance(value, bool):
            _refuse(self._name, f"`{member}` is {kind_of(value)}, but must be true or false")
        return value

    def _replication_key(self, root: Mapping[str, Any]) -> str | None:
        own = self._stream.bookmark_column
        if root.get("selected") is False:
            return own
        members = {
            "replication_key": self._entry.get("replication_key"),
            "replication-key": root.get("replication-key"),
        }
        for member, value in members.items():
            if value is None:
                continue
            if not isinstance(value, str) or (own is not None and value != own):
                expected = f", but must be {own!r}" if own else ""
                _refuse(self._name, f"`{member}` is {quoted(value)}{expected}")
            return value
        return own

    def _method(self, root: Mapping[str, Any]) -> str | None:
        methods = (
            self._entry.get("replication_method") or root.get("replication-method"),
            root.get("forced-replication-method"),
        )
        for value in filter(None, methods):
            if not isinstance(value, str) or value.upper() not in _METHODS:
                _refuse(self._name, f"the replication method is {quoted(value)}, but must be {' or '.join(_METHODS)}")
            return value.upper()
        return None


def _check_types(schema: Any) -> None:
    """Raise ValidationError if a type is neither a string nor an array of strings, at any depth."""
    if isinstance(schema, Mapping):
        types = schema.get("type")
        if not isinstance(types, Mapping):  # a column of this name
            msgspec.convert(types, str | list[str] | None)
        for member in schema.values():
            _check_types(member)
    elif isinstance(schema, (list, tuple)):
        for item in schema:
            _check_types(item)
