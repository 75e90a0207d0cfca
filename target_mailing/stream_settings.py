"""The entries of the setting `streams`, and whether each of them fits a stream of the input."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from target_mailing.settings import is_entry_of

__all__ = ["StreamOverrides"]

logger = logging.getLogger("target-mailing.intake")

#: Settings that say what becomes of people: rows that went without theirs went wrong.
_GRAVE: Final = ("action", "action_column", "consent", "list", "scope")


class StreamOverrides:
    """Watches the streams as they come, for an entry that fits none is most often misspelt."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Take the plugin's settings."""
        self._entries: Mapping[str, Any] = config.get("streams") or {}
        self._unused = dict.fromkeys(self._entries)
        self._streams: dict[str, None] = {}
        self._without: dict[str, None] = {}

    def met(self, stream: str, *, skipped: bool = False) -> None:
        """A stream came, by its name after stream maps; if it has no entry, one that fitted none yet may be meant."""
        fitting = [pattern for pattern in self._entries if is_entry_of(pattern, stream)]
        for pattern in fitting:
            self._unused.pop(pattern, None)
        self._streams[stream] = None
        if fitting or skipped:
            return
        if parts := [one for one in self._unused if stream.startswith(f"{one}.") and not self._entries[one]]:
            raise ConfigurationError(
                f"Setting `streams.{parts[0]}` is empty, and stream {stream!r} has no entry. Meltano splits names at "
                f"dots: write `{stream.replace('.', '?')}`."
            )
        if self._unused and not self._without:
            logger.warning(
                "Setting `streams`: none of its entries fits stream %r, which goes by the general settings; so far no "
                "stream came for %s",
                stream,
                _listed(self._unused),
            )
        self._without[stream] = None

    def check(self) -> None:
        """At the end of the input: tell which entries fitted no stream.

        Raises:
            ConfigurationError: one of them says what becomes of people, and a stream went by the general settings.
        """
        if not self._unused or not self._streams:
            return
        fatal = [one for one in self._unused if self._without and _is_grave(self._entries[one])]
        if harmless := [one for one in self._unused if one not in fatal]:
            logger.warning("%s", self._told(harmless))
        if fatal:
            raise ConfigurationError(
                f"{self._told(fatal)}. The rows were delivered, those of {_listed(self._without)} by the general "
                "settings. If that is right, take the entry out. Else correct its name, mend what was delivered, and "
                "give the target these rows again."
            )

    def _told(self, entries: list[str]) -> str:
        return f"Setting `streams`: no stream came for {_listed(entries)}; these came: {_listed(self._streams)}"


def _is_grave(entry: Any) -> bool:
    return isinstance(entry, Mapping) and any(entry.get(name) is not None for name in _GRAVE)


def _listed(names: Mapping[str, Any] | list[str]) -> str:
    return ", ".join(map(repr, names))
