"""The SCHEMAs that well-known taps write, and rows as they send them: delivered, and typed as they are meant."""

from __future__ import annotations

import pytest

from mailing_api.errors import ConfigurationError
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


# A column called `properties` that is something else

NESTED = {"type": ["null", "object"], "properties": {"value": {"type": ["null", "string"]}, "timestamp": MOMENT}}
FOUND = {"value": "x", "timestamp": None}
#: The column's SCHEMA, its value, and what is said before anything is sent; None where nothing can be told by then.
NO_PROPERTIES = {
    "tap-hubspot": (
        {"type": "object", "properties": {"email": NESTED, "firstname": NESTED, "city": NESTED}},
        {"email": FOUND, "city": FOUND}, "but 'email', 'firstname', 'city' in its SCHEMA cannot be sent",
    ),
    "by reference": ({"$ref": "#/definitions/all"}, {"email": FOUND}, "but 'email' in its SCHEMA cannot"),
    "one of two": (
        {"oneOf": [{"type": "null"}, {"type": "object", "properties": {"$os": TEXT}}]}, {"$os": "x"}, "but '$os' in",
    ),
    "an array": ({"type": ["array", "null"]}, ["3 rooms"], "its SCHEMA says that it is no object"),
    "a number": ({"type": "integer"}, 3, "its SCHEMA says that it is no object"),
    "any object": ({"type": "object"}, {"email": FOUND}, None),
    "untyped": ({}, [1], None),
    "a text": (TEXT, "3 rooms", None),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_PROPERTIES)
def test_p9_a_column_that_is_no_object_of_properties_is_told_with_what_to_do(mailjet, kind):
    column, value, said = NO_PROPERTIES[kind]
    message = schema(columns={"email": TEXT, "city": TEXT, "properties": column}, keys=["email"])
    message["schema"]["definitions"] = {"all": {"type": "object", "properties": {"email": NESTED}}}
    records = [{"email": f"p{number}@example.com", "city": "Lyon", "properties": value} for number in range(2)]
    rows = [{"type": "RECORD", "stream": "people", "record": record} for record in records]
    result = mailjet.deliver([message, *rows, state(1)], properties=["city"])
    told = 'add {"properties": null} to `mapping`, so that the column is not read'
    if said is None:
        assert result.counts() == {"rejected": 2}
        assert result.log.count("Stream 'people': rows are rejected because of column 'properties'") == 1
        assert told in result.log
    else:
        assert isinstance(result.error, ConfigurationError)
        assert said in str(result.error)
        assert told in str(result.error)
        assert mailjet.received() == []
    for nothing in (None, "__NULL__"):
        options = {"properties": ["city"], "mapping": {"properties": nothing}, "send": "all"}
        result = mailjet.deliver([message, *rows, state(1)], **options)
        assert (result.error, result.counts()) == (None, {"delivered": 2})
        assert "not sent: properties" in result.log


def test_members_of_properties_that_cannot_go_are_warned_of_where_others_can(mailjet):
    column = {"type": "object", "properties": {"City": TEXT, "shoe_size": TEXT}}
    result = mailjet.deliver([schema(columns={"email": TEXT, "properties": column}, keys=[])], properties=None)
    assert "'shoe_size' in its SCHEMA cannot be sent" in result.log


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (["subscription_status"], "sets 'subscription_status' to null, but that column says who may be contacted"),
        (["_sdc_deleted_at"], "sets '_sdc_deleted_at' to null"),
        (["email"], "sets 'email' to null"),
        (["lists"], "sets 'lists' to null"),
        (["propertis"], "sets 'propertis' to null, which is not a column of the stream. Did you mean 'properties'?"),
        (["name", "city", "properties", "not_there"], None),
    ],
)
def test_columns_may_be_left_out_but_those_of_consent(mailjet, left_out, said):
    names = ["email", "name", "city", "visits", "properties", "subscription_status", "lists"]
    columns = {name: {} for name in names}
    options = {"properties": "all", "mapping": dict.fromkeys(left_out), "route": "contact"}
    result = mailjet.deliver([schema(columns=columns, keys=[]), state(1)], **options)
    if said:
        assert said in str(result.error)
    else:
        assert result.error is None
        assert "not sent: name, city, properties" in result.log
