"""A stream's records, decoded and checked against its SCHEMA.

Where the schema holds only types and bounds, which is nearly always, msgspec checks while it decodes. A record that it
does not accept, and every other schema, goes to a JSON Schema validator, so the result is the same.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial, reduce
from operator import attrgetter, or_
from typing import Annotated, Any, Literal

import fastjsonschema
import msgspec
from msgspec import UNSET, UnsetType

from mailing_api.errors import ConfigurationError
from target_mailing.contacts.fields import RowRejected
from target_mailing.contacts.mapping import Values
from target_mailing.input.dialects import checked_schema
from target_mailing.input.schema_safety import NO_DOCUMENTS

__all__ = ["RecordReader"]

_SCALARS: Mapping[str, Sequence[Any]] = {
    "string": [str],
    "integer": [int],
    "number": [int, float],
    "boolean": [bool],
    "null": [None],
}
_TYPES = {*_SCALARS, "array", "object"}
#: By type, the words for its bounds, and their names in msgspec.
_BOUNDS: Mapping[Any, Mapping[str, str]] = {
    str: {"minLength": "min_length", "maxLength": "max_length"},
    int: {"minimum": "ge", "maximum": "le"},
    float: {"minimum": "ge", "maximum": "le"},
}
#: Bounds that msgspec compares exactly; the validator is left to judge by others.
_EXACT = {str: range(1 << 31), int: range(-1 << 63, 1 << 63), float: range(-1 << 53, 1 << 53)}
#: A name of a type that may be shown; other strings may be anything.
_SHOWN = re.compile(r"[A-Za-z][A-Za-z_.-]{0,30}")


class RecordReader:
    """Reads the records of one stream.

    Attributes:
        record_type: the type that msgspec decodes a fitting record to; None where the schema holds more than types and
            bounds.
        values: the needed values of a record of that type.
    """

    record_type: type | None
    values: Callable[[Any], Values]

    def __init__(
        self,
        stream: str,
        schema: Mapping[str, Any],
        needed: Sequence[tuple[str, Any]],
        *,
        checks: bool = True,
        need_not_fit: Callable[[Mapping[str, Any]], bool] = lambda _: False,
    ) -> None:
        """Compile the schema of the columns that are needed.

        Args:
            stream: for messages.
            schema: JSON Schema of the records, of any draft.
            needed: two or more columns, each with the value that stands for its absence.
            checks: records are checked against the schema.
            need_not_fit: whether a record is accepted although it does not fit the schema.

        Raises:
            ConfigurationError: it is not a valid JSON Schema.
        """
        names = list(dict.fromkeys(name for name, _ in needed))
        checked = checked_schema(schema if checks else {}, names)
        self._validate = _compiled(stream, checked) if checks else None
        self._needed = needed
        self._need_not_fit = need_not_fit
        self.record_type = None
        columns = {name: _column_type(checked["properties"].get(name, {})) for name in names}
        if _UNKNOWN not in columns.values():
            distinct = {name for name, absent in needed if absent is UNSET}
            self.record_type = _record_type(columns, checked["required"], distinct)
            self.values = attrgetter(*(f"_{names.index(name)}" for name, _ in needed))
            if any(name in distinct and absent is None for name, absent in needed):
                self.values = partial(_with_absents, self.values, [absent for _, absent in needed])

    def check(self, record: Mapping[str, Any]) -> Values:
        """The needed values of a record that is decoded already.

        Raises:
            RowRejected: it does not fit the schema, and must; or `need_not_fit` raised.
        """
        if self._validate is not None and not self._need_not_fit(record):
            try:
                self._validate(record)
            except fastjsonschema.JsonSchemaValueException as no:
                raise RowRejected("schema_invalid", str(no.message)) from None
            except (ArithmeticError, RecursionError, TypeError) as exc:
                raise RowRejected("schema_invalid", f"it cannot be checked ({type(exc).__name__})") from None
        return self.values_of(record)

    def values_of(self, record: Mapping[str, Any]) -> Values:
        """The needed values of a record, whether or not it fits."""
        return tuple(record.get(name, absent) for name, absent in self._needed)


def _compiled(stream: str, schema: dict[str, Any]) -> Callable[[Any], Any]:
    try:
        return _compile(schema)
    except Exception as exc:  # noqa: BLE001 - a wrong schema may cause any error in the compiler
        why = type(exc).__name__
    for name, column in schema["properties"].items():
        try:
            _compile(schema | {"properties": {name: column}})
        except Exception:  # noqa: BLE001 - see above
            where = f"the SCHEMA of its column {name!r}"
            if unknown := _unknown_type(column):
                why = f"unknown type {unknown!r}"
            break
    else:
        where = "its SCHEMA"
    raise ConfigurationError(
        f"Stream {stream!r}: {where} is not a valid JSON Schema ({why}). Fix it at the tap, or set "
        "`validate_records: false`."
    )


def _unknown_type(column: Any) -> str | None:
    """The first type of a column that JSON Schema does not define, if it can be shown."""
    names = column.get("type") if isinstance(column, Mapping) else None
    names = names if isinstance(names, list) else [names]
    return next((one for one in names if isinstance(one, str) and one not in _TYPES and _SHOWN.fullmatch(one)), None)


def _compile(schema: dict[str, Any]) -> Callable[[Any], Any]:
    validate: Callable[[Any], Any] = fastjsonschema.compile(
        copy.deepcopy(schema), handlers=NO_DOCUMENTS, use_formats=False, use_default=False
    )
    return validate


def _with_absents(get: Callable[[Any], Values], absents: Sequence[Any], record: Any) -> Values:
    """The values of a record, each absent one with its own stand-in."""
    return tuple(absent if value is UNSET else value for value, absent in zip(get(record), absents, strict=True))


def _record_type(columns: Mapping[str, Any], required: Iterable[str], distinct: Container[str]) -> type | None:
    """A struct of these columns, with attributes named after their positions.

    An absent column is null, or UNSET in a column of `distinct`.
    """
    fields: list[Any] = []
    for at, (name, column) in enumerate(columns.items()):
        if name in required:
            fields.append((f"_{at}", column))
        elif name in distinct:
            fields.append((f"_{at}", column | UnsetType, UNSET))
        else:
            fields.append((f"_{at}", column, None))
    try:
        rename = {f"_{at}": name for at, name in enumerate(columns)}
        record_type = msgspec.defstruct("Record", fields, rename=rename, kw_only=True, gc=False)
        msgspec.json.Decoder(record_type)
    except (TypeError, ValueError):  # a name or a type that msgspec does not support
        return None
    return record_type


_UNKNOWN = object()


def _column_type(column: Any) -> Any:
    """The type of a column; _UNKNOWN where its schema holds more than types and bounds."""
    if not isinstance(column, Mapping):
        return _UNKNOWN
    words = column.keys() - {"type"}
    names = column.get("type")
    if names is None:
        return Any if not words else _UNKNOWN
    names = [names] if isinstance(names, str) else names
    if words == {"enum"}:
        values = column["enum"]
        are_strings = all(isinstance(value, str) or value is None for value in values)
        return Literal[tuple(values)] if are_strings and {"string", "null"} >= set(names) else _UNKNOWN
    options = [_option(name, column, words) for name in names]
    if not options or any(option is _UNKNOWN for option in options):
        return _UNKNOWN
    return reduce(or_, dict.fromkeys(options))  # one type may be named twice


def _option(name: str, column: Mapping[str, Any], words: Iterable[str]) -> Any:
    if set(words) - {"items", "additionalProperties"}.union(*_BOUNDS.values()):
        return _UNKNOWN
    if name in _SCALARS:
        kinds = [_bounded(kind, column) for kind in _SCALARS[name]]
        return _UNKNOWN if _UNKNOWN in kinds else reduce(or_, kinds)
    if name == "array":
        items = _column_type(column.get("items", {}))
        return _UNKNOWN if items is _UNKNOWN else list.__class_getitem__(items)
    if name == "object":
        values = column.get("additionalProperties", True)
        inner = Any if values is True else _column_type(values)
        return _UNKNOWN if inner is _UNKNOWN else dict.__class_getitem__((str, inner))
    return _UNKNOWN


def _bounded(kind: Any, column: Mapping[str, Any]) -> Any:
    """A type with the bounds that a column gives it; _UNKNOWN where msgspec cannot have them."""
    bounds = {meta: column[word] for word, meta in _BOUNDS.get(kind, {}).items() if word in column}
    if not all(type(bound) is int and bound in _EXACT[kind] for bound in bounds.values()):
        return _UNKNOWN
    return Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind
