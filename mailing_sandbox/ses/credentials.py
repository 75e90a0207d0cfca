"""Who may call: the access keys that the sandbox knows, and what they may not do."""

from __future__ import annotations

import msgspec


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One access key. A `session_token` makes it temporary; `expires` is emulated Unix time, None: never."""

    access_key: str
    secret_key: str
    session_token: str | None = None
    expires: float | None = None
    principal: str = "user/sandbox"


class Keyring:
    """The keys of one emulated AWS account; `denied` holds actions such as ``ses:ListImportJobs``.

    `first` is the key that the sandbox was started with; it never expires.
    """

    def __init__(self, account: str, access_key: str, secret_key: str) -> None:
        self.account = account
        self.denied: set[str] = set()
        self.first = Key(access_key=access_key, secret_key=secret_key)
        self._keys = {access_key: self.first}

    def add(self, key: Key) -> None:
        """Take in a key, in place of one with the same ID."""
        self._keys[key.access_key] = key

    def get(self, access_key: str) -> Key | None:
        """Return a key by its ID."""
        return self._keys.get(access_key)

    def denial(self, key: Key, action: str) -> str | None:
        """Return AWS's words when a key may not do something, else None."""
        if action not in self.denied:
            return None
        service = "sts" if key.principal.startswith("assumed-role/") else "iam"
        return (
            f"User: arn:aws:{service}::{self.account}:{key.principal} is not authorized to perform: {action} "
            f"because no identity-based policy allows the {action} action"
        )
