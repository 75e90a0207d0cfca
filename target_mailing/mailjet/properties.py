"""Mailjet's types of properties: the values that each takes, and the type for a column; pure.

A column whose SCHEMA allows strings and another type gets a property of strings, which takes all values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from target_mailing.contacts import bulk, values
from target_mailing.contacts.fields import Field
from target_mailing.input.column_types import DATE_TIME

__all__ = ["FIELDS", "NAME", "TEXT", "datatype_of"]

NAME: Final = Field(values.text, bulk.text)
TEXT: Final = Field(values.text_or_flag, bulk.text)

#: By Mailjet's name of the type.
FIELDS: Final[Mapping[str, Field]] = {
    "str": TEXT,
    "int": Field(values.whole, bulk.whole),
    "float": Field(values.decimal, bulk.decimal),
    "bool": Field(values.flag, bulk.flag),
    "datetime": Field(values.moment, bulk.moment),
}

#: Types of a column's values, and the property that takes all of them.
_FITTING: Final = (
    ({"boolean"}, "bool"),
    ({"integer"}, "int"),
    ({"integer", "number"}, "float"),
    ({DATE_TIME}, "datetime"),
)


def datatype_of(types: Collection[str]) -> str:
    """The type of property that takes all values of a column with these types, see `column_types`."""
    present = {*types} - {"null"}
    return next((datatype for fitting, datatype in _FITTING if present and present <= fitting), "str")
