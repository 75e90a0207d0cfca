"""All providers that the target can deliver to, and with theirs all of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from mailing_api.errors import ConfigurationError
from mailing_api.process.providers import installed
from mailing_api.settings import Setting, lookup
from target_mailing.interface.provider import Provider
from target_mailing.settings.declared_settings import BATCH_DEFAULTS, TARGET_SETTINGS

__all__ = ["PROVIDERS", "SETTINGS", "chosen"]

PROVIDERS: Final = installed("target_mailing.providers", Provider)

_DESTINATION: Final = Setting(
    name="destination",
    title="Destination",
    description="The provider to deliver to; needed only when several are set.",
    allowed=[provider.name for provider in PROVIDERS],
)


def _completed(setting: Setting) -> Setting:
    """A setting of the target with what the installed providers say of it."""
    if setting.name == "route":
        about = " ".join(f"{provider.title}: {provider.about_routes}" for provider in PROVIDERS if provider.routes)
        routes = dict.fromkeys(route for provider in PROVIDERS for route in provider.routes)
        return replace(setting, description=f"{setting.description} {about}", allowed=[*routes])
    if setting.name == "batch_rows":
        most = ", ".join(f"{provider.most_rows} for {provider.title}" for provider in PROVIDERS)
        setting = replace(setting, description=f"{setting.description}: {most}.")
    if setting.name in BATCH_DEFAULTS:
        setting = replace(setting, description=f"{setting.description} {_defaults(setting.name)}")
    if setting.name == "jobs_in_flight":
        most = ", ".join(f"{provider.jobs_in_flight} for {provider.title}" for provider in PROVIDERS)
        one = ", ".join(provider.title for provider in PROVIDERS if provider.batches_at_once == 1)
        return replace(setting, description=f"{setting.description}. Unset: {most}. {one}: one for each list.")
    return setting


def _defaults(name: str) -> str:
    """The defaults of a setting of batches, in a sentence."""
    own = [
        f"{value} for {provider.title} with {' or '.join(f'`{route}`' for route in routes)}"
        for provider in PROVIDERS
        for value, routes in _routes_by_default(provider, name).items()
    ]
    return f"Default: {', '.join([str(BATCH_DEFAULTS[name]), *own])}."


def _routes_by_default(provider: Provider, name: str) -> dict[int, list[str]]:
    routes: dict[int, list[str]] = {}
    for route, defaults in provider.defaults.items():
        if name in defaults:
            routes.setdefault(defaults[name], []).append(route)
    return routes


SETTINGS: Final = (
    *(setting for provider in PROVIDERS for setting in provider.settings),
    _DESTINATION,
    *map(_completed, TARGET_SETTINGS),
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
        required = "; or ".join(provider.required_text for provider in candidates)
        raise ConfigurationError(f"No provider to deliver to: set {required}.")
    if len(present) > 1:
        names = ", ".join(provider.name for provider in present)
        raise ConfigurationError(f"Several providers are set: name one in `destination` ({names}).")
    return present[0]
