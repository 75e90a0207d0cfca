"""The destinations of the settings, and the names of their streams, where a person is looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any, Final

from mailing_api.errors import AuthenticationError, MailingError, ProviderFault, UntrustedCertificate
from target_mailing.delivery.router import Router
from target_mailing.interface.destination import Destination
from target_mailing.journal.stores import MemoryStore, Store
from target_mailing.sections import unbroken
from target_mailing.settings.settings import StreamSettings

__all__ = ["looked_up", "named_streams", "names_of", "streams_of_settings", "without_journal"]

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


def without_journal(store: Store) -> str:
    """What is said where there is no journal at its place, or nothing is kept."""
    if isinstance(store, MemoryStore):
        return "Setting `journal` is off: nothing is remembered"
    return f"Journal: {unbroken(store.name)} (does not exist, so nothing is remembered)"


def named_streams(config: Mapping[str, Any]) -> list[str]:
    """Names that streams have by the settings: the entries of `streams`, and those that stream maps give."""
    return [*streams_of_settings(config), *(name for _, _, name in _given(config))]


def names_of(config: Mapping[str, Any], stream: str) -> list[str]:
    """The names by which the journal may know a stream: its own, and those that stream maps give it."""
    given = [name for of, is_source, name in _given(config) if of == stream or (not is_source and fnmatch(stream, of))]
    return [*dict.fromkeys([stream, *given])]


def _given(config: Mapping[str, Any]) -> Iterator[tuple[str, bool, str]]:
    """For each name that a stream map gives: the stream or pattern, whether it is a source's own name, and the name."""
    for key, one in (config.get("stream_maps") or {}).items():
        if not isinstance(one, Mapping):
            continue
        source, alias = one.get("__source__"), one.get("__alias__")
        name = alias if isinstance(alias, str) else key
        if isinstance(source, str):
            yield source, True, name
        elif isinstance(alias, str):
            yield key, False, alias
