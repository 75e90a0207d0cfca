"""The number of the AWS account that an access key belongs to, as its ID tells it."""

from __future__ import annotations

import base64
import re
from typing import Final

__all__ = ["account_number"]

#: Four letters for the kind of key, then base32, whose first bit tells keys with a number from those of before 2019.
_KEY_ID: Final = re.compile(r"[A-Z]{4}[Q-Z2-7][A-Z2-7]{15}")
#: Digits of an account's number.
_DIGITS: Final = 12


def account_number(access_key_id: str) -> str | None:
    """The account's number; None for a key that does not tell it.

    AWS does not document the form; many people found it in their keys, and `sts:GetAccessKeyInfo` confirms it.
    """
    if _KEY_ID.fullmatch(access_key_id) is None:
        return None
    bits = int.from_bytes(base64.b32decode(access_key_id[4:])[:6])
    number = f"{(bits >> 7) & 0xFFFFFFFFFF:0{_DIGITS}}"
    return number if len(number) == _DIGITS else None
