"""The values of contact properties, in the types that their definitions name."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import setitem
from typing import Any, Final

from mailing_api import values
from tap_mailing.records import bulk
from tap_mailing.records.columns import Row

__all__ = ["PropertyValues"]

#: By type: the conversion of one value, and of many.
_Cast = tuple[Callable[[Any], Any], Callable[[Sequence[Any]], Sequence[Any] | None]]

_TEXT: Final[_Cast] = (values.text, bulk.strings)
_CASTS: Final[dict[str, _Cast]] = {
    "int": (values.integer, bulk.integers),
    "float": (values.number, bulk.numbers),
    "bool": (values.boolean, bulk.booleans),
    "datetime": (values.date_time, bulk.date_times),
}


class PropertyValues:
    """An account's properties."""

    def __init__(self, definitions: Iterable[Row]) -> None:
        """Take the definitions. If two have the same name, the static one applies: `historic` is an older kind."""
        ordered = sorted(definitions, key=lambda row: str(row.get("NameSpace")).lower() == "static")
        self._casts = {str(row.get("Name")): _CASTS.get(str(row.get("Datatype")).lower(), _TEXT) for row in ordered}

    def read(self, found: Sequence[Row]) -> None:
        """Convert the values of contacts, each an object of values by name, where they are.

        A value of another type than the defined one becomes a string, an array or an object JSON.
        """
        names: set[str] = set().union(*found)
        for name in names:
            cast, cast_all = self._casts.get(name, _TEXT)
            column = [each[name] for each in found if name in each]
            converted = cast_all(column) or [_cast(value, cast) for value in column]
            if converted is not column:
                having = [each for each in found if name in each]
                deque(map(setitem, having, repeat(name), converted), 0)


def _cast(value: Any, cast: Callable[[Any], Any]) -> Any:
    """The value in its defined type; a value of another type as a string, arrays and objects as JSON."""
    try:
        return cast(value)
    except (ArithmeticError, TypeError, ValueError):
        return json.dumps(value) if isinstance(value, (dict, list)) else values.text(value)
