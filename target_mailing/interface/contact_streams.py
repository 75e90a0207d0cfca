"""Streams of contacts that are known by name: the addresses that each one has, as installed packages declare it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.process.providers import load, package_of, points_of

__all__ = ["ContactStream", "contact_streams"]

_GROUP: Final = "target_mailing.contact_streams"


class ContactStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream of contacts that a tap writes.

    An entry point of the group `target_mailing.contact_streams`, with the provider's name, leads to a sequence of them.

    Attributes:
        name: of the stream.
        columns: the canonical columns of addresses that it fills: `email`, `address_line1`.
        contacts: who its contacts are, for messages, such as "people with e-mail addresses".
    """

    name: str
    columns: Sequence[str]
    contacts: str


@cache
def contact_streams() -> Mapping[str, ContactStream]:
    """The streams that the installed packages declare, by name.

    Raises:
        ConfigurationError: a declaration cannot be loaded, or two packages declare the same stream.
    """
    streams: dict[str, ContactStream] = {}
    owners: dict[str, EntryPoint] = {}
    for point in points_of(_GROUP):
        declared: Any = load(point)
        if not isinstance(declared, Sequence) or not all(isinstance(stream, ContactStream) for stream in declared):
            raise ConfigurationError(
                f"Entry point {point.name!r} of {package_of(point)} does not lead to a sequence of "
                f"{ContactStream.__module__}.{ContactStream.__name__}. Correct or uninstall that package."
            )
        for stream in declared:
            if stream.name in owners:
                raise ConfigurationError(
                    f"Two installed packages declare the stream {stream.name!r}: {package_of(owners[stream.name])} and "
                    f"{package_of(point)}. Uninstall one."
                )
            owners[stream.name] = point
            streams[stream.name] = stream
    return streams
