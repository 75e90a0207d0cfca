"""The keys of one person, in records and in the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from mailing_api.addresses import fold_address
from target_mailing.history.keys import hidden
from target_mailing.journal.hashes import Hashes
from target_mailing.person.asked import Asked, encoded_key

__all__ = ["PersonKeys"]


class PersonKeys:
    """Recognises the keys of one person: the one in question, and those that the journal has for their address."""

    def __init__(
        self,
        asked: Asked,
        hashes: Hashes | None,
        places: Iterable[str],
        own: AbstractSet[bytes],
        *,
        names_of: Callable[[str], Iterable[str]] = lambda stream: [stream],
        emails: Iterable[str] = (),
    ) -> None:
        """Take what is known of the person.

        Args:
            asked: who is in question.
            hashes: of the journal; None where there is none.
            places: names of the destinations at which the journal has keys of the person.
            own: the hashes of these.
            names_of: the names by which the journal may know a stream.
            emails: their other addresses.
        """
        self._asked = asked
        self._hashes = hashes
        self._places = [*places]
        self._names_of = names_of
        self._own = own
        self._encoded = {*asked.keys}
        #: Keys by stream that turned out to be of the person, encoded.
        self._found: set[tuple[str, bytes]] = set()
        texts = {asked.text, *asked.spellings([]), *asked.texts}
        self._addresses = {asked.address, *map(fold_address, emails)} - {None}
        self._texts = texts
        self._hidden: set[str] = set()
        self._hidden_addresses: set[str] = set()
        if hashes is not None:
            history_keys = hashes.history_keys()
            self._hidden = {hidden(history_keys, one) for one in {*texts, *emails}}
            self._hidden_addresses = {hidden(history_keys, one) for one in self._addresses if one}
        self._candidates = [values for values in map(_decoded, self._encoded) if len(values) > 1]

    def add(self, stream: str, values: Sequence[Any]) -> None:
        """A record of the person has this key."""
        self._found.add((stream, encoded_key(values)))

    def is_key(self, stream: str, values: Sequence[Any]) -> bool:
        """Whether a record of a stream with these values of its key is of the person."""
        encoded = encoded_key(values)
        if encoded in self._encoded:
            return self._asked.stream in {None, stream}
        if (stream, encoded) in self._found:
            return True
        return bool(self._own) and not self._own.isdisjoint(self.hashed(stream, values))

    def hashed(self, stream: str, values: Sequence[Any]) -> Iterator[bytes]:
        """The hashes that a key of a stream may have in the journal."""
        encoded = [encoded_key(values)]
        for name in self._names_of(stream) if self._hashes is not None else ():
            for place in self._places:
                yield self._hashes.key_ids(place, name)(encoded)[0]  # type: ignore[union-attr]

    def shown(self) -> Callable[[str, str], bool]:
        """What tells whether a key in the history is the person's, given its stream and how it is shown there."""
        is_by_hash = bool(self._own or self._found)

        def is_key(stream: str, key: str) -> bool:
            if key in self._hidden or key in self._texts or ("@" in key and fold_address(key) in self._addresses):
                return self._asked.stream in {None, stream}
            if not is_by_hash and not key.startswith("{"):
                return False  # as most of many rows
            return any(self.is_key(stream, values) or self._is_of_several(stream, values) for values in _values_of(key))

        return is_key

    def _is_of_several(self, stream: str, values: Sequence[Any]) -> bool:
        """Whether a key of several columns, some of which may be hashed, is the person's."""
        if len(values) < 2 or self._asked.stream not in {None, stream}:
            return False
        if any(isinstance(one, str) and one in self._hidden_addresses for one in values):
            return True
        return any(len(known) == len(values) and all(map(self._is_shown, known, values)) for known in self._candidates)

    def _is_shown(self, known: Any, shown: Any) -> bool:
        if known == shown:
            return True
        is_hidden = isinstance(known, str) and isinstance(shown, str) and self._hashes is not None
        return is_hidden and shown == hidden(self._hashes.history_keys(), known)  # type: ignore[union-attr]


def _decoded(encoded: bytes) -> list[Any]:
    """The values of an encoded key; none of an address, which is not encoded."""
    try:
        values = msgspec.json.decode(encoded)
    except (ValueError, RecursionError):
        return []
    return values if isinstance(values, list) else []


def _values_of(key: str) -> Iterator[Sequence[Any]]:
    """The values that a key in the history may stand for."""
    yield [key]
    try:
        value = msgspec.json.decode(key)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict):
        yield [*value.values()]
    if isinstance(value, int | float | dict | list):
        yield [value]
