"""The settings of Example Mail that tap and target share."""

from __future__ import annotations

from typing import Final

from mailing_api.settings import Setting

__all__ = ["ACCOUNT", "API_TOKEN", "BASE_URL", "SETTINGS"]

API_TOKEN: Final = Setting(
    name="examplemail_api_token",
    title="Example Mail API token",
    description="The API token of a workspace, which begins with the workspace's name and a dot. Falls back to the "
    "environment variable EXAMPLEMAIL_API_TOKEN.",
    secret=True,
    credential=True,
    env="EXAMPLEMAIL_API_TOKEN",
)
BASE_URL: Final = Setting(
    name="examplemail_base_url",
    title="Example Mail base URL",
    description="Scheme and host of the API.",
    default="https://api.examplemail.example",
)
ACCOUNT: Final = Setting(
    name="examplemail_account",
    title="Example Mail account label",
    description="A name of your choice for this workspace, written to the tap's column `account`; the target's journal "
    "remembers by it. Not a credential.",
    default="default",
)

SETTINGS: Final = (API_TOKEN, BASE_URL, ACCOUNT)
