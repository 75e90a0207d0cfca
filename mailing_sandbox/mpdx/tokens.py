"""JSON Web Tokens as MPDX signs them: HS256, with `user_id` and `exp`."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import msgspec


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Tokens:
    """Signs and reads tokens. Those of an earlier `generation` are refused, as if the key had been changed."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._generation = 0

    def issue(self, claims: dict[str, Any]) -> str:
        """Return a token of these claims."""
        head = _part(b'{"alg":"HS256"}')
        body = f"{head}.{_part(msgspec.json.encode(claims))}"
        return f"{body}.{_part(self._signature(body))}"

    def read(self, token: str, now: float) -> str | None:
        """Return the user that a token is good for at a time in Unix seconds; None for any other token."""
        body, _, signature = token.rpartition(".")
        try:
            if not hmac.compare_digest(_bytes(signature), self._signature(body)):
                return None
            claims = msgspec.json.decode(_bytes(body.partition(".")[2]))
        except ValueError:
            return None
        expires, user = claims.get("exp"), claims.get("user_id")
        return user if isinstance(expires, int | float) and expires > now and isinstance(user, str) else None

    def revoke(self) -> None:
        """Refuse every token issued so far."""
        self._generation += 1

    def _signature(self, body: str) -> bytes:
        return hmac.new(f"{self._key} {self._generation}".encode(), body.encode(), hashlib.sha256).digest()
