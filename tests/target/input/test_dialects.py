"""SCHEMAs as taps write them, of every draft: what they accept, and which columns are looked at."""

from __future__ import annotations

import json

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.contacts.fields import RowRejected
from target_mailing.input.column_types import ColumnTypes
from target_mailing.input.dialects import checked_schema
from target_mailing.input.messages import MessageDecoder
from target_mailing.input.records import RecordReader
from target_mailing.input.schema_safety import safe_schema
from target_mailing.mailjet.properties import datatype_of

NEEDED = [("x", None), ("_sdc_deleted_at", None)]
DRAFT3 = "http://json-schema.org/draft-03/schema#"
DRAFT4 = "http://json-schema.org/draft-04/schema#"
LATEST = "https://json-schema.org/draft/2020-12/schema"
NUMERIC = {
    "type": ["null", "number"], "minimum": -100, "exclusiveMinimum": True, "maximum": 100, "exclusiveMaximum": True,
    "multipleOf": 0.01,
}  # fmt: skip


def accepts(column, value, **more):
    """Whether a record with this value fits, by either way of looking."""
    schema = safe_schema("people", {"type": "object", "properties": {"x": column}, **more})
    reader = RecordReader("people", schema, NEEDED)
    try:
        reader.check({"x": value})
    except RowRejected as no:
        return no.code != "schema_invalid"
    return True


