"""Property values and addresses: what Mailjet accepts, and how it keeps it."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailing_sandbox.mailjet.switches import Switches

DATATYPES = ("str", "int", "float", "bool", "datetime")
INTEGER = re.compile(r"[+-]?\d+")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d")


def cast(datatype: str, value: Any, *, numbers_as_text: bool = False) -> str:
    """Return a value as it is kept: text, whatever the datatype (Mailjet reference, contact properties).

    Raises:
        ValueError: the value does not match the definition.
    """
    if datatype == "str":
        if isinstance(value, str):
            return value
        if numbers_as_text and isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    elif datatype == "bool":
        return _boolean(value)
    elif datatype == "datetime":
        return _moment(value)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        return _integer(value) if datatype == "int" else _decimal(value)
    raise ValueError(f"{value!r} is not a valid {datatype}")


def _integer(value: str | float) -> str:
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError(f"{value!r} is not whole")
        return str(int(value))
    if isinstance(value, str) and not INTEGER.fullmatch(value.strip()):
        raise ValueError(f"{value!r} is not whole")
    return str(int(value))


def _decimal(value: str | float) -> str:
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(f"{value!r} is out of range") from error
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not finite")
    return str(value).strip()


def _boolean(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).lower() if isinstance(value, str | int) else ""
    if text in ("true", "1"):
        return "true"
    if text in ("false", "0"):
        return "false"
    raise ValueError(f"{value!r} is neither true nor false")


def _moment(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{value!r} is not a date-time")
    try:
        if isinstance(value, int) or INTEGER.fullmatch(value):
            moment = datetime.fromtimestamp(int(value), UTC)
        elif MOMENT.match(value):
            moment = datetime.fromisoformat(value)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        else:
            raise ValueError(f"{value!r} is not a date-time")
    except (OverflowError, OSError) as error:
        raise ValueError(f"{value!r} is out of range") from error
    return in_seconds(moment)


def in_seconds(moment: datetime) -> str:
    """Return a moment in UTC with a year of four digits, which strftime does not give to all."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def typed(datatype: str, text: str) -> Any:
    """Return a kept value as JSON of its datatype."""
    if datatype == "int":
        return int(text)
    if datatype == "float":
        return float(text)
    return text == "true" if datatype == "bool" else text


def shown(datatype: str, text: str, switches: Switches) -> str:
    """Return a kept value as contactdata shows it: always text."""
    if datatype != "bool" or switches.bool_text == "true":
        return text
    return {"True": text.capitalize(), "1": "1" if text == "true" else "0"}[switches.bool_text]


def echoed(value: Any) -> str:
    """Return a value as a contactdata PUT echoes it: text, otherwise untouched."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def fault_of_address(email: Any) -> str | None:
    """Return the reason why an address is refused, or None (Mailjet reference, known validation messages)."""
    if not isinstance(email, str) or "@" not in email:
        return "No @ character in mail"
    local, _, domain = email.rpartition("@")
    if not local or not domain or "@" in local or any(character.isspace() for character in email):
        return "Invalid characters in mail"
    return None


def folded(email: str, rule: str) -> str:
    """Return what two addresses must share to be one contact."""
    if rule == "exact":
        return email
    if rule == "domain":
        local, at, domain = email.rpartition("@")
        return local + at + domain.lower()
    return email.lower()
