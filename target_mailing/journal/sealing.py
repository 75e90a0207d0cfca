"""A key that only a secret opens: that of the journal's hashes, so that the journal alone tells nothing; pure."""

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
    """The secret is not the one that the key was sealed with."""


def seal(key: bytes, secret: str) -> bytes:
    """A key that only this secret opens."""
    salt = secrets.token_bytes(_SALT_SIZE)
    pad, tag_key = _derived(secret, salt)
    hidden = _xor(key, pad)
    return salt + hidden + _tag(tag_key, hidden)


def unseal(sealed: bytes, secret: str) -> bytes:
    """The key.

    Raises:
        SealError: it was sealed with another secret.
        ValueError: it is no sealed key.
    """
    if len(sealed) != _SALT_SIZE + KEY_SIZE + _TAG_SIZE:
        raise ValueError("no sealed key")
    salt, hidden, tag = sealed[:_SALT_SIZE], sealed[_SALT_SIZE:-_TAG_SIZE], sealed[-_TAG_SIZE:]
    pad, tag_key = _derived(secret, salt)
    if not hmac.compare_digest(tag, _tag(tag_key, hidden)):
        raise SealError
    return _xor(hidden, pad)


def _derived(secret: str, salt: bytes) -> tuple[bytes, bytes]:
    """A pad for one key, used once, since the salt is new each time; and a key for the tag. Slow, against guessing."""
    found = hashlib.scrypt(secret.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=KEY_SIZE + _TAG_SIZE)
    return found[:KEY_SIZE], found[KEY_SIZE:]


def _tag(key: bytes, hidden: bytes) -> bytes:
    return hashlib.blake2b(hidden, key=key, digest_size=_TAG_SIZE).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
