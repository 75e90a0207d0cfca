"""A contact as a row describes it, before a destination encodes it."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["MappedContact"]


class MappedContact(msgspec.Struct, gc=False):
    """A row, understood.

    Attributes:
        email: the address as it is sent: trimmed, its domain in lower case. None only for a deleted row, or where
            contacts have none; else what `Fields.identify` gave.
        columns: values of canonical columns that the row has and the destination knows.
        properties: values of the account's own fields; None clears one.
        status: the row's `subscription_status`; of a deleted row only `unsubscribed` is of interest.
        action: what the row asks for, or None for the setting's.
        deleted: the row says that the contact is gone from the source.
        declines: it has nothing but opt-outs from some of what is sent, as `Field.opt_outs` gave them.
    """

    email: str | None
    columns: dict[str, Any]
    properties: dict[str, Any]
    status: str | None
    action: str | None
    deleted: bool
    declines: bool = False
