"""What is said of a stream's columns at its start: which are sent, and which look as if they should be; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from mailing_api.suggestions import listed
from target_mailing.contacts.consent_columns import looks_like_consent, tells_opt_outs
from target_mailing.contacts.deletion import DELETED_AT, looks_like_deletion

__all__ = ["ColumnReport", "column_report"]

_LONGEST_NAME = 64


class ColumnReport(msgspec.Struct, frozen=True):
    """What is said of a stream's columns.

    Attributes:
        line: which columns are sent, and which are not.
        warnings: of columns that look as if they told of opt-outs or deletions, and are not read.
    """

    line: str
    warnings: Sequence[str]


def column_report(
    stream: str, columns: Sequence[str], sent: Sequence[tuple[str, str]], *, keys: Collection[str], all_properties: bool
) -> ColumnReport:
    """What is said of a stream's columns.

    Args:
        stream: its name.
        columns: all of its columns.
        sent: the columns that are read, each with what it is at the destination.
        keys: the key's columns.
        all_properties: every column that is not read otherwise becomes a property, whatever it means.
    """
    shown = {column: _shown(column, at) for at, column in enumerate(columns, 1)}
    arrows = [f"{shown.get(column, column)} -> {target}" for column, target in sent if column in shown]
    read = {column for column, _ in sent}
    by_role = {target: column for column, target in sent if target in _OBEYED and column in shown}
    obeyed = set(by_role.values())
    unheeded = [column for column in columns if column not in read or (all_properties and column not in obeyed)]
    if "provider" in columns and "subscription_status" in by_role:
        unheeded = []  # whose own status is read
    deletions = [one for one in unheeded if looks_like_deletion(one)]
    notes: dict[str, str] = {}
    if DELETED_AT in by_role:
        notes = dict.fromkeys(deletions, f" (not read, since {shown[by_role[DELETED_AT]]!r} is)")
        deletions = []
    opt_outs = [one for one in unheeded if looks_like_consent(one) and one not in deletions]
    hidden = ("_sdc_", "_reject_")
    left = [one for one in columns if one not in read and (one in notes or not one.startswith(hidden))]
    names = [f"{shown[one]}{' (key)' if one in keys else notes.get(one, '')}" for one in left]
    told = f"Stream {stream!r}: Columns sent: {', '.join(arrows)}; not sent: {listed(names, 100) or 'none'}"
    warnings = []
    if opt_outs and "subscription_status" in by_role:
        status = shown[by_role["subscription_status"]]
        unread = [shown[one] for one in opt_outs if one not in read]
        properties = [shown[one] for one in opt_outs if one in read]
        if unread:
            what = f"{_named(unread)} not read, since {status!r} is"
            warnings.append(_already_read(stream, unread, what))
        if properties:
            what = f"{_named(properties)} sent as a property only, since {status!r} tells who may be written to"
            warnings.append(_already_read(stream, properties, what))
    elif opt_outs:
        likeliest = sorted(opt_outs, key=lambda one: not tells_opt_outs(one))  # the others may be about something else
        names = [shown[one] for one in likeliest]
        warnings.append(_warning(stream, names, "to tell who may be written to", "subscription_status"))
    if deletions:
        warnings.append(_warning(stream, [shown[one] for one in deletions], "to mark deleted rows", DELETED_AT))
    return ColumnReport(told, warnings)


_OBEYED = frozenset({"email", "subscription_status", "action", DELETED_AT})


def _already_read(stream: str, names: Sequence[str], what: str) -> str:
    """What is said of columns of consent beside the one that is read, whose opt-outs no advice may lose."""
    both = "both" if len(names) == 1 else "several of them"
    return (
        f"Stream {stream!r}: {what}; if {both} tell of consent, combine them by a stream map, else deselect "
        f"{'the column' if len(names) == 1 else 'these columns'} at the tap"
    )


def _named(names: Sequence[str]) -> str:
    return f"column {names[0]!r} is" if len(names) == 1 else f"columns {', '.join(map(repr, names))} are"


def _warning(stream: str, names: Sequence[str], meaning: str, target: str) -> str:
    example = f'{{"{target}": "{names[0]}"}}'
    if len(names) == 1:
        which, them = f"column {names[0]!r} seems {meaning}, but is", "it"
    else:
        which, them = f"columns {', '.join(map(repr, names))} seem {meaning}, but are", "one of them"
    return (
        f"Stream {stream!r}: {which} ignored. To have {them} obeyed, add {example} to `mapping`; if that is not what "
        "the name means, deselect the column at the tap"
    )


def _shown(column: str, position: int) -> str:
    """A column's name; where a file without a header made a person's data of it, its position."""
    if "@" in column or not column.isprintable() or not 0 < len(column) <= _LONGEST_NAME:
        return f"column {position}"
    return column
