"""The column `properties`: an object of the account's own fields; pure, compiled once per stream."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import listed
from target_mailing.contacts.fields import UNFIT, Fields, RowRejected, wrong_type
from target_mailing.contacts.properties import PropertyNames
from target_mailing.contacts.values import from_json_text

__all__ = ["LEAVE_OUT", "PropertiesObject", "check_members"]

#: How a column of that name, which is something else, is left alone.
LEAVE_OUT: Final = 'add {"properties": null} to `mapping` to leave the column out'


class PropertiesObject:
    """Reads the column's values."""

    def __init__(self, column: str, fields: Fields, *, clear_nulls: bool) -> None:
        """Compile it.

        Args:
            column: the stream's column that holds them.
            fields: what the destination takes.
            clear_nulls: a null clears the property instead of leaving it as it is.
        """
        self._column = f"column {column}"
        self._fields = fields
        self._names = PropertyNames(fields)
        self._clear_nulls = clear_nulls
        self._hint = (
            f"rows are rejected for their column {column!r}, which is read as an object of the account's properties. "
            f"If it is something else, {LEAVE_OUT}"
        )

    def __call__(self, given: Any, properties: dict[str, Any]) -> None:
        """Add the properties of a value that is not null.

        Raises:
            RowRejected: unknown_property, wrong_type.
        """
        try:
            self._add(given, properties)
        except RowRejected as no:
            no.hint = self._hint
            raise

    def _add(self, given: Any, properties: dict[str, Any]) -> None:
        try:
            values = from_json_text(given, "an object")
        except UNFIT as exc:
            raise wrong_type(self._column, given, exc) from None
        if values is None:
            return
        if not isinstance(values, dict):
            raise RowRejected("wrong_type", f"{self._column}: not an object")
        for name, value in values.items():
            own = self._names.find(name)
            if own is None:
                raise RowRejected("unknown_property", f"{self._column}: {name!r} is no property of the account")
            if own != name and (own in values or own in properties):
                said = f"{self._column}: {name!r} and another name are the property {own!r}"
                raise RowRejected("unknown_property", said)
            try:
                found = None if value is None else self._fields.properties[own].convert(value)
            except UNFIT as exc:
                raise wrong_type(f"{self._column}.{name}", value, exc) from None
            if found is not None or self._clear_nulls:
                properties[own] = found


def check_members(
    stream: str, column: str, members: Mapping[str, bool], types: Collection[str], fields: Fields
) -> str | None:
    """See whether the column can be an object of the account's properties, as far as its SCHEMA tells.

    Args:
        stream: its name.
        column: the stream's column.
        members: those that the SCHEMA names, each with whether its values are objects or arrays only.
        types: of the column's values.
        fields: what the destination takes.

    Returns:
        A warning, if some of its members are no properties.

    Raises:
        ConfigurationError: it cannot be one, so that every row would be rejected.
    """
    who = f"Stream {stream!r}: column {column!r} is read as an object of the account's properties, but"
    if not {*types} & {"object", "string"} and {*types} != {"null"}:
        raise ConfigurationError(f"{who} its SCHEMA says that it is none. Map another column, or {LEAVE_OUT}.")
    if not members or not fields.defines_properties:
        return None
    names = PropertyNames(fields)
    wrong = [name for name, is_structure in members.items() if is_structure or names.find(name) is None]
    if not wrong:
        return None
    said = f"{listed([*map(repr, wrong)])} in its SCHEMA"
    if len(wrong) == len(members):
        them = "none of them is one, or they hold objects or arrays, which no property can hold"
        raise ConfigurationError(f"{who} of {said} {them}. Map another column, or {LEAVE_OUT}.")
    return (
        f"{who} {said} cannot go: not defined, or objects or arrays. Rows that have them are rejected. Define them at "
        f"the provider, or {LEAVE_OUT}"
    )
