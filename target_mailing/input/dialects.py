"""JSON Schema in the words of draft 7, whichever draft a tap wrote it in, from 3 to 2020-12; pure.

Many taps do not say which draft they mean, or mix two. What draft 7 cannot say is left out, so that it is not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from target_mailing.input.references import target_of

__all__ = ["checked_schema"]

_DRAFT7: Final = "http://json-schema.org/draft-07/schema#"

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
#: Keywords that have an exact counterpart here, or constrain nothing, so that a schema of them can be negated.
_EXACT: Final = frozenset(
    {"allOf", "anyOf", "const", "enum", "exclusiveMaximum", "exclusiveMinimum", "maxItems", "maxLength", "maximum"}
    | {"minItems", "minLength", "minimum", "multipleOf", "properties", "required", "type", "uniqueItems"}
    | {"$comment", "default", "description", "examples", "title"}
)


def checked_schema(schema: Mapping[str, Any], columns: Collection[str]) -> dict[str, Any]:
    """The schema of a record of which only these columns are checked.

    A null is accepted where the type allows one, although `enum` does not name it, and among the items of an array,
    since taps declare what sources hold apart from nulls. A keyword that is null is none, and whatever a reference
    that leads nowhere stands for is not checked.

    Args:
        schema: of the whole record.
        columns: names; one that the schema does not have may hold anything.
    """
    dialect = _Dialect(schema)
    given = schema.get("properties")
    members = given if isinstance(given, Mapping) else {}
    properties = {name: dialect.in_draft7(one) for name, one in members.items() if name in columns}
    wanted = dialect.required(schema)
    required = [name for name in wanted if name in columns] if isinstance(wanted, list) else []
    found = {"$schema": _DRAFT7, "type": "object", "properties": properties, "required": required}
    return found | ({"definitions": dialect.definitions} if dialect.definitions else {})


class _Dialect:
    """Puts parts of a schema into draft 7.

    Attributes:
        definitions: what references of these parts lead to.
    """

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self._whole = whole
        self._is_draft3 = "draft-03" in str(whole.get("$schema"))
        self._names: dict[str, str] = {}
        self.definitions: dict[str, Any] = {}

    def in_draft7(self, schema: Any) -> Any:
        """A schema, or what stands in its place, in draft 7."""
        if isinstance(schema, list):
            return [self.in_draft7(one) for one in schema]
        if not isinstance(schema, Mapping):
            return schema
        if isinstance(reference := schema.get("$ref"), str):
            return self._referred(reference)
        found: dict[str, Any] = {}
        for word, value in schema.items():
            if value is None and word != "const":
                continue
            if word in _SCHEMAS:
                found[word] = self.in_draft7(value)
            elif word in _NAMED_SCHEMAS and isinstance(value, Mapping):
                found[word] = {name: self.in_draft7(one) for name, one in value.items()}
            elif word in _OTHERS:
                found[word] = value
        if required := self.required(schema):
            found["required"] = required
        else:
            found.pop("required", None)
        _renamed(found)
        _negations(found, schema, self.in_draft7)
        _choices(found)
        _bounds(found)
        _types(found, self.in_draft7)
        _arrays(found, schema.get("minContains"))
        return found

    def required(self, schema: Mapping[str, Any]) -> Any:
        """The members that must be there; in draft 3 they say so themselves, as with taps that mean nothing by it."""
        given = schema.get("required")
        found = [] if given is None or isinstance(given, bool) else given
        members = schema.get("properties")
        if self._is_draft3 and isinstance(found, list) and isinstance(members, Mapping):
            own = [name for name, one in members.items() if isinstance(one, Mapping) and one.get("required") is True]
            return [*found, *own]
        return found

    def _referred(self, reference: str) -> dict[str, Any]:
        name = self._names.get(reference)
        if name is None:
            name = self._names[reference] = f"r{len(self._names)}"
            target = target_of(reference, self._whole)
            self.definitions[name] = {}
            self.definitions[name] = {} if target is None else self.in_draft7(target)
        return {"$ref": f"#/definitions/{name}"}


def _negations(found: dict[str, Any], given: Mapping[str, Any], inner: Callable[[Any], Any]) -> None:
    """What is refused, or a condition, counts only where nothing of it is left out: else it would refuse too much."""
    for words in (("not",), ("disallow",), ("if", "then", "else")):
        if words[0] in found and not _is_exact(given.get(words[0])):
            for word in words:
                found.pop(word, None)
    if "disallow" in found:
        found.setdefault("not", inner({"type": found.pop("disallow")}))


def _is_exact(schema: Any) -> bool:
    if isinstance(schema, list):
        return all(map(_is_exact, schema))
    if not isinstance(schema, Mapping):
        return True
    named = schema.get("properties")
    inner = [*(named.values() if isinstance(named, Mapping) else ()), schema.get("allOf"), schema.get("anyOf")]
    return schema.keys() <= _EXACT and all(map(_is_exact, inner))


def _choices(found: dict[str, Any]) -> None:
    """One of several is any of them, since what is left out, such as a format, may be what tells them apart."""
    for word in ("anyOf", "oneOf", "allOf"):
        if found.get(word) == []:
            del found[word]
    if "oneOf" in found:
        one_of = found.pop("oneOf")
        if "anyOf" in found:
            found["allOf"] = [*found.get("allOf", ()), {"anyOf": one_of}]
        else:
            found["anyOf"] = one_of


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


def _renamed(found: dict[str, Any]) -> None:
    """Keywords that have another name in another draft."""
    if "divisibleBy" in found:
        found.setdefault("multipleOf", found.pop("divisibleBy"))
    if "extends" in found:
        given = found.pop("extends")
        found["allOf"] = [*found.get("allOf", ()), *(given if isinstance(given, list) else [given])]
    apart = {**_mapping(found.pop("dependentRequired", None)), **_mapping(found.pop("dependentSchemas", None))}
    if apart or isinstance(found.get("dependencies"), Mapping):
        together = {**_mapping(found.get("dependencies")), **apart}
        found["dependencies"] = {name: [one] if isinstance(one, str) else one for name, one in together.items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
