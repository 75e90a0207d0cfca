"""What the codes of rows mean, and what to do, in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["CODES", "Code", "about"]


class Code(NamedTuple):
    """What a code means, and what to do about it; "" for nothing."""

    meaning: str
    advice: str = ""


_REJECTED: Final[Mapping[str, Code]] = {
    "schema_invalid": Code(
        "A column that is sent, mapped or in the key violates the tap's own SCHEMA.", "Correct the tap, or its SCHEMA."
    ),
    "unreadable": Code(
        "A value is not JSON, or the record is not an object.", "Correct the value, at the source or in the tap."
    ),
    "missing_key": Code("A key column is missing, null or blank.", "Correct the key at the source or in the tap."),
    "bad_address": Code("The address is missing, or nothing can be delivered to it.", "Correct it at the source."),
    "bad_deletion_mark": Code(
        "It is unclear whether the row is deleted.", "Write the time of the deletion to _sdc_deleted_at, or nothing."
    ),
    "bad_subscription_status": Code(
        "subscription_status is no known word; it is never treated as consent.",
        "Translate it, for example by a stream map.",
    ),
    "wrong_type": Code(
        "A value does not fit the type of its property.", "Correct the value, or the property's type at the provider."
    ),
    "unknown_property": Code(
        "A key inside the column properties is no property of the account.",
        "Create the property at the provider, or omit the key.",
    ),
    "not_by_import": Code(
        "The route import cannot send such a value.", "Omit the value, or use another route for another list."
    ),
    "cannot_change": Code(
        "The row changed, and an earlier version of it is on the list permanently.", "Replace the list with all rows."
    ),
    "cannot_leave": Code(
        "The person leaves, and the contact is on the list permanently.", "Replace the list before anything is sent."
    ),
    "subscribed": Code(
        "The row says that this person is subscribed, but it goes to a suppression list.",
        "Omit such rows, or choose another destination.",
    ),
    "unknown_action": Code(
        "The row's action is unknown, or not possible here.", "Correct action_column, or the action in lists; set list."
    ),
    "unknown_list": Code(
        "The account does not have the row's list, or has several of that name.", "Correct lists; set list."
    ),
    "unknown_key": Code(
        "A delete has only its key, and the journal knows no contact of that key.",
        "Remove the contact by address, or by hand.",
    ),
    "refused_by_provider": Code(
        "The provider refused this row. The reason is in the rejects file.", "Follow the reason; pipe the row back."
    ),
    "too_large": Code(
        "The row alone is too large for a call.", "Shorten its values, or omit long columns from properties."
    ),
    "not_imported": Code(
        "The job failed with this row alone in it, without a reason.", "Check the row; pipe it back."
    ),
    "unconfirmed": Code(
        "It is unknown whether the row arrived.", "Pipe it back. If the list takes rows permanently, replace the list."
    ),
}  # fmt: skip
_WITHHELD: Final[Mapping[str, Code]] = {
    "excluded": Code("The row says that this person is excluded."),
    "pending": Code("The row says that this person has not confirmed yet."),
    "exclusion_kept": Code("The row would lift an exclusion, which needs consent: force."),
    "opted_out_at_provider": Code("A removal would have erased an opt-out, or the person's old address opted out."),
    "unsubscribed": Code("The row says that this person unsubscribed, and there is no list to leave."),
}
_SKIPPED: Final[Mapping[str, Code]] = {
    "no_address": Code("A contact of a provider's own stream without an address."),
    "order_unknown": Code(
        "The row has another key or address than when it was rejected, and something newer may have come since.",
        "Correct it at the source.",
    ),
}

CODES: Final[Mapping[str, Code]] = {**_REJECTED, **_WITHHELD, **_SKIPPED}


def about(code: str) -> Code:
    """What a code means; nothing for a provider's own."""
    return CODES.get(code, Code(""))
