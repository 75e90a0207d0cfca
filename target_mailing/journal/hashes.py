"""Keyed hashes: the journal remembers these instead of addresses, keys and contents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from struct import unpack

__all__ = ["Hashes"]


class Hashes:
    """The hashes of one journal.

    For each kind of values there is a function that hashes many of them: a kind is hashed once.
    """

    def __init__(self, secret: bytes) -> None:
        """Make the hashes.

        Args:
            secret: 1 to 64 bytes; without it a hash does not tell its value.
        """
        self._secret = secret
        self.destination_id = cache(self._destination_id)
        self.contact_ids = cache(self._contact_ids)
        self.key_ids = cache(self._key_ids)
        self.fingerprints = cache(self._fingerprints)

    def _destination_id(self, destination: str) -> int:
        """Hash a destination: 64 bits."""
        return _integers(self._function("destination", destination, size=8)([b""]))[0]

    def _contact_ids(self, destination: str) -> Callable[[Sequence[str]], Sequence[int]]:
        """Hashes the addresses of a destination: 64 bits each."""
        digests = self._function("contact", destination, size=8)
        return lambda addresses: _integers(digests([*map(str.encode, addresses)]))

    def _key_ids(self, destination: str, stream: str) -> Callable[[Sequence[bytes]], list[bytes]]:
        """Hashes the keys of a stream at a destination: 128 bits each."""
        return self._function("key", destination, stream, size=16)

    def history_keys(self) -> Callable[[Sequence[bytes]], list[bytes]]:
        """Hashes keys that are contact data, for the history, alike for all streams: 128 bits each."""
        return self._function("history", size=16)

    def _fingerprints(self, action: str) -> Callable[[Sequence[bytes]], Sequence[int]]:
        """Hashes the contents that an action delivers: 64 bits each."""
        digests = self._function("content", action, size=8)
        return lambda contents: _integers(digests(contents))

    def _function(self, *kind: str, size: int) -> Callable[[Sequence[bytes]], list[bytes]]:
        """A function that hashes values of one kind."""
        person = hashlib.blake2b(f"{kind}".encode(), digest_size=hashlib.blake2b.PERSON_SIZE).digest()
        begin = hashlib.blake2b(key=self._secret, person=person, digest_size=size).copy

        def digests(values: Sequence[bytes]) -> list[bytes]:
            hashed = []
            for value in values:
                one = begin()
                one.update(value)
                hashed.append(one.digest())
            return hashed

        return digests


def _integers(digests: Sequence[bytes]) -> Sequence[int]:
    return unpack(f">{len(digests)}q", b"".join(digests))
