"""The setting `action` at a destination: whether it is possible there, and what it comes to; pure."""

from __future__ import annotations

from mailing_api.errors import ConfigurationError
from target_mailing.destination import Destination
from target_mailing.settings import StreamSettings

__all__ = ["check_action", "respectful_action"]


def check_action(settings: StreamSettings, destination: Destination) -> None:
    """See whether the setting `action` is possible at a destination.

    Raises:
        ConfigurationError: it is not.
    """
    actions = destination.actions
    if settings.action not in actions.known:
        wants_list = settings.scope == "account" and not settings.lists
        raise ConfigurationError(
            f"Setting `action` is {settings.action!r}, which is not possible here; these are: "
            f"{', '.join(sorted(actions.known))}.{' All others need a `list`.' if wants_list else ''}"
        )
    if settings.action in actions.only_forced and settings.consent != "force":
        raise ConfigurationError(
            f"Setting `action` is {settings.action!r}, which lets people be written to again who must not be now: "
            "it needs `consent: force`. Set that too, or choose another action."
        )


def respectful_action(settings: StreamSettings, destination: Destination) -> str:
    """What the setting `action` comes to, given the setting `consent`."""
    asked = settings.action
    return asked if settings.consent == "force" else destination.actions.respectful.get(asked, asked)
