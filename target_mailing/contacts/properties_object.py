"""The column `properties`: an object of the account's own fields; pure, compiled once per stream."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from msgspec import UNSET

from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import listed
from target_mailing.contacts.columns import Column, Rows
from target_mailing.contacts.fields import UNFIT, Field, Fields, RowRejected, wrong_type
from target_mailing.contacts.properties import PropertyNames
from target_mailing.contacts.values import from_json_text

__all__ = ["LEAVE_OUT", "PropertiesObject", "check_members"]

#: What to do about a column of that name which holds something else.
LEAVE_OUT: Final = 'add {"properties": null} to `mapping`, so that the column is not read'
#: Objects are read by column, unless that takes this many times as many places as they have members.
_SPARSE: Final = 4


class PropertiesObject:
    """Reads the column's values."""

    def __init__(self, column: str, fields: Fields, *, clear_nulls: bool) -> None:
        """Compile it.

        Args:
            column: the stream's column that holds the objects.
            fields: the fields of the destination.
            clear_nulls: a null clears the property; else it leaves the property as it is.
        """
        self._column = f"column {column}"
        self._fields = fields
        self._names = PropertyNames(fields)
        self._clear_nulls = clear_nulls
        self._hint = (
            f"rows are rejected because of column {column!r}, which is read as an object of the account's properties. "
            f"If it is something else, {LEAVE_OUT}"
        )

    def __call__(self, value: Any) -> dict[str, Any]:
        """The properties in a value that is not null.

        Raises:
            RowRejected: unknown_property, wrong_type.
        """
        try:
            return self._properties_of(value)
        except RowRejected as no:
            no.hint = self._hint
            raise

    @property
    def field(self) -> Field:
        """The field that reads the column."""
        return Field(self, self._read_all)

    def _read_all(self, values: Sequence[Any]) -> Sequence[dict[str, Any]] | None:
        """Many values, where all are objects of which each member fits the property of its name."""
        if {*map(type, values)} != {dict}:
            return None
        names = dict.fromkeys(chain.from_iterable(values))
        if len(names) * len(values) > _SPARSE * sum(map(len, values)):
            return None
        if any(name != self._names.find(name) for name in names):
            return None
        absent = UNSET if self._clear_nulls else None
        rows = Rows([[members.get(name, absent) for members in values] for name in names], len(values))
        fields = [(name, self._fields.properties[name]) for name in names]
        columns = [Column(at, "", name, field.convert, field.convert_all) for at, (name, field) in enumerate(fields)]
        properties = rows.by_name(columns, keep_nulls=self._clear_nulls)
        return None if rows.rejected else properties

    def _properties_of(self, value: Any) -> dict[str, Any]:
        try:
            members = from_json_text(value, "an object")
        except UNFIT as exc:
            raise wrong_type(self._column, value, exc) from None
        if members is None:
            return {}
        if not isinstance(members, dict):
            raise RowRejected("wrong_type", f"{self._column}: not an object")
        properties: dict[str, Any] = {}
        for name, member in members.items():
            own = self._names.find(name)
            if own is None:
                raise RowRejected("unknown_property", f"{self._column}: {name!r} is not a property of the account")
            if own != name and (own in members or own in properties):
                reason = f"{self._column}: {name!r} and another name are both the property {own!r}"
                raise RowRejected("unknown_property", reason)
            try:
                converted = None if member is None else self._fields.properties[own].convert(member)
            except UNFIT as exc:
                raise wrong_type(f"{self._column}.{name}", member, exc) from None
            if converted is not None or self._clear_nulls:
                properties[own] = converted
        return properties


def check_members(
    stream: str, column: str, members: Mapping[str, bool], types: Collection[str], fields: Fields
) -> str | None:
    """Check whether the column can be an object of the account's properties, as far as its SCHEMA says.

    Args:
        stream: its name.
        column: the stream's column.
        members: the members that the SCHEMA names, each with whether its values are objects or arrays only.
        types: of the column's values.
        fields: the fields of the destination.

    Returns:
        A warning, if some of its members are no properties.

    Raises:
        ConfigurationError: it cannot, so every row would be rejected.
    """
    where = f"Stream {stream!r}: column {column!r} is read as an object of the account's properties, but"
    if not {*types} & {"object", "string"} and {*types} != {"null"}:
        raise ConfigurationError(f"{where} its SCHEMA says that it is no object. Map another column, or {LEAVE_OUT}.")
    names = PropertyNames(fields)
    wrong = [name for name, is_structure in members.items() if is_structure or names.find(name) is None]
    if not wrong or not fields.defines_properties:
        return None
    unfit = (
        f"{listed([*map(repr, wrong)])} in its SCHEMA cannot be sent: not defined as properties, or objects or arrays"
    )
    if len(wrong) == len(members):
        raise ConfigurationError(f"{where} {unfit}. Map another column, or {LEAVE_OUT}.")
    return f"{where} {unfit}. Rows that have them are rejected. Define them at the provider, or {LEAVE_OUT}"
