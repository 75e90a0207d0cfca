"""All providers that the tap can read, and their streams by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mailing_api.process.providers import installed
from tap_mailing.provider import Provider, name_of
from tap_mailing.streams.base import MailingStream

__all__ = ["PROVIDERS", "Streams", "chosen"]

PROVIDERS: Final = installed("tap_mailing.providers", Provider)


def chosen(config: Mapping[str, Any]) -> Sequence[Provider]:
    """The providers that the settings name; none if they name none."""
    return [provider for provider in PROVIDERS if provider.is_set(config)]


class Streams(Mapping[str, type[MailingStream[Any]]]):
    """The classes of streams by name; looking a name up loads only the provider that it begins with."""

    def __init__(self, providers: Sequence[Provider] = PROVIDERS) -> None:
        """Take the providers."""
        self._providers = providers

    def __getitem__(self, name: str) -> type[MailingStream[Any]]:
        for provider in self._providers:
            if name.startswith(f"{provider.name}_"):
                for stream in provider.stream_classes:
                    if name_of(stream) == name:
                        return stream
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name_of(stream) for provider in self._providers for stream in provider.stream_classes)

    def __len__(self) -> int:
        return sum(len(provider.stream_classes) for provider in self._providers)
