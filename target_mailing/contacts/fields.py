"""The fields of a destination: how a row's values are converted to them, or rejected."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar

import msgspec

from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.values import shown

__all__ = [
    "MISSING",
    "UNFIT",
    "AnyName",
    "BulkConverter",
    "Converter",
    "Field",
    "Fields",
    "RowRejected",
    "attempt",
    "wrong_type",
]

Given = ParamSpec("Given")
Result = TypeVar("Result")

#: Converts a column's value to the destination's, or to None where it is treated as a null. It raises ValueError, whose
#: message says what is wrong with the value, and may be shown in the rejects file.
Converter = Callable[[Any], Any]
#: Returns what the converter returns for each of many values, with nulls as they are, or None where they must be
#: converted one by one.
BulkConverter = Callable[[Sequence[Any]], Sequence[Any] | None]

#: The reason for a required column without a value.
MISSING: Final = "is missing or empty"
#: The exceptions that a converter may raise.
UNFIT = (ValueError, OverflowError, RecursionError)


class RowRejected(Exception):
    """This row cannot be delivered.

    Attributes:
        code: stable, holds no data.
        reason: for people; may quote the row, so it goes to the rejects file only.
        column: the canonical column that the reason is about, which then begins with a verb; "" if the reason names it.
        hint: a warning for the log, once a stream; it quotes no row. "" for none.
    """

    def __init__(self, code: str, reason: str, *, column: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason
        self.column = column
        self.hint = ""

    def message(self, mapping: Mapping[str, str]) -> str:
        """The reason, with the stream's own name of the column, which is mapped to the canonical one."""
        return f"column {mapping.get(self.column, self.column)!r} {self.reason}" if self.column else self.reason


def attempt(call: Callable[Given, Result], *given: Given.args, **named: Given.kwargs) -> Result | RowRejected:
    """The result of a call, or the RowRejected that it raises."""
    try:
        return call(*given, **named)
    except RowRejected as no:
        return no


class Field(msgspec.Struct, frozen=True):
    """One field of a destination.

    Attributes:
        convert: converts a value.
        convert_all: converts many values at once where they have a usual form; without it, they are converted one by
            one. `contacts.bulk` has those of the converters in `contacts.values`.
        for_removals: rows that remove a contact need it, too; other values of a deleted row are not checked.
        readable: converts a value of a rejected row as far as it can be read; None for `convert`.
        opt_outs: reduces the converted value to the opt-outs from some topics, or None if there are none.
        turned: the field for a column named after opt-outs, in which "yes" is an opt-out; None for the same.
    """

    convert: Converter
    convert_all: BulkConverter | None = None
    for_removals: bool = False
    readable: Converter | None = None
    opt_outs: Converter | None = None
    turned: Field | None = None


class AnyName(Mapping[str, Field]):
    """Properties of any name, for a provider that needs no definition of them; iterating gives none."""

    def __init__(self, field: Field, *, but: Collection[str] = ()) -> None:
        """Take the field of each property, and the names that are no properties."""
        self._field = field
        self._but = but

    def __getitem__(self, name: str) -> Field:
        if name in self._but:
            raise KeyError(name)
        return self._field

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """All fields of a destination.

    Attributes:
        columns: the canonical columns that it supports, and columns of its own.
        properties: the account's own fields.
        defines_properties: a property must be defined at the provider before it can be used.
        own_prefix: columns with this prefix must be among the destination's own; "" for no such rule.
        ascii_only: e-mail addresses must be ASCII, their domains in Punycode.
        required: canonical columns that a stream must have.
        identify: identifies a contact, given the contact and its action: equal strings for contacts that the provider
            treats as the same, "" where only the row's key identifies it, RowRejected where it cannot be delivered.
            None where the e-mail address identifies it.
    """

    columns: Mapping[str, Field]
    properties: Mapping[str, Field]
    defines_properties: bool = False
    own_prefix: str = ""
    ascii_only: bool = False
    required: Sequence[str] = ("email",)
    identify: Callable[[MappedContact, str], str] | None = None


def wrong_type(where: str, value: Any, error: Exception) -> RowRejected:
    """The rejection for a value whose converter raised this error."""
    why = error if isinstance(error, ValueError) and not isinstance(error, UnicodeError) else "too large"
    return RowRejected("wrong_type", f"{where}: {shown(value)} is {why}")