#: A column, what else its SCHEMA says, values that it accepts, and values that it does not.
COLUMNS = [
    pytest.param({"type": ["null", "null"]}, {}, [None], [1, "a"], id="null named twice"),
    pytest.param({"type": ["null", "string", "null"]}, {}, [None, "a"], [1], id="null and a text, null twice"),
    pytest.param(NUMERIC, {}, [19.99, 0.5, -99, None], [100, -100, 0.001], id="bounds of draft 4, undeclared"),
    pytest.param(NUMERIC, {"$schema": DRAFT4}, [19.99, None], [100, 100.5], id="bounds of draft 4, declared"),
    pytest.param({"type": "number", "minimum": 0, "exclusiveMinimum": False}, {}, [0, 5], [-1], id="an open bound"),
    pytest.param({"type": "number", "exclusiveMinimum": 0}, {}, [0.1], [0], id="bounds of draft 6"),
    pytest.param({"type": "number", "exclusiveMinimum": True}, {}, [-5], [], id="an exclusive bound of nothing"),
    pytest.param({"anyOf": [{"type": "null"}, NUMERIC]}, {}, [1.5, None], [100], id="bounds of draft 4 further in"),
    pytest.param({"type": "any"}, {}, [1, "a", None, []], [], id="any, of draft 3"),
    pytest.param({"type": ["any", "null"]}, {}, [1, "a"], [], id="any among types"),
    pytest.param({"type": ["string", {"type": "integer", "minimum": 1}]}, {}, ["a", 1], [0, []], id="schemas in types"),
    pytest.param({"type": "integer", "divisibleBy": 2}, {"$schema": DRAFT3}, [2], [3], id="divisibleBy"),
    pytest.param({"disallow": ["string"]}, {}, [1], ["a"], id="disallow"),
    pytest.param({"extends": {"type": "string"}}, {}, ["a"], [1], id="extends"),
    pytest.param({"type": ["string"], "required": True}, {"$schema": DRAFT3}, ["a"], [1], id="required of draft 3"),
    pytest.param({"type": "string", "required": False}, {}, ["a"], [1], id="required that is no array"),
    pytest.param({"type": ["string", None]}, {}, ["a", None], [1], id="null itself"),
    pytest.param({"type": "string", "nullable": True}, {}, ["a", None], [1], id="nullable of OpenAPI"),
    pytest.param({"type": ["string", "null"], "enum": ["a"]}, {}, ["a", None], ["b"], id="an enum without its null"),
    pytest.param({"const": "a"}, {}, ["a"], ["b"], id="const"),
    pytest.param({"oneOf": [{"type": "null"}, {"type": "string"}]}, {}, ["a", None], [1], id="oneOf"),
    pytest.param(
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}, {}, ["soon", None], [1],
        id="a date-time or else a text",
    ),
    pytest.param({"$ref": "#/$defs/t"}, {"$defs": {"t": {"type": "string"}}}, ["a"], [1], id="$defs"),
    pytest.param({"$ref": "#/definitions/t"}, {"definitions": {"t": NUMERIC}}, [1.5], [100], id="definitions"),
    pytest.param({"$ref": "#/properties/y"}, {"properties": {"x": {"$ref": "#/properties/y"}, "y": {"type": "string"}}},
        ["a"], [1], id="another column, which is not looked at",
    ),
    pytest.param(
        {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, {"$schema": LATEST},
        [[1, "a"], [1, None]], [["a"], [1, 2]], id="prefixItems",
    ),
    pytest.param({"type": "array", "items": {"type": "string"}}, {}, [["a", None], []], [[1]], id="nulls in arrays"),
    pytest.param(
        {"type": "array", "items": {"type": "object", "properties": {"t": {"items": {"type": "string"}}}}},
        {}, [[None, {"t": [None]}]], [[{"t": [1]}]], id="nulls in arrays of objects",
    ),
    pytest.param(
        {"type": "object", "dependentRequired": {"a": ["b"]}}, {"$schema": LATEST}, [{"a": 1, "b": 2}, {}], [{"a": 1}],
        id="dependentRequired",
    ),
    pytest.param({"type": "object", "unevaluatedProperties": False}, {}, [{"a": 1}], ["a"], id="unevaluatedProperties"),
    pytest.param({"type": "string", "$id": "https://example.com/x", "id": "x"}, {}, ["a"], [1], id="identifiers"),
    pytest.param({"type": "integer", "multipleOf": 0}, {}, [3], ["a"], id="multiples of nothing"),
    pytest.param({"type": "integer"}, {"$schema": DRAFT4}, [3, 3.0], [3.5], id="whole floats in draft 4"),
    pytest.param({"type": "string", "contentEncoding": "base64", "x": "y"}, {}, ["a"], [1], id="other words"),
    pytest.param({"oneOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}, {},
        ["2026-01-01", "soon"], [1], id="a choice that only formats tell apart",
    ),
    pytest.param({"oneOf": [{"type": "integer"}, {"type": "number"}]}, {}, [1, 1.5], ["a"], id="choices overlap"),
    pytest.param({"oneOf": [{"type": "string"}], "anyOf": [{"maxLength": 1}]}, {}, ["a"], ["ab", 1], id="two choices"),
    pytest.param({"not": {"format": "email"}}, {}, ["a@b.test", "a"], [], id="a format that is refused"),
    pytest.param({"not": {"anyOf": [{"$dynamicRef": "#a"}, {"type": "array"}]}}, {}, ["a", []], [], id="half refused"),
    pytest.param({"not": {"anyOf": [{"type": "array"}, {"const": 1}]}}, {}, ["a"], [[], 1], id="refused as a whole"),
    pytest.param({"not": {"oneOf": [{"minLength": 1}, {"maxLength": 9}]}}, {}, ["abc"], [], id="a choice, refused"),
    pytest.param({"disallow": [{"format": "date"}]}, {"$schema": DRAFT3}, ["2026-01-01"], [], id="disallow a format"),
    pytest.param({"if": {"format": "email"}, "then": {"type": "null"}}, {}, ["a"], [], id="a condition of a format"),
    pytest.param({"if": {"type": "string"}, "then": {"maxLength": 1}}, {}, ["a", 12], ["ab"], id="a condition"),
    pytest.param({"type": "number", "divisibleBy": 0}, {"$schema": DRAFT3}, [3], ["a"], id="divisible by nothing"),
    pytest.param({"type": ["string", "null"], "enum": []}, {}, [None], ["a"], id="an enum of nothing but null"),
    pytest.param({"type": "string", "enum": []}, {}, [], ["a", None], id="an enum of nothing"),
    pytest.param({"type": ["array", "null"], "items": {"enum": []}}, {}, [[], [None]], [["a"]], id="items of nothing"),
    pytest.param({"anyOf": [], "oneOf": [], "allOf": []}, {}, ["a", 1], [], id="choices of nothing"),
    pytest.param(
        dict.fromkeys(["maxLength", "minimum", "multipleOf", "enum", "anyOf", "items", "not", "required"])
        | {"type": "string"}, {}, ["abc"], [1], id="keywords that are null",
    ),
    pytest.param({"type": None}, {}, ["a", 1], [], id="a type that is null"),
    pytest.param({"$ref": "#/nowhere"}, {}, ["a", 1], [], id="a reference that leads nowhere"),
    pytest.param({"$ref": "#/definitions/"}, {"definitions": {"t": NUMERIC}}, ["a"], [], id="a reference to no name"),
    pytest.param({"$ref": "#/components/schemas/t"}, {"components": {"schemas": {"t": {"type": "string"}}}}, ["a"], [1],
        id="definitions that are kept elsewhere",
    ),
    pytest.param({"$ref": "#/$defs/t/anyOf/1"}, {"$defs": {"t": {"anyOf": [{}, {"type": "string"}]}}}, ["a"], [1],
        id="one of several choices",
    ),
    pytest.param({"$ref": "#/$defs/a~1b~0c%20d"}, {"$defs": {"a/b~c d": {"type": "string"}}}, ["a"], [1], id="escapes"),
    pytest.param(True, {}, [1, None], [], id="a schema that is true"),
    pytest.param({}, {}, [1, None, {}], [], id="no schema"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "more", "good", "bad"), COLUMNS)
def test_a_schema_of_any_draft_accepts_what_its_writer_meant(column, more, good, bad):
    for value in good:
        assert accepts(column, value, **more), value
    for value in bad:
        assert not accepts(column, value, **more), value


@pytest.mark.parametrize(("column", "more", "good", "bad"), COLUMNS)
def test_records_that_are_decoded_at_once_are_judged_alike(column, more, good, bad):
    reader = RecordReader("people", {"type": "object", "properties": {"x": column}, **more}, NEEDED)
    if reader.record_type is None:
        return
    import msgspec

    decoder = MessageDecoder(reader.record_type)
    for value in bad:
        record = {"type": "RECORD", "stream": "people", "record": {"x": value}}
        assert decoder.one(msgspec.json.encode(record)) is None


INT = {"minimum": -(2**63), "maximum": 2**63 - 1}
BOUNDED = [
    ({"type": ["null", "string"], "maxLength": 2}, [None, "", "ab", "\U0001f600\U0001f600"], ["abc", 1]),
    ({"type": "string", "minLength": 1}, ["a"], ["", None]),
    ({"type": ["integer", "string"], "minimum": 3, "maxLength": 1}, [3, "a", 2**70], [2, "ab", 3.5]),
    ({"type": "integer", **INT}, [-(2**63), 2**63 - 1], [2**63, -(2**63) - 1]),
    ({"type": ["null", "number"], "minimum": -1, "maximum": 5}, [-1, 5, 4.9, None], [-2, 5.1, "1"]),
]


@pytest.mark.parametrize(("column", "good", "bad"), BOUNDED)
def test_bounds_are_judged_while_records_are_decoded(column, good, bad):
    reader = RecordReader("people", {"type": "object", "properties": {"x": column}}, NEEDED)
    decoder = MessageDecoder(reader.record_type)
    for value in good + bad:
        line = json.dumps({"type": "RECORD", "stream": "people", "record": {"x": value}}).encode()
        assert (decoder.one(line) is not None) == accepts(column, value) == (value in good), value


@pytest.mark.parametrize(
    "column",
    [
        {"type": "string", "maxLength": -1},
        {"type": "string", "minLength": 2**63},
        {"type": "integer", "minimum": 2**63},
        {"type": "integer", "maximum": 1.5},
        {"type": "number", **INT},
        {"type": "number", "multipleOf": 0.01},
    ],
)
def test_bounds_that_cannot_be_judged_so_are_left_to_the_validator(column):
    reader = RecordReader("people", {"type": "object", "properties": {"x": column}}, NEEDED)
    assert reader.record_type is None


@pytest.mark.parametrize(
    "more",
    [
        {"additionalProperties": False},
        {"required": ["email", "tags"]},
        {"minProperties": 9},
        {"anyOf": [{"required": ["tags"]}]},
        {"patternProperties": {"^_sdc": {"type": "integer"}}, "additionalProperties": False},
        {"unevaluatedProperties": False},
        {"propertyNames": {"maxLength": 1}},
    ],
)
@pytest.mark.parametrize("tags", [[], "s", 5, ["x", None], {"a": 1}])
def test_columns_that_are_not_used_may_hold_anything(more, tags):
    columns = {"x": {"type": "string"}, "tags": {"type": ["object", "null"]}}
    reader = RecordReader("people", {"type": "object", "properties": columns, **more}, NEEDED)
    assert reader.record_type is not None
    assert reader.check({"x": "a", "tags": tags, "_sdc_batched_at": "2026-01-01", "more": 1}) == ("a", None)


def test_only_used_columns_are_required():
    schema = {"properties": {"x": {"type": "string"}, "y": {"type": "string"}}, "required": ["x", "y"]}
    assert checked_schema(schema, ["x", "_sdc_deleted_at"])["required"] == ["x"]


@pytest.mark.parametrize(
    ("column", "datatype"),
    [
        ({"type": ["null", "integer"]}, "int"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "int"),
        ({"oneOf": [{"type": "null"}, {"type": "boolean"}]}, "bool"),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "null"}]}, "float"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "datetime"),
        ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}, "str"),
        ({"type": ["string", "null"], "anyOf": [{"format": "date-time"}, {"type": "null"}]}, "datetime"),
        ({"allOf": [{"type": ["string", "null"]}, {"format": "date"}]}, "datetime"),
        ({"allOf": [{"type": ["number", "null"]}, {"type": "integer"}]}, "int"),
        ({"type": ["integer", "boolean"]}, "str"),
        ({"type": ["integer", "string"]}, "str"),
        ({"enum": [1, 2, None]}, "int"),
        ({"const": True}, "bool"),
        ({"type": "any"}, "str"),
        ({"type": ["null", {"type": "number"}]}, "float"),
        ({"$ref": "#/definitions/flag"}, "bool"),
        ({"$ref": "#/definitions/nothing"}, "str"),
        ({"type": "null"}, "str"),
        ({}, "str"),
        (True, "str"),
        ({"type": "string", "format": "time"}, "str"),
        ({"type": ["null", "string"], "format": "singer.decimal"}, "str"),
        ({"type": "integer", "format": "singer.decimal"}, "int"),
        ({"type": "string", "format": 5}, "str"),
        ({"type": None, "enum": None, "anyOf": None, "$ref": None}, "str"),
        ({"type": "strange"}, "str"),
    ],
)
def test_a_property_is_defined_of_the_type_that_takes_all_values(column, datatype):
    schema = {"properties": {"x": column}, "definitions": {"flag": {"type": ["boolean", "null"]}}}
    assert datatype_of(ColumnTypes(schema).of(column)) == datatype


@pytest.mark.parametrize("types", ["date", ["null", "decimal"], "String"])
def test_p9_a_type_that_there_is_not_is_named_with_its_column(types):
    columns = {"y": {"type": types}, "x": {"type": types, "description": "a"}, "z": {"$ref": "#/nowhere"}}
    with pytest.raises(
        ConfigurationError, match=r"'people': the SCHEMA of its column 'x' .*unknown type '(date|decimal|String)'"
    ):
        RecordReader("people", {"properties": columns}, NEEDED)


def test_what_is_wrong_with_a_column_that_is_not_used_costs_nothing():
    columns = {"x": {"$ref": "#/definitions/t"}, "y": {"$ref": "#/nowhere"}, "z": {"type": "date", "enum": 5}}
    schema = {"properties": columns, "definitions": {"t": {"type": "string"}, "u": {"type": "date"}}, "required": 5}
    assert RecordReader("people", schema, NEEDED).check({"x": "a"}) == ("a", None)
