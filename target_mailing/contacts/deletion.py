"""The deletion mark of a row: which column holds it, and which of its values say that the row is deleted; pure."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from mailing_api.addresses import without_hidden
from mailing_api.errors import ConfigurationError
from target_mailing.contacts.fields import RowRejected

__all__ = [
    "DELETED_AT",
    "FALSE_WORDS",
    "deletion_column",
    "is_deleted",
    "is_moment",
    "is_no_value",
    "looks_like_deletion",
    "plain",
    "tells_changes",
    "words",
]


def words(text: str) -> frozenset[str]:
    """The words of a string, as a set."""
    return frozenset(text.split())


#: The Singer column that says when a row was deleted at the source.
DELETED_AT: Final = "_sdc_deleted_at"

#: "No" as spreadsheets and people write it in common languages, in lower case without accents.
FALSE_WORDS: Final = words("f false n no off nein falsch nee onwaar non faux falso nao nej falsk nie falsz ne")
#: "Not deleted" as flag columns, CSV files, spreadsheets and databases write it.
_ALIVE: Final = FALSE_WORDS | frozenset(
    {"0", "none", "null", "nil", "nan", "nat", "na", "n/a", "n.a.", "#n/a"}
    | {"", "-", "--", "\u2013", "\u2014", "\u2212", "\\n", "#null!"}
    | {"undefined", "never", "unset", "void", "active", "alive", "not deleted"}
)
#: Those of them that only say that there is no value.
_NO_VALUE: Final = _ALIVE - FALSE_WORDS - {"", "active", "alive", "not deleted"}
_DATE: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")
_TIME: Final = re.compile(
    r"(?:[Tt]|\s+)[0-2]\d(?::?[0-5]\d(?::?[0-6]\d(?:[.,]\d+)?)?)?\s*+(?:[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?)?(?:\s*+UTC)?"
)
#: Years outside these bounds mean "no date" or "forever".
_YEARS: Final = range(1971, 9000)
#: Columns that a Singer target adds to its tables, or to rejects.
_OF_TABLES: Final = frozenset(
    {"_sdc_batched_at", "_sdc_received_at", "_sdc_extracted_at", "_sdc_sequence", "_sdc_table_version"}
    | {"_reject_code"}
)
#: In names of columns that hold a position in a database's log.
_OF_LOGS: Final = re.compile(r"lsn|scn|gtid|binlog|log_(?:file|pos)|cdc")
_IN_NAMES: Final = re.compile(
    r"delet|remov|eras(?:ed|ure)|purge|tombstone|gelosch|geloesch|loschdatum|loeschdatum|supprim|efface|eliminad|eliminat[oa]|"
    r"borrad[oa](?!r)|cancellat[oa]|cancellazion|excluid[oa]|apagad[oa]|usuniet|usuniec|verwijder|slettet|raderad"
)


def deletion_column(stream: str, columns: Sequence[str], mapping: Mapping[str, str]) -> str:
    """The column that holds a stream's deletion mark; the stream may lack it.

    Raises:
        ConfigurationError: a column of another name seems to hold it, so deleted rows would be added.
    """
    if DELETED_AT in mapping:
        return mapping[DELETED_AT]
    if DELETED_AT in columns:
        return DELETED_AT
    alike = [column for column in columns if column.lower().startswith("_sdc") and looks_like_deletion(column)]
    if len(alike) == 1 and alike[0].lower() == DELETED_AT:
        return alike[0]
    if alike:
        raise ConfigurationError(
            f"Stream {stream!r}: column {alike[0]!r} looks like a deletion mark, but only {DELETED_AT!r} is read as "
            f'one, so deleted rows would be added. Add {{"{DELETED_AT}": "{alike[0]}"}} to `mapping`, or deselect the '
            "column at the tap."
        )
    return DELETED_AT


def tells_changes(columns: Iterable[str], bookmarks: Iterable[str]) -> bool:
    """Whether a stream lists changes in their order, like a database's log, with a row for each change of a key.

    Logs have Singer's deletion mark. So have tables that a Singer target loaded, but those have further columns; and a
    stream that is replicated by an ordinary column holds the current rows, not their history.

    Args:
        columns: of the stream.
        bookmarks: the columns by which it is replicated.
    """
    names = {column.lower() for column in columns}
    # Rejected rows are replayed without their order.
    has_mark = any(name.startswith("_sdc_") and name.endswith("deleted_at") for name in names)
    return has_mark and names.isdisjoint(_OF_TABLES) and all(map(_is_of_log, bookmarks))


def _is_of_log(bookmark: str) -> bool:
    return bookmark.lower().startswith("_sdc_") or _OF_LOGS.search(bookmark.lower()) is not None


def looks_like_deletion(column: str) -> bool:
    """Whether a column's name suggests that it marks deleted rows."""
    return _IN_NAMES.search(plain(column)) is not None


def is_deleted(column: str, value: Any) -> bool:
    """Whether a deletion mark means that its row is deleted: a date-time does; null, blank and "no" do not.

    Raises:
        RowRejected: bad_deletion_mark: it means neither.
    """
    if value is None or value is False:
        return False
    if isinstance(value, str):
        text = without_hidden(value).strip()
        if plain(text) in _ALIVE or _is_zero(text):
            return False
        if is_moment(text):
            return True
    elif isinstance(value, (int, float)) and value is not True and (value == 0 or math.isnan(value)):
        return False
    raise RowRejected(
        "bad_deletion_mark",
        f"column {column}: {value!r} is neither blank nor an ISO 8601 date-time, so the row may or may not be deleted",
    )


def plain(text: str) -> str:
    """A string in lower case, without accents, and without the quotes and brackets that mark a null."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\u0142", "l").replace("\u0141", "l")).casefold()
    return "".join(one for one in decomposed if not unicodedata.combining(one)).strip("'\"`()[]<>{} ")


def is_no_value(text: str) -> bool:
    """Whether programs write this for a missing value: `n/a`, `-`, `NULL`, MySQL's date of zeros."""
    bare = text.strip()
    return plain(bare) in _NO_VALUE or (bare.startswith("0000-00-00") and _is_zero(bare))


def _is_zero(text: str) -> bool:
    """Whether it is 0 in another form, such as `0.00`, or MySQL's date of zeros."""
    return not text.strip("0.,:+- TtZz") and "0" in text


def is_moment(text: str) -> bool:
    """Whether a string is an ISO 8601 date, with or without a time, in a plausible year for a deletion."""
    date = _DATE.match(text)
    if date is None or not (date.end() == len(text) or _TIME.fullmatch(text, date.end())):
        return False
    year, month, day = map(int, date.groups())
    try:
        datetime(year, month, day)  # noqa: DTZ001 - only whether there is such a day
    except ValueError:
        return False
    return year in _YEARS and (date.end() > len("20260101") or date.end() < len(text))
