"""The fields of a destination: how the values of a row are made to fit them, or are refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.values import shown

__all__ = ["MISSING", "UNFIT", "AnyName", "Converter", "Field", "Fields", "RowRejected", "wrong_type"]

#: Turns a column's value into the destination's, or into None where it counts as a null. It raises ValueError, whose
#: text says what the value is and may be shown in the rejects file.
Converter = Callable[[Any], Any]


#: What is said of a column without a value that is needed.
MISSING: Final = "is missing or empty"
#: What a converter may raise.
UNFIT = (ValueError, OverflowError, RecursionError)


class RowRejected(Exception):
    """This row cannot be delivered.

    Attributes:
        code: stable, holds no data.
        reason: for people; may quote the row, so it goes to the rejects file only.
        column: the canonical column of which the reason tells, which begins with a verb then; "" where it names all.
        hint: what the log says of the stream the first time; quotes no row. "" for nothing.
    """

    def __init__(self, code: str, reason: str, *, column: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason
        self.column = column
        self.hint = ""

    def told(self, mapping: Mapping[str, str]) -> str:
        """The reason, with the stream's own name of the column, which is mapped to the canonical one."""
        return f"column {mapping.get(self.column, self.column)!r} {self.reason}" if self.column else self.reason


class Field(msgspec.Struct, frozen=True):
    """One field of a destination.

    Attributes:
        convert: makes a value fit.
        for_removals: rows that leave need it, too; whatever else a deleted row holds is not looked at.
        readable: the same as `convert` for a row that is rejected: what of the value can be read; None for `convert`.
        opt_outs: gives of what was read only the opt-outs from some of what is sent, or None for none.
        turned: the field in a column that is called after opt-outs, in which "yes" is one; None for the same.
    """

    convert: Converter
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
    """What a destination takes.

    Attributes:
        columns: the canonical columns that it knows, and columns of its own.
        properties: the account's own fields.
        defines_properties: a property must be defined at the provider before it can be used.
        own_prefix: columns that begin so must be among the destination's own; "" for no such rule.
        ascii_only: e-mail addresses must be ASCII, their domains in Punycode.
        required: canonical columns that a stream must have.
        identify: what tells contacts apart, given one and its action: equal texts for those that the provider takes
            as the same, "" where only the row's key can tell, RowRejected where it cannot be delivered. None where it
            is the e-mail address.
    """

    columns: Mapping[str, Field]
    properties: Mapping[str, Field]
    defines_properties: bool = False
    own_prefix: str = ""
    ascii_only: bool = False
    required: Sequence[str] = ("email",)
    identify: Callable[[MappedContact, str], str] | None = None


def wrong_type(where: str, value: Any, error: Exception) -> RowRejected:
    """What is said of a value that a converter raised this error for."""
    why = error if isinstance(error, ValueError) and not isinstance(error, UnicodeError) else "too large"
    return RowRejected("wrong_type", f"{where}: {shown(value)} is {why}")
