"""The setting `action` at a destination: whether it is supported, and its effect there; pure."""

from __future__ import annotations

from mailing_api.errors import ConfigurationError
from target_mailing.destination import Destination
from target_mailing.settings import StreamSettings

__all__ = ["check_action", "respectful_action"]


def check_action(settings: StreamSettings, destination: Destination) -> None:
    """Check that a destination supports the setting `action`.

    Raises:
        ConfigurationError: it does not.
    """
    actions = destination.actions
    if settings.action not in actions.known:
        needs_list = settings.scope == "account" and not settings.lists
        raise ConfigurationError(
            f"Setting `action` is {settings.action!r}, which this destination does not support. Choose one of "
            f"{', '.join(sorted(actions.known))}{'; all others need a `list`' if needs_list else ''}."
        )
    if settings.action in actions.only_forced and settings.consent != "force":
        raise ConfigurationError(
            f"Setting `action` is {settings.action!r}, which could re-subscribe people who opted out, so it needs "
            "`consent: force`. Set that, too, or choose another action."
        )


def respectful_action(settings: StreamSettings, destination: Destination) -> str:
    """The setting `action` as the setting `consent` allows it."""
    action = settings.action
    return action if settings.consent == "force" else destination.actions.respectful.get(action, action)
