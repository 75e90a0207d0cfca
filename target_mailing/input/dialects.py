"""Translates JSON Schema of any draft from 3 to 2020-12 to draft 7; pure.

Many taps do not name their draft, or mix two. A constraint that draft 7 cannot express is omitted, and not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from target_mailing.input.subschemas import NAMED_SCHEMAS, SCHEMAS, target_of

__all__ = ["checked_schema"]

_DRAFT7: Final = "http://json-schema.org/draft-07/schema#"

_NULL: Final = "null"
#: The other keywords that constrain a value in some draft, except those that draft 7 cannot express.
#: Formats, encodings, patterns and keywords of a tap's own are not checked.
_OTHERS: Final = frozenset(
    {"const", "dependentRequired", "disallow", "divisibleBy", "enum", "exclusiveMaximum", "exclusiveMinimum"}
    | {"maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum"}
    | {"multipleOf", "nullable", "required", "type", "uniqueItems"}
)
#: Keywords that draft 7 has, too, or that constrain nothing, so that a schema of them can be negated.
_EXACT: Final = frozenset(
    {"allOf", "anyOf", "const", "enum", "exclusiveMaximum", "exclusiveMinimum", "maxItems", "maxLength", "maximum"}
    | {"minItems", "minLength", "minimum", "multipleOf", "properties", "required", "type", "uniqueItems"}
    | {"$comment", "default", "description", "examples", "title"}
)


def checked_schema(schema: Mapping[str, Any], columns: Collection[str]) -> dict[str, Any]:
    """The schema of a record, limited to these columns.

    A null is accepted where the type allows one, although `enum` does not name it, and among the items of an array,
    since taps declare values apart from nulls. A keyword that is null is ignored, and the value of a reference without
    a target is not checked.

    Args:
        schema: of the whole record.
        columns: names; a column that the schema does not have may hold anything.
    """
    dialect = _Dialect(schema)
    members = _mapping(schema.get("properties"))
    properties = {name: dialect.in_draft7(column) for name, column in members.items() if name in columns}
    names = dialect.required(schema)
    required = [name for name in names if name in columns] if isinstance(names, list) else []
    checked = {"$schema": _DRAFT7, "type": "object", "properties": properties, "required": required}
    return checked | ({"definitions": dialect.definitions} if dialect.definitions else {})


class _Dialect:
    """Translates parts of a schema to draft 7.

    Attributes:
        definitions: the targets of the references in these parts.
    """

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self._whole = whole
        self._is_draft3 = "draft-03" in str(whole.get("$schema"))
        self._names: dict[str, str] = {}
        self.definitions: dict[str, Any] = {}

    def in_draft7(self, schema: Any) -> Any:
        """A schema, or any value in its place, in draft 7."""
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
            if word in SCHEMAS:
                found[word] = self.in_draft7(value)
            elif word in NAMED_SCHEMAS and isinstance(value, Mapping):
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
        """The required members; in draft 3 each member says so itself. Other taps do, too, but do not mean it."""
        names = schema.get("required")
        names = [] if names is None or isinstance(names, bool) else names
        if not self._is_draft3 or not isinstance(names, list):
            return names
        members = _mapping(schema.get("properties"))
        return [*names, *(name for name, one in members.items() if _mapping(one).get("required") is True)]

    def _referred(self, reference: str) -> dict[str, Any]:
        name = self._names.get(reference)
        if name is None:
            name = self._names[reference] = f"r{len(self._names)}"
            target = target_of(reference, self._whole)
            self.definitions[name] = {}
            self.definitions[name] = {} if target is None else self.in_draft7(target)
        return {"$ref": f"#/definitions/{name}"}


def _negations(schema: dict[str, Any], original: Mapping[str, Any], translate: Callable[[Any], Any]) -> None:
    """Remove a negation or a condition of which a part was omitted: the rest would reject too much."""
    for words in (("not",), ("disallow",), ("if", "then", "else")):
        if words[0] in schema and not _is_exact(original.get(words[0])):
            for word in words:
                schema.pop(word, None)
    if "disallow" in schema:
        schema.setdefault("not", translate({"type": schema.pop("disallow")}))


def _is_exact(schema: Any) -> bool:
    if isinstance(schema, list):
        return all(map(_is_exact, schema))
    if not isinstance(schema, Mapping):
        return True
    nested = [*_mapping(schema.get("properties")).values(), schema.get("allOf"), schema.get("anyOf")]
    return schema.keys() <= _EXACT and all(map(_is_exact, nested))


def _choices(schema: dict[str, Any]) -> None:
    """`oneOf` becomes `anyOf`: an omitted keyword, such as `format`, may be the difference between the options."""
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word) == []:
            del schema[word]
    if "oneOf" in schema:
        one_of = schema.pop("oneOf")
        if "anyOf" in schema:
            schema["allOf"] = [*schema.get("allOf", ()), {"anyOf": one_of}]
        else:
            schema["anyOf"] = one_of


def _bounds(schema: dict[str, Any]) -> None:
    """Up to draft 4 a bound is exclusive if a second keyword is true."""
    for word, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and word in schema:
            schema[exclusive] = schema.pop(word)
    if schema.get("multipleOf") == 0:
        del schema["multipleOf"]


def _types(schema: dict[str, Any], translate: Callable[[Any], Any]) -> None:
    """Draft 3 has `any`, and schemas among types; a type may be null instead of "null"; OpenAPI has `nullable`."""
    types = schema.get("type")
    names = [_NULL if one is None else one for one in (types if isinstance(types, list) else [types])]
    if schema.pop("nullable", None) is True and types is not None:
        names.append(_NULL)
    schemas = [translate(one) for one in names if isinstance(one, Mapping)]
    plain = [one for one in names if not isinstance(one, Mapping)]
    if "any" in plain:
        del schema["type"]
    elif schemas:
        del schema["type"]
        options = [{"type": plain}, *schemas] if plain else schemas
        schema["allOf"] = [*schema.get("allOf", ()), {"anyOf": options}]
    elif isinstance(types, list) or len(plain) > 1:
        schema["type"] = plain
    if _NULL in plain and "type" in schema and isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]


def _arrays(schema: dict[str, Any], least: Any) -> None:
    """Since 2020-12 `prefixItems` are the first items. Nulls are accepted among all items."""
    if "prefixItems" in schema:
        if "items" in schema:
            schema["additionalItems"] = schema["items"]
        schema["items"] = schema.pop("prefixItems")
    if least == 0:
        schema.pop("contains", None)
    for word in ("items", "additionalItems"):
        if isinstance(schema.get(word), list):
            schema[word] = [_or_null(one) for one in schema[word]]
        elif word in schema:
            schema[word] = _or_null(schema[word])


def _or_null(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    names = schema.get("type")
    if names is None or len(schema) > 1:
        return {"anyOf": [{"type": _NULL}, schema]} if schema else schema
    names = names if isinstance(names, list) else [names]
    return schema if _NULL in names else {**schema, "type": [*names, _NULL]}


def _renamed(schema: dict[str, Any]) -> None:
    """Replace keywords that have another name in draft 7."""
    if "divisibleBy" in schema:
        schema.setdefault("multipleOf", schema.pop("divisibleBy"))
    if "extends" in schema:
        bases = schema.pop("extends")
        schema["allOf"] = [*schema.get("allOf", ()), *(bases if isinstance(bases, list) else [bases])]
    separate = {**_mapping(schema.pop("dependentRequired", None)), **_mapping(schema.pop("dependentSchemas", None))}
    if separate or isinstance(schema.get("dependencies"), Mapping):
        dependencies = {**_mapping(schema.get("dependencies")), **separate}
        schema["dependencies"] = {name: [one] if isinstance(one, str) else one for name, one in dependencies.items()}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
