"""Encryption of objects in Amazon S3: the settings and the headers; pure.

S3 encrypts everything without them. The headers are for buckets whose policy refuses uploads without them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.settings import Setting, lookup

__all__ = ["Encryption", "encryption_of", "encryption_settings"]

_KMS: Final = ("aws:kms", "aws:kms:dsse")
#: A key's ID, an alias, or the ARN of either.
_IS_KEY = re.compile(r"[A-Za-z0-9:/_-]{1,2048}").fullmatch


class Encryption(msgspec.Struct, frozen=True):
    """Encryption headers of uploads.

    Attributes:
        setting: the setting that gives them, for messages.
        headers: may be empty.
    """

    setting: str
    headers: Mapping[str, str] = {}


def encryption_settings(prefix: str, title: str) -> tuple[Setting, Setting]:
    """Return the settings of a provider's bucket; their names begin with `prefix`, their titles with `title`."""
    return (
        Setting(
            name=f"{prefix}encryption",
            title=f"{title} encryption",
            description="The header `x-amz-server-side-encryption` of uploads, for a bucket whose policy requires it. "
            "Unset: no header; the bucket's own encryption applies.",
            allowed=["AES256", *_KMS],
        ),
        Setting(
            name=f"{prefix}kms_key_id",
            title=f"{title} KMS key",
            description="The key of AWS KMS for uploads, by ID, alias or ARN, with "
            f"`{prefix}encryption: aws:kms` or `aws:kms:dsse`. Unset: the bucket's own key.",
        ),
    )


def encryption_of(prefix: str, config: Mapping[str, Any]) -> Encryption:
    """Return the encryption in the settings.

    Raises:
        ConfigurationError: a setting is wrong, or the two contradict each other.
    """
    algorithm, key = (lookup(setting, config) for setting in encryption_settings(prefix, ""))
    headers = {} if algorithm is None else {"x-amz-server-side-encryption": algorithm}
    if key is not None:
        if algorithm not in _KMS:
            raise ConfigurationError(
                f"Setting `{prefix}kms_key_id` needs `{prefix}encryption: aws:kms`: set it too, or remove the key."
            )
        if not _IS_KEY(key):
            raise ConfigurationError(f"Setting `{prefix}kms_key_id` must be the ID, alias or ARN of an AWS KMS key.")
        headers["x-amz-server-side-encryption-aws-kms-key-id"] = key
    return Encryption(f"{prefix}encryption", headers)
