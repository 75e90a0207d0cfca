"""The keys of the input's records, as the taps gave them, reported to the history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from target_mailing.contacts.mapping import Values
from target_mailing.history.keys import KeyColumns, personal_columns
from target_mailing.input.stream import Stream
from target_mailing.journal.hashes import Hashes
from target_mailing.rows.lines import Lines
from target_mailing.run_events import History, Keys
from target_mailing.settings.declared_settings import value_of
from target_mailing.settings.settings import StreamSettings

__all__ = ["SourceKeys"]


class SourceKeys:
    """The keys of a run's records. Nothing is read for a run without a history."""

    def __init__(self, history: History, config: Mapping[str, Any], hashes: Hashes, *, has_maps: bool) -> None:
        """Begin with no streams.

        Args:
            history: gets them.
            config: the plugin's settings.
            hashes: the journal's.
            has_maps: streams have maps, so that the values of rows are not those of records.
        """
        self._history = history
        self._config = config
        self._hashed = None if value_of("history_contacts", config) == "plain" else hashes.history_keys()
        self._has_maps = has_maps
        self._compiled: dict[tuple[str, Sequence[str]], KeyColumns] = {}
        #: By stream, as its latest SCHEMA says.
        self._latest: dict[str, KeyColumns] = {}

    def use(self, stream: str, columns: Sequence[str]) -> None:
        """From now on the records of a stream have the key of these columns."""
        self._latest[stream] = self._of(stream, columns)

    def of_record(self, number: int, stream: str, record: Mapping[str, Any]) -> Keys:
        """The key of the record in a line; of a damaged one, its readable columns."""
        return [number], [self._latest[stream].of_record(record)] if self._history.is_kept else []

    def tell(
        self, lines: Lines, taken: Mapping[Stream, tuple[Sequence[int], Sequence[Values]]], named: Iterable[Keys]
    ) -> None:
        """Tell the keys of the records in some lines.

        Args:
            lines: of the input.
            taken: by stream, the lines and the values of records.
            named: the keys of other records, by `of_record`.
        """
        if not self._history.is_kept:
            return
        rows: list[Keys] = []
        for stream, (numbers, values) in () if self._has_maps else taken.items():
            rows.append((numbers, self._of(stream.source, stream.keys).encoded(values, stream.key_at)))
        self._history.take(lines.first, len(lines.each), [*rows, *named])

    def _of(self, stream: str, columns: Sequence[str]) -> KeyColumns:
        place = stream, tuple(columns)
        if place not in self._compiled:
            maps = (self._config.get("stream_maps") or {}).values()
            personal = personal_columns(
                columns,
                StreamSettings.resolve(self._config, stream).mapping,
                [one for one in maps if isinstance(one, Mapping)],
            )
            self._compiled[place] = KeyColumns(stream, columns, personal=personal, hashed=self._hashed)
        return self._compiled[place]
