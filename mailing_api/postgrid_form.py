"""Uploads to PostGrid: a file and fields as one form, objects as fields with brackets; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

__all__ = ["multipart"]


def multipart(fields: Mapping[str, Any], file: bytes) -> tuple[bytes, str]:
    """The body of an upload, and its media type.

    Args:
        fields: texts, and objects of texts.
        file: a CSV file, which goes as `file`.
    """
    flat: dict[str, str] = {}
    for name, value in fields.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}[{key}]": text for key, text in value.items()}
        else:
            flat[name] = value
    request = httpx.Request("POST", "https://", data=flat, files={"file": ("rows.csv", file, "text/csv")})
    return request.read(), request.headers["Content-Type"]
