"""MPDX: client, settings and responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailing_api.offered import offered

if TYPE_CHECKING:
    from mailing_api.mpdx.client import MpdxClient, mpdx_pace
    from mailing_api.mpdx.settings import MPDX_SETTINGS

__all__ = ["MPDX_SETTINGS", "MpdxClient", "mpdx_pace"]

__getattr__ = offered(__name__, "settings", "client")
