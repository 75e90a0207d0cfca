"""Mailjet's types of properties: what each takes of a row, and which one fits a column; pure.

A column whose SCHEMA allows text and something else gets a property of texts, which takes whatever that is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from target_mailing.contacts import values
from target_mailing.contacts.fields import Field
from target_mailing.input.column_types import DATE_TIME

__all__ = ["FIELDS", "NAME", "TEXT", "datatype_of"]

NAME: Final = Field(values.text)
TEXT: Final = Field(values.text_or_flag)

#: By Mailjet's name of the type.
FIELDS: Final[Mapping[str, Field]] = {
    "str": TEXT,
    "int": Field(values.whole),
    "float": Field(values.decimal),
    "bool": Field(values.flag),
    "datetime": Field(values.moment),
}

_ALONE: Final = (
    ({"boolean"}, "bool"),
    ({"integer"}, "int"),
    ({"integer", "number"}, "float"),
    ({DATE_TIME}, "datetime"),
)


def datatype_of(types: Collection[str]) -> str:
    """The type of property that takes all values of a column of these types, see `column_types`."""
    found = {*types} - {"null"}
    return next((datatype for alone, datatype in _ALONE if found and found <= alone), "str")
