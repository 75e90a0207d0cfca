"""The log lines about a stream's columns: which are sent, and which seem to be ignored by mistake; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from mailing_api.suggestions import listed
from target_mailing.contacts.consent_columns import looks_like_consent, tells_opt_outs
from target_mailing.contacts.deletion import DELETED_AT, looks_like_deletion

__all__ = ["ColumnReport", "column_report", "shown_column"]

_LONGEST_NAME = 64
_CONSENT = "who may be contacted"
_OBEYED = frozenset({"email", "subscription_status", "action", DELETED_AT})


class ColumnReport(msgspec.Struct, frozen=True):
    """The log lines about a stream's columns.

    Attributes:
        line: which columns are sent, and which are not.
        warnings: about columns that seem to hold opt-outs or deletions, and are not read.
    """

    line: str
    warnings: Sequence[str]


def column_report(
    stream: str, columns: Sequence[str], sent: Sequence[tuple[str, str]], *, keys: Collection[str], all_properties: bool
) -> ColumnReport:
    """The log lines about a stream's columns.

    Args:
        stream: its name.
        columns: all of its columns.
        sent: the columns that are read, each with its name at the destination.
        keys: the key's columns.
        all_properties: every column that is not read otherwise becomes a property.
    """
    shown = {column: shown_column(column, position) for position, column in enumerate(columns, 1)}
    read = {column for column, _ in sent}
    by_role = {target: column for column, target in sent if target in _OBEYED and column in shown}
    obeyed = set(by_role.values())
    unheeded = [column for column in columns if column not in read or (all_properties and column not in obeyed)]
    if "provider" in columns and "subscription_status" in by_role:
        unheeded = []  # the provider's own status is read
    deletions = [column for column in unheeded if looks_like_deletion(column)]
    notes: dict[str, str] = {}
    if DELETED_AT in by_role:
        notes = dict.fromkeys(deletions, f" (not read, since {shown[by_role[DELETED_AT]]!r} is)")
        deletions = []
    opt_outs = [column for column in unheeded if looks_like_consent(column) and column not in deletions]
    arrows = [f"{shown[column]} -> {target}" for column, target in sent if column in shown]
    unsent = [
        f"{shown[column]}{' (key)' if column in keys else notes.get(column, '')}"
        for column in columns
        if column not in read and (column in notes or not column.startswith(("_sdc_", "_reject_")))
    ]
    line = f"Stream {stream!r}: Columns sent: {', '.join(arrows)}; not sent: {listed(unsent, 100) or 'none'}"
    warnings = []
    if "subscription_status" in by_role:
        status = shown[by_role["subscription_status"]]
        if unread := [shown[column] for column in opt_outs if column not in read]:
            warnings.append(_beside(stream, unread, f"not read, since {status!r} is"))
        if properties := [shown[column] for column in opt_outs if column in read]:
            warnings.append(_beside(stream, properties, f"sent as a property only, since {status!r} says {_CONSENT}"))
    elif opt_outs:
        likeliest = sorted(opt_outs, key=lambda column: not tells_opt_outs(column))  # others may mean something else
        names = [shown[column] for column in likeliest]
        warnings.append(_ignored(stream, names, f"to say {_CONSENT}", "subscription_status"))
    if deletions:
        warnings.append(_ignored(stream, [shown[column] for column in deletions], "to mark deleted rows", DELETED_AT))
    return ColumnReport(line, warnings)


def _beside(stream: str, names: Sequence[str], use: str) -> str:
    """The warning about columns of consent beside the one that is read: no advice may lose their opt-outs."""
    if len(names) == 1:
        which, all_of_them, these = f"column {names[0]!r} is", "both", "the column"
    else:
        which, all_of_them, these = f"columns {', '.join(map(repr, names))} are", "several of them", "these columns"
    return (
        f"Stream {stream!r}: {which} {use}. If {all_of_them} say {_CONSENT}, combine them by a stream map; else "
        f"deselect {these} at the tap"
    )


def _ignored(stream: str, names: Sequence[str], meaning: str, target: str) -> str:
    if len(names) == 1:
        which = f"column {names[0]!r} seems {meaning}, but is"
    else:
        which = f"columns {', '.join(map(repr, names))} seem {meaning}, but are"
    return (
        f"Stream {stream!r}: {which} ignored. To apply {'it' if len(names) == 1 else 'one of them'}, add "
        f'{{"{target}": "{names[0]}"}} to `mapping`; if the name means something else, deselect the column at the tap'
    )


def shown_column(column: str, position: int) -> str:
    """A column's name; its position where a file without a header turned a person's data into the name."""
    if "@" in column or not column.isprintable() or not 0 < len(column) <= _LONGEST_NAME:
        return f"column {position}"
    return column
