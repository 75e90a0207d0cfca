"""MPDX's contact filters for exports: the known names, and the accepted values of each.

MPDX ignores a filter or a value that it does not know, and then exports all contacts. So only filters that are known to
work are sent (from an old copy of MPDX's server, and its published documentation).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from mailing_api.errors import ConfigurationError

__all__ = ["DEFAULT_EXPORT_FILTER", "EXPORT_FILTERS", "export_filter"]

#: The filter of the official web application for its newsletter by post.
DEFAULT_EXPORT_FILTER: Final = {"newsletter": "address", "status": "active"}

_STATUSES: Final = (
    "active", "hidden", "null",
    "Never Contacted", "Ask in Future", "Cultivate Relationship", "Contact for Appointment", "Appointment Scheduled",
    "Call for Decision", "Partner - Financial", "Partner - Special", "Partner - Pray",
    "Not Interested", "Unresponsive", "Never Ask", "Research Abandoned", "Expired Referral",
)  # fmt: skip
_NEWSLETTERS: Final = ("all", "address", "email", "address_only", "email_only", "both", "none", "no_value")
_FLAG: Final = ("true", "false")
_YES_NO: Final = ("Yes", "No")

_MOMENT: Final = r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\dZ)?"
_RANGE: Final = re.compile(rf"({_MOMENT})\.\.\.?({_MOMENT})", re.ASCII)

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

#: Checks one value of a list; returns what is expected instead, or None for a valid value.
Check = Callable[[str], str | None]


def _one_of(words: Sequence[str]) -> Check:
    def check(value: str) -> str | None:
        return None if value in words else f"one of: {', '.join(words)}"

    return check


def _any_text(_: str) -> str | None:
    return None


def _identifier(value: str) -> str | None:
    return None if _UUID.fullmatch(value) else "an ID, such as 7d0c3c5e-0b1f-4a57-9a52-2f6f3f1f8a11"


def _date_range(value: str) -> str | None:
    # MPDX reads any other form as the single day of its first date.
    ends = _RANGE.fullmatch(value)
    try:
        if ends and [datetime.fromisoformat(end) for end in ends.groups()]:
            return None
    except ValueError:  # such as a thirtieth of February
        pass
    return "two dates or two date-times in UTC, such as 2024-03-01..2024-03-31"


#: The filters with a single value.
_SINGLE: Final[Mapping[str, Check]] = {
    "newsletter": _one_of(_NEWSLETTERS),
    "any_tags": _one_of(_FLAG),
    "address_historic": _one_of(_FLAG),
    "address_valid": _one_of(("false",)),
    "status_valid": _one_of(_FLAG),
    "no_appeals": _one_of(_FLAG),
    "tasks_all_completed": _one_of(("true",)),
    "primary_address": _one_of(("primary", "active", "inactive")),
    "contact_type": _one_of(("person", "company")),
    "contact_info_addr": _one_of(_YES_NO),
    "contact_info_email": _one_of(_YES_NO),
    "contact_info_phone": _one_of(_YES_NO),
    "contact_info_mobile": _one_of(_YES_NO),
    "contact_info_work_phone": _one_of(_YES_NO),
    "updated_at": _date_range,
    "name_like": _any_text,
    "wildcard_search": _any_text,
}

#: The filters with several values, as an array or as a string with commas.
_SEVERAL: Final[Mapping[str, Check]] = {
    "ids": _identifier,
    "not_ids": _identifier,
    "status": _one_of(_STATUSES),
    "donation": _one_of(("none", "one", "first", "last")),
    **dict.fromkeys(("tags", "exclude_tags", "city", "state", "country", "region", "metro_area"), _any_text),
    **dict.fromkeys(("church", "locale", "timezone"), _any_text),
}

#: Every filter that an export may have.
EXPORT_FILTERS: Final = tuple(sorted((*_SINGLE, *_SEVERAL)))


def export_filter(setting: Mapping[str, Any]) -> dict[str, str]:
    """Return the filter of an export with strings only: MPDX ignores other values.

    Raises:
        ConfigurationError: an unknown name or value: MPDX would ignore it and export all contacts.
    """
    if not setting:
        raise ConfigurationError(
            "Setting `mpdx_export_filter` is empty, which would export every active contact, also those who get no "
            'letters. Remove the setting for the newsletter by post, or set it to {"status": "active"} for all active '
            "contacts."
        )
    return {name: _value(name, value) for name, value in setting.items()}


def _value(name: str, value: Any) -> str:
    if name == "account_list_id":
        raise ConfigurationError(
            "Setting `mpdx_export_filter` has `account_list_id`; use `mpdx_account_lists` instead."
        )
    check = _SINGLE.get(name) or _SEVERAL.get(name)
    if check is None:
        why = "MPDX ignores it in exports" if name.startswith("reverse_") else "it is not a known filter of MPDX"
        raise ConfigurationError(
            f"Setting `mpdx_export_filter` has {name!r}, but {why}: all contacts would be exported. Known filters: "
            f"{', '.join(EXPORT_FILTERS)}."
        )
    parts = [_text(name, part) for part in value] if isinstance(value, list) else [_text(name, value)]
    if name in _SEVERAL:
        parts = [part.strip() for several in parts for part in several.split(",")]
    elif len(parts) > 1:
        raise ConfigurationError(f"Setting `mpdx_export_filter`: `{name}` takes a single value, not {len(parts)}.")
    for text in parts or [""]:
        expected = check(text) if text else "a string that is not empty: MPDX ignores a filter without a value"
        if expected:
            raise ConfigurationError(f"Setting `mpdx_export_filter`: `{name}` is {text!r}, but must be {expected}.")
    return ",".join(parts)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value).strip()
    raise ConfigurationError(f"Setting `mpdx_export_filter`: `{name}` must be a string, or an array of strings.")
