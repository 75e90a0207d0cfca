"""PostGrid's settings, and checks of their values."""

from __future__ import annotations

from typing import Final

from mailing_api.errors import ConfigurationError
from mailing_api.http.pace import Pace
from mailing_api.http.urls import check_url
from mailing_api.settings import Setting

__all__ = ["POSTGRID_SETTINGS", "check_key", "endpoint", "postgrid_pace", "wrong_mode"]

#: The product and its only version.
_PRODUCT: Final = "/print-mail/v1"

POSTGRID_SETTINGS: Final = (
    Setting(
        name="postgrid_api_key",
        title="PostGrid API key",
        description="The API key of the Print & Mail product: test_sk_… or live_sk_…, which open separate data. Falls "
        "back to the environment variable POSTGRID_PRINT_MAIL_API_KEY.",
        secret=True,
        credential=True,
        env="POSTGRID_PRINT_MAIL_API_KEY",
    ),
    Setting(
        name="postgrid_base_url",
        title="PostGrid base URL",
        description="Scheme and host of the API. A path names product and version; without one it is /print-mail/v1. "
        "Falls back to the environment variable POSTGRID_BASE_URL.",
        default="https://api.postgrid.com",
        env="POSTGRID_BASE_URL",
    ),
    Setting(
        name="postgrid_account",
        title="PostGrid account label",
        description=(
            "A name of your choice for this account. The tap writes it to the column `account`; the target's "
            "journal identifies the account by it. Not a credential."
        ),
        default="default",
    ),
    Setting(
        name="postgrid_live",
        title="PostGrid live data",
        description="true: the key must open live data. false: it must open test data. Unset: the tap accepts either; "
        "the target accepts a test key only, since contacts on a live list may be sent printed letters.",
        type="boolean",
    ),
)


def endpoint(url: str) -> str:
    """Return the URL of the API, below which its resources are.

    Raises:
        ConfigurationError: not a URL with scheme and host.
    """
    parsed = check_url("postgrid_base_url", url, "https://api.postgrid.com")
    bare = str(parsed).rstrip("/")
    return bare if parsed.path.strip("/") else bare + _PRODUCT


def check_key(key: str, *, live: bool | None) -> None:
    """Check a key before it is sent.

    Args:
        key: the API key.
        live: whether it must open live data (True) or test data (False); None for either.

    Raises:
        ConfigurationError: its prefix belongs to the other data.
    """
    is_test, is_live = key.startswith("test_"), key.startswith("live_")
    if (live and is_test) or (live is False and is_live):
        raise wrong_mode(live=live)


def wrong_mode(*, live: bool) -> ConfigurationError:
    """Return the error for a key that does not open the data in the setting."""
    kind = "test" if live else "live"
    return ConfigurationError(
        f"Setting `postgrid_live` is {str(live).lower()}, but `postgrid_api_key` is a {kind} key: correct one of them."
    )


def postgrid_pace(max_per_second: float | None = None) -> Pace:
    """Return a pace that is careful by default: PostGrid does not publish its limits.

    Another product of PostGrid allows 5 requests a second.
    """
    return Pace(4.0 if max_per_second is None else max_per_second)
