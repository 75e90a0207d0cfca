"""How the rows of each stream ended, at each destination."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from target_mailing.delivery.tally import Tally
from target_mailing.rows.outcome import Outcome

__all__ = ["StreamTallies"]

#: Changes from one stream to another that are kept at most, unless rows before them have no outcome yet.
_MOST_KEPT: Final = 4096


class StreamTallies:
    """Counts rows by stream and destination. A line's stream is known by the place where its stream began."""

    def __init__(self, settled: Callable[[], int]) -> None:
        """Begin with none; `settled` returns the last line such that it and all lines before it have an outcome."""
        self._settled = settled
        self._most_kept = _MOST_KEPT
        #: Where records of another stream than before begin, and the number of that stream; at first there is none.
        self._firsts = array("q", [0])
        self._streams = array("L", [0])
        #: Names by number, and numbers by name.
        self._names = [""]
        self._numbers = {"": 0}
        self._tallies: dict[tuple[int, str], Tally] = {}
        self._read: Counter[int] = Counter()

    def __iter__(self) -> Iterator[tuple[str, str, Tally]]:
        """Streams in the order of the input, with their destinations ("" for none) and how their rows ended there."""
        for (stream, destination), tally in sorted(self._tallies.items(), key=lambda item: item[0]):
            yield self._names[stream], destination, tally

    def open_rows(self) -> dict[str, int]:
        """By stream, how many of its rows have no outcome, if any; rows that go to several places may be missing."""
        ended: Counter[int] = Counter()
        for (stream, _), tally in self._tallies.items():
            ended[stream] += tally.rows
        return {self._names[stream]: rows for stream, rows in (self._read - ended).items()}

    def begin(self, line: int, stream: str, rows: int = 1) -> None:
        """Records from this line on are of this stream; so many were read now."""
        number = self._numbers.setdefault(stream, len(self._names))
        if number == len(self._names):
            self._names.append(stream)
        self._read[number] += rows
        if self._streams[-1] != number:
            self._firsts.append(line)
            self._streams.append(number)
            if len(self._firsts) > self._most_kept:
                self._forget()

    def ended(self, lines: Sequence[int], outcome: Outcome, code: str | None, destination: str) -> None:
        """Rows of these lines ended alike at a destination."""
        if not lines:
            return
        streams = self._streams_of(lines)
        for stream, rows in streams.items():
            self._tallies.setdefault((stream, destination), Tally()).count(rows, outcome, code)

    def _streams_of(self, lines: Sequence[int]) -> dict[int, int]:
        """How many of these lines each stream has."""
        first, last = self._at(min(lines)), self._at(max(lines))
        if first == last:
            return {self._streams[first]: len(lines)}
        places = Counter(map(self._at, lines))
        streams: Counter[int] = Counter()
        for place, rows in places.items():
            streams[self._streams[place]] += rows
        return streams

    def _at(self, line: int) -> int:
        return bisect_right(self._firsts, line) - 1

    def _forget(self) -> None:
        """Forget the places that no line without an outcome needs."""
        over = max(0, self._at(self._settled() + 1))
        del self._firsts[:over], self._streams[:over]
        self._most_kept = max(_MOST_KEPT, 2 * len(self._firsts))
