"""The setting `action` at a destination: its effect there; and whether a mirror can be kept there; pure."""

from __future__ import annotations

from mailing_api.errors import ConfigurationError
from target_mailing.interface.destination import AppendOnlyDestination, Destination, ListsByRow
from target_mailing.interface.list_members import ListsMembers
from target_mailing.settings.settings import StreamSettings

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
    if settings.is_mirror:
        _check_mirror(settings, destination)


def _check_mirror(settings: StreamSettings, destination: Destination) -> None:
    """Check that a mirror can be kept at a destination.

    Raises:
        ConfigurationError: it cannot.
    """
    actions = destination.actions
    takes_off = actions.remove if settings.mirror_action == "remove" else actions.unsubscribe
    why = None
    if actions.removing_undoes_opt_out:
        why = "removing a contact here would lift a suppression"
    elif isinstance(destination, ListsByRow):
        why = "rows of this route name their own lists"
    elif takes_off not in actions.known or isinstance(destination, AppendOnlyDestination):
        why = f"this destination cannot {settings.mirror_action} single contacts"
    elif settings.mirror_action == "unsubscribe" and not actions.records_opt_outs:
        why = "this destination records no opt-outs, so `mirror_action` cannot be unsubscribe"
    if why is not None:
        raise ConfigurationError(f"Setting `sync` is mirror, but {why}. Set `sync: upsert`, or change the destination.")
    if settings.mirrors_list and not isinstance(destination, ListsMembers):
        raise ConfigurationError(
            "Setting `mirror_scope` is list, but this destination cannot tell which members of a list the input names. "
            "Set `mirror_scope: stream`, or change the destination."
        )


def respectful_action(settings: StreamSettings, destination: Destination) -> str:
    """The setting `action` as the setting `consent` allows it."""
    action = settings.action
    return action if settings.consent == "force" else destination.actions.respectful.get(action, action)
