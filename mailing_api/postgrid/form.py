"""Uploads to PostGrid: a file and fields as one form, objects as fields with brackets; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import httpx

__all__ = ["multipart"]


def multipart(fields: Mapping[str, Any], file: bytes) -> tuple[bytes, str]:
    """Return the body of an upload, and its media type.

    Args:
        fields: strings, and objects of strings.
        file: a CSV file, sent as the field `file`.
    """
    flat: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}[{key}]": text for key, text in value.items()}
        else:
            flat[name] = value
    # Equal uploads have equal bytes, so that a repeated upload is recognised.
    kind = f"multipart/form-data; boundary={hashlib.blake2b(file, digest_size=16).hexdigest()}"
    files = {"file": ("rows.csv", file, "text/csv")}
    request = httpx.Request("POST", "https://", data=flat, files=files, headers={"Content-Type": kind})
    return request.read(), kind
