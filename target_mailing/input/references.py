"""Where a reference within a JSON Schema leads to; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["target_of"]


def target_of(reference: str, schema: Any) -> Any:
    """What a reference within a schema (`#/definitions/a`) names; None for nothing, and for one by an anchor."""
    path = unquote(reference.removeprefix("#"))
    if path and not path.startswith("/"):
        return None
    found: Any = schema
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, Mapping):
            found = found.get(name)
        else:
            return None
    return found
