"""Keyed hashes: the journal remembers these instead of addresses, keys and contents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from struct import Struct

__all__ = ["Hashes"]

_integers = Struct(">q").unpack


class Hashes:
    """The hashes of one journal.

    Where values are many there is a function for each kind of them: a kind is hashed once.
    """

    def __init__(self, secret: bytes) -> None:
        """Make the hashes.

        Args:
            secret: 1 to 64 bytes; without it a hash does not tell its value.
        """
        self._secret = secret
        self.destination_id = cache(self._destination_id)
        self.contact_id = cache(self._contact_id)
        self.key_id = cache(self._key_id)
        self.fingerprint = cache(self._fingerprint)

    def _destination_id(self, destination: str) -> int:
        """Hash a destination: 64 bits."""
        return _integer(self._function("destination", destination, size=8)(b""))

    def _contact_id(self, destination: str) -> Callable[[str], int]:
        """Hashes the addresses of a destination: 64 bits."""
        digest = self._function("contact", destination, size=8)
        return lambda address: _integer(digest(address.encode()))

    def _key_id(self, destination: str, stream: str) -> Callable[[bytes], bytes]:
        """Hashes the keys of a stream at a destination: 128 bits."""
        return self._function("key", destination, stream, size=16)

    def _fingerprint(self, action: str) -> Callable[[bytes], int]:
        """Hashes the contents that an action delivers: 64 bits."""
        digest = self._function("content", action, size=8)
        return lambda contact: _integer(digest(contact))

    def _function(self, *kind: str, size: int) -> Callable[[bytes], bytes]:
        """A function that hashes the values of one kind."""
        person = hashlib.blake2b(f"{kind}".encode(), digest_size=hashlib.blake2b.PERSON_SIZE).digest()
        begun = hashlib.blake2b(key=self._secret, person=person, digest_size=size)

        def digest(value: bytes) -> bytes:
            hashed = begun.copy()
            hashed.update(value)
            return hashed.digest()

        return digest


def _integer(digest: bytes) -> int:
    return _integers(digest)[0]  # type: ignore[no-any-return]
