"""The fields of a destination: how the values of a row are made to fit them, or are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from target_mailing.mapping import MappedContact

__all__ = ["Converter", "Field", "Fields", "RowRejected", "converted"]

#: Turns a column's value into the destination's; raises ValueError, whose text may be shown in the rejects file.
Converter = Callable[[Any], Any]


class RowRejected(Exception):
    """This row cannot be delivered.

    Attributes:
        code: stable, holds no data.
        reason: for people; may quote the row, so it goes to the rejects file only.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


class Field(msgspec.Struct, frozen=True):
    """One field of a destination.

    Attributes:
        convert: makes a value fit.
        exact: values of exactly this type fit as they are.
    """

    convert: Converter
    exact: type | None = None


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination takes.

    Attributes:
        columns: the canonical columns that it knows, and columns of its own.
        properties: the account's own fields.
        defines_properties: a property must be defined at the provider before it can be used.
        own_prefix: columns that begin so must be among the destination's own; "" for no such rule.
        required: canonical columns that a stream must have.
        identify: what tells contacts apart, given one and its action: equal texts for those that the provider takes
            as the same, "" where only the row's key can tell, RowRejected where it cannot be delivered. None where it
            is the e-mail address.
    """

    columns: Mapping[str, Field]
    properties: Mapping[str, Field]
    defines_properties: bool = False
    own_prefix: str = ""
    required: Sequence[str] = ("email",)
    identify: Callable[[MappedContact, str], str] | None = None


def converted(where: str, value: Any, field: Field) -> Any:
    """A value as a field takes it.

    Raises:
        RowRejected: wrong_type; or what the field itself raises.
    """
    try:
        return field.convert(value)
    except (ValueError, TypeError, OverflowError) as exc:
        raise RowRejected("wrong_type", f"{where}: {value!r} is {exc}") from None
