"""Keyed hashes: what the journal remembers instead of addresses, keys and contents."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from struct import Struct

__all__ = ["Hashes"]

_integer = Struct(">q").unpack


class Hashes:
    """The hashes of one journal; each is made once, and where values are many, as the function for one kind of them."""

    def __init__(self, secret: bytes) -> None:
        """Make the hashes.

        Args:
            secret: without it nobody can tell what was hashed; 1 to 64 bytes.
        """
        self._secret = secret
        self.destination_id = cache(self._destination_id)
        self.contact_id = cache(self._contact_id)
        self.key_id = cache(self._key_id)
        self.fingerprint = cache(self._fingerprint)

    def _destination_id(self, destination: str) -> int:
        """Of a destination: 64 bits."""
        return _integer(self._begin("destination", destination, size=8).digest())[0]  # type: ignore[no-any-return]

    def _contact_id(self, destination: str) -> Callable[[str], int]:
        """Of the addresses at a destination: 64 bits."""
        begun = self._begin("contact", destination, size=8)

        def contact_id(address: str) -> int:
            found = begun.copy()
            found.update(address.encode())
            return _integer(found.digest())[0]  # type: ignore[no-any-return]

        return contact_id

    def _key_id(self, destination: str, stream: str) -> Callable[[bytes], bytes]:
        """Of the keys of a stream at a destination: 128 bits."""
        begun = self._begin("key", destination, stream, size=16)

        def key_id(key: bytes) -> bytes:
            found = begun.copy()
            found.update(key)
            return found.digest()

        return key_id

    def _fingerprint(self, action: str) -> Callable[[bytes], int]:
        """Of the contents with which an action is done: 64 bits."""
        begun = self._begin("content", action, size=8)

        def fingerprint(contact: bytes) -> int:
            found = begun.copy()
            found.update(contact)
            return _integer(found.digest())[0]  # type: ignore[no-any-return]

        return fingerprint

    def _begin(self, *what: str, size: int) -> hashlib.blake2b:
        """A hash that has taken in what the values of a kind have in common."""
        kind = hashlib.blake2b(f"{what}".encode(), digest_size=hashlib.blake2b.PERSON_SIZE).digest()
        return hashlib.blake2b(key=self._secret, person=kind, digest_size=size)
