"""JSON Schema in the words of draft 7, whichever draft a tap wrote it in, from 3 to 2020-12; pure.

Many taps do not say which draft they mean, or mix two. What draft 7 cannot say is left out, so that it is not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

__all__ = ["checked_schema"]

_DRAFT7: Final = "http://json-schema.org/draft-07/schema#"
#: Where the whole schema stands in one of some columns, if these refer to it.
_WHOLE: Final = "#/definitions/record"

_NULL: Final = "null"
#: Keywords whose value is a schema, or an array of schemas.
_SCHEMAS: Final = frozenset(
    {"additionalItems", "additionalProperties", "allOf", "anyOf", "contains", "else", "extends", "if", "items", "not"}
    | {"oneOf", "prefixItems", "propertyNames", "then"}
)
#: Keywords whose value is an object of schemas.
_NAMED_SCHEMAS: Final = frozenset(
    {"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)
#: The other keywords that constrain a value, in some draft, but for those of which draft 7 cannot say the same.
#: Formats, encodings and patterns are not checked, and many taps have words of their own.
_OTHERS: Final = frozenset(
    {"const", "dependentRequired", "disallow", "divisibleBy", "enum", "exclusiveMaximum", "exclusiveMinimum"}
    | {"maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum"}
    | {"multipleOf", "nullable", "required", "type", "uniqueItems"}
)


def checked_schema(schema: Mapping[str, Any], columns: Collection[str]) -> dict[str, Any]:
    """The schema of a record of which only these columns are checked.

    A null is accepted where the type allows one, although `enum` does not name it, and among the items of an array,
    since taps declare what sources hold apart from nulls.

    Args:
        schema: of the whole record.
        columns: names; one that the schema does not have may hold anything.
    """
    is_draft3 = "draft-03" in str(schema.get("$schema"))
    whole = _in_draft7(schema, is_draft3=is_draft3)
    properties = {name: one for name, one in whole.get("properties", {}).items() if name in columns}
    required = [name for name in whole.get("required", ()) if isinstance(name, str) and name in columns]
    found = {"$schema": _DRAFT7, "type": "object", "properties": properties, "required": required}
    return found | ({"definitions": {"record": whole}} if _has_reference(properties) else {})


def _has_reference(schema: Any) -> bool:
    inner = schema.values() if isinstance(schema, Mapping) else schema if isinstance(schema, list) else ()
    return (isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str)) or any(map(_has_reference, inner))


def _in_draft7(schema: Any, *, is_draft3: bool) -> Any:
    """A schema, or what stands in its place, in draft 7; of draft 3 `required` may stand in a member."""

    def inner(one: Any) -> Any:
        return _in_draft7(one, is_draft3=is_draft3)

    if isinstance(schema, list):
        return [inner(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    if isinstance(reference := schema.get("$ref"), str):
        path = reference.removeprefix("#")
        return {"$ref": f"{_WHOLE}{path}"} if not path or path.startswith("/") else {}
    found: dict[str, Any] = {}
    for word, value in schema.items():
        if word in _SCHEMAS:
            found[word] = inner(value)
        elif word in _NAMED_SCHEMAS and isinstance(value, Mapping):
            found[word] = {name: inner(one) for name, one in value.items()}
        elif word in _OTHERS:
            found[word] = value
    _required(found, schema.get("properties"), is_draft3=is_draft3)
    _bounds(found)
    _types(found, inner)
    _arrays(found, schema.get("minContains"))
    _renamed(found, inner)
    return found


def _required(found: dict[str, Any], members: Any, *, is_draft3: bool) -> None:
    """In draft 3 a member says itself whether it is required; so do taps that mean nothing by it."""
    if isinstance(found.get("required"), bool):
        del found["required"]
    if is_draft3 and isinstance(members, Mapping):
        own = [name for name, one in members.items() if isinstance(one, Mapping) and one.get("required") is True]
        if own:
            found["required"] = [*found.get("required", ()), *own]


def _bounds(found: dict[str, Any]) -> None:
    """Up to draft 4 a bound is made exclusive by a second keyword, which is true."""
    for word, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(found.get(exclusive), bool) and found.pop(exclusive) and word in found:
            found[exclusive] = found.pop(word)
    if found.get("multipleOf") == 0:
        del found["multipleOf"]


def _types(found: dict[str, Any], inner: Callable[[Any], Any]) -> None:
    """Draft 3 has `any`, and schemas among types; null may be null itself; OpenAPI has `nullable`."""
    given = found.get("type")
    names = [_NULL if one is None else one for one in (given if isinstance(given, list) else [given])]
    if found.pop("nullable", None) is True and given is not None:
        names.append(_NULL)
    schemas = [inner(one) for one in names if isinstance(one, Mapping)]
    plain = [one for one in names if not isinstance(one, Mapping)]
    if "any" in plain:
        del found["type"]
    elif schemas:
        del found["type"]
        options = [{"type": plain}, *schemas] if plain else schemas
        found["allOf"] = [*found.get("allOf", ()), {"anyOf": options}]
    elif isinstance(given, list) or len(plain) > 1:
        found["type"] = plain
    if _NULL in plain and "type" in found and isinstance(found.get("enum"), list) and None not in found["enum"]:
        found["enum"] = [*found["enum"], None]


def _arrays(found: dict[str, Any], least: Any) -> None:
    """Since 2020-12 `prefixItems` are the first items; nulls may be among any."""
    if "prefixItems" in found:
        if "items" in found:
            found["additionalItems"] = found["items"]
        found["items"] = found.pop("prefixItems")
    if least == 0:
        found.pop("contains", None)
    for word in ("items", "additionalItems"):
        if isinstance(found.get(word), list):
            found[word] = [_or_null(one) for one in found[word]]
        elif word in found:
            found[word] = _or_null(found[word])


def _or_null(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    names = schema.get("type")
    if names is None or len(schema) > 1:
        return {"anyOf": [{"type": _NULL}, schema]} if schema else schema
    names = names if isinstance(names, list) else [names]
    return schema if _NULL in names else {**schema, "type": [*names, _NULL]}


def _renamed(found: dict[str, Any], inner: Callable[[Any], Any]) -> None:
    """Keywords that have another name in another draft."""
    if "divisibleBy" in found:
        found.setdefault("multipleOf", found.pop("divisibleBy"))
    if "disallow" in found:
        given = found.pop("disallow")
        found.setdefault("not", inner({"type": given}))
    if "extends" in found:
        given = found.pop("extends")
        found["allOf"] = [*found.get("allOf", ()), *(given if isinstance(given, list) else [given])]
    apart = {**_mapping(found.pop("dependentRequired", None)), **_mapping(found.pop("dependentSchemas", None))}
    if apart or isinstance(found.get("dependencies"), Mapping):
        together = {**_mapping(found.get("dependencies")), **apart}
        found["dependencies"] = {name: [one] if isinstance(one, str) else one for name, one in together.items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
