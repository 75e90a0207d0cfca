"""All providers that the tap can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mailing_api.process.providers import installed
from tap_mailing.provider import Provider

__all__ = ["PROVIDERS", "chosen"]

PROVIDERS: Final = installed("tap_mailing.providers", Provider)


def chosen(config: Mapping[str, Any]) -> Sequence[Provider]:
    """The providers that the settings name; none if they name none."""
    return [provider for provider in PROVIDERS if provider.is_set(config)]
