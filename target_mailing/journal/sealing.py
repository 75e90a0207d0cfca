"""Seals the key of the journal's hashes with a secret, so that the journal alone does not give the key away; pure."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

__all__ = ["KEY_SIZE", "SealError", "seal", "unseal"]

#: Bytes of the key of the hashes.
KEY_SIZE: Final = 32
_SALT_SIZE: Final = 16
_TAG_SIZE: Final = 32


class SealError(Exception):
    """The key was sealed with another secret."""


def seal(key: bytes, secret: str) -> bytes:
    """A sealed key, which only this secret opens."""
    salt = secrets.token_bytes(_SALT_SIZE)
    pad, tag_key = _derived(secret, salt)
    hidden = _xor(key, pad)
    return salt + hidden + _tag(tag_key, hidden)


def unseal(sealed: bytes, secret: str) -> bytes:
    """The key.

    Raises:
        SealError: it was sealed with another secret.
        ValueError: these bytes are not a sealed key.
    """
    if len(sealed) != _SALT_SIZE + KEY_SIZE + _TAG_SIZE:
        raise ValueError("no sealed key")
    salt, hidden, tag = sealed[:_SALT_SIZE], sealed[_SALT_SIZE:-_TAG_SIZE], sealed[-_TAG_SIZE:]
    pad, tag_key = _derived(secret, salt)
    if not hmac.compare_digest(tag, _tag(tag_key, hidden)):
        raise SealError
    return _xor(hidden, pad)


def _derived(secret: str, salt: bytes) -> tuple[bytes, bytes]:
    """A one-time pad, for the salt is never used again, and a key for the tag. Slow, so that guessing is slow."""
    derived = hashlib.scrypt(secret.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=KEY_SIZE + _TAG_SIZE)
    return derived[:KEY_SIZE], derived[KEY_SIZE:]


def _tag(key: bytes, hidden: bytes) -> bytes:
    return hashlib.blake2b(hidden, key=key, digest_size=_TAG_SIZE).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
