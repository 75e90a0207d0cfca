"""How a provider reaches contacts, by e-mail or by post, and which streams have such contacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from target_mailing.contacts.consent_columns import address_meant
from target_mailing.interface.contact_streams import contact_streams
from target_mailing.settings.settings import StreamSettings

__all__ = ["BY_EMAIL", "BY_POST", "Channel"]


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """How contacts are reached.

    Attributes:
        column: the canonical column that holds the address.
        addresses: as messages call them.
    """

    column: str
    addresses: str

    def accepts(self, stream: str, columns: Mapping[str, Any], settings: StreamSettings) -> bool:
        """Whether a stream has contacts that can be reached this way.

        Other kinds of streams have addresses, too (a suppression list does), so a column of addresses is not enough.

        Raises:
            ConfigurationError: it has none, and `on_unknown_stream` is `fail`.
        """
        column = settings.mapping.get(self.column, self.column)
        question = ""
        declared = contact_streams().get(stream)
        has_addresses = declared is not None and self.column in declared.columns
        if declared is not None and not has_addresses and column == self.column:
            why = f"it has {declared.contacts}, and no {self.addresses}"
        elif has_addresses or settings.named or stream.endswith("_contacts"):
            return True
        elif column not in columns:
            why = f"its name does not end in _contacts, and it has no column {column!r}"
            if self.column in settings.mapping:
                why += f", from which `mapping` takes `{self.column}`"
            question = address_meant(self.column, columns, settings.mapping) or (
                f" If another of its columns holds them, name that column: `mapping: {{{self.column}: ...}}`."
            )
        elif "provider" in columns:
            why = "its name does not end in _contacts, and its column 'provider' marks another kind of stream"
        else:
            return True
        if settings.on_unknown_stream == "skip":
            return False
        deselect = "Otherwise deselect" if question else "Deselect"
        raise ConfigurationError(
            f"Stream {stream!r} has no contacts with {self.addresses}: {why}.{question} {deselect} it at the tap, set "
            f"`on_unknown_stream: skip`, or deliver it anyway: add it to `streams`, with a `mapping` for "
            f"`{self.column}`."
        )


BY_EMAIL: Final = Channel(column="email", addresses="e-mail addresses")

BY_POST: Final = Channel(column="address_line1", addresses="postal addresses")
