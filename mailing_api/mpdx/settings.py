"""MPDX's settings, and checks of their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.mpdx.filter import DEFAULT_EXPORT_FILTER
from mailing_api.settings import Setting

__all__ = ["MPDX_SETTINGS", "named"]

MPDX_SETTINGS: Final = (
    Setting(
        name="mpdx_token",
        title="MPDX token",
        description="A JSON Web Token of MPDX. It lasts 30 days and cannot be renewed; `mpdx_access_token` can.",
        secret=True,
        credential=True,
    ),
    Setting(
        name="mpdx_access_token",
        title="MPDX access token",
        description="An Okta access token, exchanged for a JSON Web Token of MPDX when a run begins, and again when "
        "that expires. Not used if `mpdx_token` is set.",
        secret=True,
        credential=True,
    ),
    Setting(
        name="mpdx_base_url",
        title="MPDX base URL",
        description="Scheme and host of the API, with or without `/api/v2` at the end.",
        default="https://api.mpdx.org",
    ),
    Setting(
        name="mpdx_account_lists",
        title="MPDX account lists",
        description="IDs or names of the account lists to read. Unset: all that the token's user can see.",
        type="array",
    ),
    Setting(
        name="mpdx_export_filter",
        title="MPDX export filter",
        description="The contacts to export: names and values of MPDX's contact filters. An unknown filter or value is "
        "refused, since MPDX would ignore it and export all contacts. Without `status`, hidden contacts are omitted. "
        "Default: active contacts that get the newsletter by post.",
        type="object",
        default=DEFAULT_EXPORT_FILTER,
    ),
    Setting(
        name="mpdx_account",
        title="MPDX account label",
        description=(
            "A name of your choice for this user's account. The tap writes it to the column `account`; the target's "
            "journal identifies the account by it. Not a credential."
        ),
        default="default",
    ),
)


def named(selected: Sequence[str] | None, existing: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the existing account lists that the setting selects by ID or name; all if it is unset.

    Raises:
        ConfigurationError: an account list does not exist, or its name is not unique.
    """
    if selected is None:
        return list(existing)
    chosen: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(selected, 1):
        matches = [each for each in existing if each["id"] == str(name).lower()]
        matches = matches or [each for each in existing if each.get("name") == name]
        if len(matches) != 1:
            # Account lists have people's names, so the entry is not quoted.
            why = "is the name of several account lists; use the ID"
            if not matches:
                why = "is not an account list that the token's user can see"
            raise ConfigurationError(f"Setting `mpdx_account_lists`: entry {number} {why}.")
        chosen[matches[0]["id"]] = matches[0]
    return list(chosen.values())
