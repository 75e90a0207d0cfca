"""All providers that the target can deliver to, and with theirs all of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.process.providers import installed
from mailing_api.settings import Setting, lookup
from target_mailing.declared_settings import TARGET_SETTINGS
from target_mailing.provider import Provider

__all__ = ["PROVIDERS", "SETTINGS", "chosen"]

PROVIDERS: Final = installed("target_mailing.providers", Provider)

_DESTINATION: Final = Setting(
    name="destination",
    title="Destination",
    description="The provider to deliver to; needed only when several are set.",
    allowed=[provider.name for provider in PROVIDERS],
)

SETTINGS: Final = (
    *(setting for provider in PROVIDERS for setting in provider.settings),
    _DESTINATION,
    *TARGET_SETTINGS,
)


def chosen(config: Mapping[str, Any]) -> Provider:
    """The provider to deliver to.

    Raises:
        ConfigurationError: none is set, or several are and none is named.
    """
    wanted = lookup(_DESTINATION, config)
    candidates = [provider for provider in PROVIDERS if wanted in {None, provider.name}]
    present = [provider for provider in candidates if provider.is_set(config)]
    if not present:
        told = "; or ".join(provider.wanted for provider in candidates)
        raise ConfigurationError(f"No provider to deliver to: set {told}.")
    if len(present) > 1:
        names = ", ".join(provider.name for provider in present)
        raise ConfigurationError(f"Several providers are set: name one in `destination` ({names}).")
    return present[0]
