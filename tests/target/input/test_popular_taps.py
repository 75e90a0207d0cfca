"""The SCHEMAs that well-known taps write, and rows as they send them: delivered, and typed as they are meant."""

from __future__ import annotations

import pytest

from tests.target.conftest import schema, state

DRAFT4 = {"$schema": "http://json-schema.org/draft-04/schema#"}
NUMERIC = {
    "type": ["null", "number"], "exclusiveMaximum": True, "maximum": 10**14, "multipleOf": 0.01,
    "exclusiveMinimum": True, "minimum": -(10**14),
}  # fmt: skip
WHOLE = {"type": ["null", "integer"], "minimum": -2147483648, "maximum": 2147483647}
TEXT = {"type": ["null", "string"]}
MOMENT = {"type": ["null", "string"], "format": "date-time"}
EXTRA = {
    "_sdc_extracted_at": {"type": ["null", "string"], "format": "date-time"},
    "_sdc_batched_at": {"type": ["null", "string"], "format": "date-time"},
}
ROW = {"visits": 3, "score": 19.99, "vip": True, "born": "1984-05-06T00:00:00+00:00", "city": "Lyon"}
TYPES = {"visits": "int", "score": "float", "vip": "bool", "born": "datetime", "city": "str"}


def either(name):
    return {"oneOf": [{"type": "null"}, {"type": name}]}


#: By tap: the columns, what else its SCHEMA says, how its row differs, and the types of properties that differ.
TAPS = {
    "pipelinewise-tap-postgres": (
        {"visits": WHOLE, "score": NUMERIC, "vip": {"type": ["null", "boolean"]}, "born": MOMENT,
         "city": {"type": ["null", "string"], "maxLength": 64},
         "tags": {"type": ["null", "array"], "items": {"$ref": "#/definitions/sdc_recursive_string_array"}}},
        {"definitions": {"sdc_recursive_string_array": {"type": ["null", "string", "array"]}}},
        {"tags": ["a", None]}, {},
    ),
    "MeltanoLabs tap-postgres": (
        {"visits": {"type": ["integer", "null"]}, "score": {"type": ["number", "null"]},
         "vip": {"type": ["boolean", "null"]}, "born": MOMENT, "city": {"type": ["string", "null"]},
         "tags": {"type": ["object", "null"], "additionalProperties": True}},
        {"required": ["id"]}, {"tags": [1]}, {},
    ),
    "tap-csv, all text": (
        dict.fromkeys(ROW, TEXT), {},
        {name: str(value) for name, value in ROW.items()} | {"visits": ""}, dict.fromkeys(ROW, "str"),
    ),
    "tap-mysql, draft 4": (
        {"visits": WHOLE | {"inclusion": "available"}, "score": NUMERIC | {"exclusiveMinimum": True}, "born": MOMENT,
         "vip": {"type": ["null", "boolean"]}, "city": {"type": ["null", "string"], "maxLength": 255}},
        {**DRAFT4, "additionalProperties": False}, {"visits": 3.0}, {},
    ),
    "singer-tools, a date-time or a text": (
        {"visits": {"anyOf": [{"type": "integer"}, {"type": "null"}]}, "score": {"type": ["null", "number"]},
         "vip": {"type": ["null", "boolean"]}, "city": {"type": ["null", "string"]},
         "born": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": ["string", "null"]}]}},
        {}, {}, {"born": "str"},
    ),
    "airbyte": (
        {"visits": either("integer"), "score": either("number"), "vip": either("boolean"), "city": either("string"),
         "born": {"oneOf": [{"type": "null"}, {**MOMENT, "type": "string", "airbyte_type": "timestamp_with_timezone"}]},
         "_airbyte_raw": {"type": "object", "properties": {}}},
        {"$schema": "http://json-schema.org/draft-07/schema#"}, {"_airbyte_raw": None}, {},
    ),
    "pydantic, draft 2020-12": (
        {"visits": {"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}], "default": None},
         "score": {"type": "number"}, "vip": {"type": "boolean", "default": False}, "born": {"$ref": "#/$defs/Born"},
         "city": {"$ref": "#/$defs/City"}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/person",
         "$defs": {"Born": {"type": "string", "format": "date-time"}, "City": {"enum": ["Lyon"], "type": "string"}},
         "unevaluatedProperties": False},
        {}, {},
    ),
    "tap-google-sheets, each column its type or a text": (
        {name: {"anyOf": [{**kind, "type": ["null", kind["type"]]}, {"type": ["null", "string"]}]} for name, kind in (
            ("visits", {"type": "integer"}), ("score", {"type": "number", "multipleOf": 1e-15}),
            ("city", {"type": "string"}), ("vip", {"type": "boolean"}),
            ("born", {"type": "string", "format": "date-time"}),
        )},
        {"additionalProperties": False}, {}, dict.fromkeys(ROW, "str"),
    ),
    "tap-oracle, decimals as texts": (
        {"visits": {"type": ["null", "string"], "format": "singer.decimal"}, "born": MOMENT, "city": TEXT,
         "score": {"type": ["null", "string"], "format": "singer.decimal"}, "vip": TEXT},
        {}, {"visits": "12345678901234567890.123", "score": "19.990", "vip": "Y"},
        {"visits": "str", "score": "str", "vip": "str"},
    ),
    "tap-mssql": (
        {"visits": WHOLE, "score": NUMERIC | {"multipleOf": 1e-4}, "vip": {"type": ["null", "boolean"]},
         "born": {"type": ["null", "string"], "format": "date"}, "city": {"type": ["null", "string"], "minLength": 0},
         "guid": {"type": ["null", "string"], "pattern": "[A-F0-9]{8}-([A-F0-9]{4}-){3}[A-F0-9]{12}"}},
        {}, {"born": "1984-05-06", "guid": "none"}, {},
    ),
    "tap-salesforce, a column of any type": (
        {"visits": {"type": ["null", "integer", "string", "boolean", "number", "object"]}, "born": MOMENT, "city": TEXT,
         "score": {"type": ["null", "number"]}, "vip": {"type": ["null", "boolean"]}},
        {}, {"visits": False}, {"visits": "str"},
    ),
    "draft 3": (
        {"visits": {"type": ["integer", "null"], "required": True}, "score": {"type": [{"type": "number"}, "null"]},
         "vip": {"type": "boolean"}, "born": {"type": "string", "format": "date-time"}, "city": {"type": "string"},
         "any": {"type": "any"}},
        {"$schema": "http://json-schema.org/draft-03/schema#"}, {"any": {}}, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("tap", TAPS)
def test_rows_arrive_with_properties_of_the_types_that_are_meant(mailjet, tap):
    columns, more, differs, types = TAPS[tap]
    message = schema(columns={"id": {"type": ["null", "integer"]}, "email": {"type": "string"}, **EXTRA, **columns})
    message["schema"] |= more
    record = {"id": 1, "email": "a@example.com", "_sdc_extracted_at": "2026-01-01T00:00:00Z", "_sdc_sequence": 1}
    row = {"type": "RECORD", "stream": "people", "record": record | ROW | differs}
    settings = {"properties": [*ROW], "create_properties": True}
    mailjet.sandbox.reset()
    mailjet.sandbox.mailjet.add_list("Spring readers")
    result = mailjet.deliver([message, row, state(1)], **settings)
    assert (result.error, result.counts(), result.states) == (None, {"delivered": 1}, [1])
    defined = {one.name: one.datatype for one in mailjet.sandbox.mailjet._account.store.properties.rows}
    assert {name: defined[name] for name in TYPES} == TYPES | types
    assert mailjet.members()["a@example.com"]["properties"]["city"] == "Lyon"
