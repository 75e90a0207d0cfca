"""The number of the AWS account that an access key belongs to, decoded from the key's ID."""

from __future__ import annotations

import base64
import re
from typing import Final

__all__ = ["account_number"]

#: Four letters for the kind of key, then base32, whose first bit is set in keys with a number: those since 2019.
_KEY_ID: Final = re.compile(r"[A-Z]{4}[Q-Z2-7][A-Z2-7]{15}")
#: Digits of an account's number.
_DIGITS: Final = 12


def account_number(access_key_id: str) -> str | None:
    """Return the account's number; None if the key does not hold it.

    AWS does not document the format; it was found in many keys, and `sts:GetAccessKeyInfo` confirms it.
    """
    if _KEY_ID.fullmatch(access_key_id) is None:
        return None
    bits = int.from_bytes(base64.b32decode(access_key_id[4:])[:6])
    number = f"{(bits >> 7) & 0xFFFFFFFFFF:0{_DIGITS}}"
    return number if len(number) == _DIGITS else None
