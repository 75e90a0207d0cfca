"""A contact: as a row describes it, and as a destination encodes it."""

from __future__ import annotations

from typing import Any, final

import msgspec

__all__ = ["EncodedContact", "MappedContact"]


class MappedContact(msgspec.Struct, gc=False):
    """A contact, as a row describes it.

    Attributes:
        email: the address as it is sent: trimmed, its domain in lower case. None only for a deleted row, or where
            contacts have no e-mail addresses.
        columns: values of the canonical columns that the row has and the destination supports.
        properties: values of the account's own fields; None clears one.
        status: the row's `subscription_status`; of a deleted row only `unsubscribed` is kept.
        action: the row's own action, or None for that of the settings.
        deleted: the contact was deleted at the source.
        declines: the columns hold only opt-outs from some topics, as `Field.opt_outs` returned them.
    """

    email: str | None
    columns: dict[str, Any]
    properties: dict[str, Any]
    status: str | None
    action: str | None
    deleted: bool
    declines: bool = False


@final
class EncodedContact(msgspec.Struct, frozen=True, gc=False):
    """A contact as it is sent: what a destination's steps see of a row.

    Attributes:
        email: its address as it is sent, or what else identifies it (`Fields.identify`); "" while only its key is
            known.
        address: the same, folded so that equal ones are equal.
        content: the contact in the destination's own encoding; empty for a row of an earlier run.
        reference: the row's stream and key in words, where the destination has the provider keep them; else empty.
        resubmitted: an earlier submission of this content may have arrived.
        follower: the contact of the row that is taken after this one, and depends on what this one finds out.
    """

    email: str
    address: str
    content: bytes
    reference: tuple[str, ...] = ()
    resubmitted: bool = False
    follower: EncodedContact | None = None
