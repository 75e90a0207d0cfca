"""The settings of MPDX, and what their values must be."""

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
        "that expires. Not used where `mpdx_token` is set.",
        secret=True,
        credential=True,
    ),
    Setting(
        name="mpdx_base_url",
        title="MPDX base URL",
        description="Scheme and host of the API; `/api/v2` at the end may be there or not.",
        default="https://api.mpdx.org",
    ),
    Setting(
        name="mpdx_account_lists",
        title="MPDX account lists",
        description="IDs or names of the account lists to read. Unset: all that the token's user sees.",
        type="array",
    ),
    Setting(
        name="mpdx_export_filter",
        title="MPDX export filter",
        description="Which contacts an export holds: names and values of MPDX's contact filters. A filter or a value "
        "that MPDX is not known to have is refused, since MPDX would ignore it and export everybody. Without `status`, "
        "hidden contacts are left out. Default: active contacts that get the newsletter by post.",
        type="object",
        default=DEFAULT_EXPORT_FILTER,
    ),
    Setting(
        name="mpdx_account",
        title="MPDX account label",
        description=(
            "A name of your choice for this user's account, written to the tap's column `account`; "
            "the target's journal remembers by it. Not a credential."
        ),
        default="default",
    ),
)


def named(wanted: Sequence[str] | None, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the account lists found that the setting names by ID or name; all where it is unset.

    Raises:
        ConfigurationError: one is not there, or its name is not unique.
    """
    if wanted is None:
        return list(found)
    chosen: dict[str, dict[str, Any]] = {}
    for place, name in enumerate(wanted, 1):
        fitting = [one for one in found if one["id"] == str(name).lower()] or [
            one for one in found if one.get("name") == name
        ]
        if len(fitting) != 1:
            # Account lists bear people's names, so the entry is not quoted.
            why = (
                "is the name of several account lists; give the ID" if fitting else "is none that the token's user sees"
            )
            raise ConfigurationError(f"Setting `mpdx_account_lists`: entry {place} {why}.")
        chosen[fitting[0]["id"]] = fitting[0]
    return list(chosen.values())
