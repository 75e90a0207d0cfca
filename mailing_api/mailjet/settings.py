"""Mailjet's settings."""

from __future__ import annotations

from typing import Final

from mailing_api.settings import Setting

__all__ = ["MAILJET_SETTINGS"]

MAILJET_SETTINGS: Final = (
    Setting(
        name="mailjet_api_key",
        title="Mailjet API key",
        description="The API key (user name). Falls back to the environment variable MJ_APIKEY_PUBLIC.",
        secret=True,
        credential=True,
        env="MJ_APIKEY_PUBLIC",
    ),
    Setting(
        name="mailjet_secret_key",
        title="Mailjet secret key",
        description="The secret key (password). Falls back to the environment variable MJ_APIKEY_PRIVATE.",
        secret=True,
        credential=True,
        env="MJ_APIKEY_PRIVATE",
    ),
    Setting(
        name="mailjet_base_url",
        title="Mailjet base URL",
        description="Scheme and host of the API; accounts hosted elsewhere use another, such as "
        "https://api.us.mailjet.com.",
        default="https://api.mailjet.com",
    ),
    Setting(
        name="mailjet_account",
        title="Mailjet account label",
        description=(
            "A name of your choice for this account. The tap writes it to the column `account`; the target's "
            "journal identifies the account by it. Not a credential."
        ),
        default="default",
    ),
)
