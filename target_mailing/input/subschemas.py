"""Schemas within a JSON Schema: the keywords that hold them, and the targets of references; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

__all__ = ["NAMED_SCHEMAS", "SCHEMAS", "target_of"]

#: Keywords whose value is a schema, or an array of schemas.
SCHEMAS: Final = (
    *("additionalItems", "additionalProperties", "allOf", "anyOf", "contains", "else", "extends", "if", "items", "not"),
    *("oneOf", "prefixItems", "propertyNames", "then"),
)
#: Keywords whose value is an object of schemas.
NAMED_SCHEMAS: Final = (
    *("$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"),
)


def target_of(reference: str, schema: Any) -> Any:
    """The value that a reference within a schema (`#/definitions/a`) names; None if none, or if it is an anchor."""
    path = unquote(reference.removeprefix("#"))
    if path and not path.startswith("/"):
        return None
    target: Any = schema
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        elif isinstance(target, Mapping):
            target = target.get(name)
        else:
            return None
    return target
