"""MPDX: client, settings and responses."""

from __future__ import annotations

from mailing_api.mpdx.client import MPDX_SETTINGS, MpdxClient, mpdx_pace

__all__ = ["MPDX_SETTINGS", "MpdxClient", "mpdx_pace"]
