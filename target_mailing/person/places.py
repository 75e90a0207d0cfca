"""The destinations of the settings, and the names of their streams, where a person is looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mailing_api.errors import AuthenticationError, MailingError, ProviderFault, UntrustedCertificate
from target_mailing.destination import Destination
from target_mailing.router import Router
from target_mailing.settings import StreamSettings

__all__ = ["aliases", "looked_up", "named_streams", "streams_of_settings"]

#: Errors of the whole account, whichever destination is looked for.
_OF_ACCOUNT: Final = (AuthenticationError, ProviderFault, UntrustedCertificate)


def looked_up(
    config: Mapping[str, Any], router: Router, note: Callable[[Exception], None]
) -> dict[str, tuple[Destination, str]]:
    """By name, the destinations to which the settings lead, each with its description.

    Args:
        config: the settings.
        router: of the account.
        note: takes errors of destinations that could not be looked up.
    """
    found: dict[str, tuple[Destination, str]] = {}
    for stream in (None, *streams_of_settings(config)):
        settings = StreamSettings.resolve(config, stream)
        if router.problem(settings) is not None:
            continue  # another entry is complete
        try:
            destination, title = router.look(settings)
        except MailingError as error:
            note(error)
            if isinstance(error, _OF_ACCOUNT):
                break  # it is the same for the others
        else:
            found.setdefault(destination.name, (destination, title))
    return found


def streams_of_settings(config: Mapping[str, Any]) -> list[str]:
    """The entries of `streams`."""
    return [*(config.get("streams") or {})]


def named_streams(config: Mapping[str, Any]) -> list[str]:
    """Names that streams have by the settings: the entries of `streams`, and the aliases of stream maps."""
    return [*streams_of_settings(config), *aliases(config)]


def aliases(config: Mapping[str, Any]) -> list[str]:
    """Names that stream maps give streams."""
    maps = config.get("stream_maps") or {}
    given = (one.get("__alias__") for one in maps.values() if isinstance(one, Mapping))
    return [one for one in given if isinstance(one, str)]
