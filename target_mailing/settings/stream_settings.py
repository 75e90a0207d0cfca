"""The entries of the setting `streams`, and whether each of them matches a stream of the input."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from target_mailing.settings.settings import is_entry_of

__all__ = ["StreamOverrides"]

logger = logging.getLogger("target-mailing.intake")

#: Settings that change what happens to contacts: rows that were delivered without them were delivered wrongly.
_FATAL: Final = ("action", "action_column", "consent", "list", "scope")


class StreamOverrides:
    """Compares the entries with the streams that come: one that matches no stream is most often misspelt."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Read the entries from the plugin's settings."""
        self._entries: Mapping[str, Any] = config.get("streams") or {}
        self._unused = dict.fromkeys(self._entries)
        self._streams: dict[str, None] = {}
        self._without: dict[str, None] = {}

    def met(self, stream: str, *, skipped: bool = False) -> None:
        """Note a stream that came, by its name after stream maps; warn if it has no entry while others are unused."""
        matching = [pattern for pattern in self._entries if is_entry_of(pattern, stream)]
        for pattern in matching:
            self._unused.pop(pattern, None)
        self._streams[stream] = None
        if matching or skipped:
            return
        if parts := [one for one in self._unused if stream.startswith(f"{one}.") and not self._entries[one]]:
            raise ConfigurationError(
                f"Setting `streams.{parts[0]}` is empty, and stream {stream!r} has no entry. Meltano splits names at "
                f"dots: write `{stream.replace('.', '?')}`, with a question mark for each dot."
            )
        if self._unused and not self._without:
            logger.warning(
                "Setting `streams`: no entry matches stream %r, so the general settings apply to it; these entries "
                "have matched no stream so far: %s",
                stream,
                _listed(self._unused),
            )
        self._without[stream] = None

    def check(self) -> None:
        """At the end of the input: report the entries that matched no stream.

        Raises:
            ConfigurationError: one of them changes what happens to contacts, and some stream matched no entry.
        """
        if not self._unused or not self._streams:
            return
        fatal = [one for one in self._unused if self._without and _is_fatal(self._entries[one])]
        if harmless := [one for one in self._unused if one not in fatal]:
            logger.warning("%s", self._message(harmless))
        if fatal:
            raise ConfigurationError(
                f"{self._message(fatal)}. All rows were delivered, but with the general settings for "
                f"{_listed(self._without)}. If that is right, remove the entry. Else fix its name or pattern, undo the "
                "wrong changes at the provider, and rerun with these rows."
            )

    def _message(self, entries: list[str]) -> str:
        return f"Setting `streams`: no stream matched {_listed(entries)}; the input has {_listed(self._streams)}"


def _is_fatal(entry: Any) -> bool:
    return isinstance(entry, Mapping) and any(entry.get(name) is not None for name in _FATAL)


def _listed(names: Mapping[str, Any] | list[str]) -> str:
    return ", ".join(map(repr, names))
