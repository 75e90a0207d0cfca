"""What a SCHEMA can make the target do: nothing but check types and bounds."""

from __future__ import annotations

import json
import socket
from contextlib import closing, suppress

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.contacts.fields import RowRejected
from target_mailing.input.records import RecordReader
from target_mailing.input.schema_safety import safe_schema
from tests.target.conftest import person, schema, state

NEEDED = [("email", None), ("_sdc_deleted_at", None), ("x", None)]
TEXT = {"type": "string"}


def table(column, **more):
    return {"type": "object", "properties": {"email": TEXT, "x": column}, **more}


def check(table, **record):
    RecordReader("people", safe_schema("people", table), NEEDED).check({"email": "a@b.test", **record})


def refused(table):
    with pytest.raises(ConfigurationError) as caught:
        check(table)
    assert "Stream 'people'" in str(caught.value)
    return str(caught.value)


DOCUMENTS = [
    "http://127.0.0.1:9/x.json",
    "https://example.com/x.json#/a",
    "file:///etc/passwd",
    "ftp://127.0.0.1/x",
    "//127.0.0.1:9/x.json",
    "other.json",
    "other.json#/a",
    "http://json-schema.org/draft-07/schema#",
    "",
    "data:application/json,{}",
    5,
    None,
]

#: Where a schema can stand within another.
PLACES = {
    "a column": table,
    "an array's items": lambda one: table({"type": "array", "items": one}),
    "one of several items": lambda one: table({"type": "array", "items": [TEXT, one]}),
    "a member": lambda one: table({"type": "object", "properties": {"y": one}}),
    "other members": lambda one: table({"type": "object", "additionalProperties": one}),
    "a pattern's members": lambda one: table({"patternProperties": {"^y": one}}),
    "a choice": lambda one: table({"anyOf": [TEXT, one]}),
    "a negation": lambda one: table({"not": one}),
    "a condition": lambda one: table({"if": TEXT, "then": one}),
    "a definition": lambda one: table(TEXT, definitions={"d": one}),
    "a newer definition": lambda one: table(TEXT, **{"$defs": {"d": one}}),
    "a dependency": lambda one: table(TEXT, dependencies={"x": one}),
    "a type of draft 3": lambda one: table({"type": ["string", one]}),
    "what draft 3 extends": lambda one: table({"extends": [one]}),
    "what draft 3 disallows": lambda one: table({"disallow": ["string", one]}),
    "the record": lambda one: table(TEXT) | one,
}


@pytest.mark.parametrize("word", ["$ref", "$dynamicRef", "$recursiveRef"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("document", DOCUMENTS, ids=repr)
def test_p9_no_reference_to_another_document_is_compiled(word, place, document):
    assert "another document" in refused(PLACES[place]({word: document}))


@pytest.mark.parametrize("record", [{"x": 5}, {"x": "text"}])
@pytest.mark.parametrize("reference", ["#", "#/definitions/a", "#a", "#/properties/email"])
def test_a_local_reference_is_not_looked_for_at_a_foreign_id(record, reference):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.json"
        for column in ({"$id": url, "anyOf": [{"$ref": reference}]}, {"$id": url, "$ref": reference}):
            with suppress(ConfigurationError, RowRejected):
                check(table({"$id": f"{url}/y", "items": column, "anyOf": [column]}, definitions={"a": TEXT}), **record)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("data", ["enum", "default", "examples", "const"])
def test_a_reference_within_data_is_not_read_either(data):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0)
        value = {"$ref": f"http://127.0.0.1:{server.getsockname()[1]}/x.json"}
        with suppress(ConfigurationError):
            check(table({"type": "object", data: [value] if data == "enum" else value}), x=value)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_column_may_be_called_like_a_reference():
    check({"type": "object", "properties": {"email": TEXT, "$ref": TEXT}}, **{"$ref": "http://example.com"})


def test_a_local_reference_is_followed():
    local = table({"$ref": "#/definitions/a"}, definitions={"a": {"type": "integer"}})
    check(json.loads(json.dumps(local)), x=5)
    with pytest.raises(RowRejected, match="schema_invalid"):
        check(local, x="five")


@pytest.mark.parametrize(
    "circular",
    [
        table({"$ref": "#/properties/x"}),
        table({"$ref": "#/definitions/a"}, definitions={"a": {"$ref": "#/properties/x"}}),
        table({"anyOf": [TEXT, {"$ref": "#/properties/x"}]}),
        table({"not": {"$ref": "#/properties/x"}}),
        table(TEXT, allOf=[{"$ref": "#"}]),
        table({"extends": [{"$ref": "#/properties/x"}] * 2}),
        table({"type": ["string", {"$ref": "#/properties/x"}, {"$ref": "#/properties/x"}]}),
        table({"disallow": [{"$ref": "#/properties/x"}]}),
        table({"dependencies": {"a": {"$ref": "#/properties/x"}}}),
        table({"dependentSchemas": {"a": {"$ref": "#/properties/x"}}}),
    ],
)
def test_p9_a_reference_to_itself_is_refused(circular):
    assert "has a reference to itself" in refused(circular)


def test_a_tree_is_checked_as_deep_as_it_goes():
    tree = table({"type": "object", "properties": {"next": {"$ref": "#/properties/x"}}})
    check(tree, x={"next": {"next": {}}})
    with pytest.raises(RowRejected, match="schema_invalid"):
        check(tree, x={"next": {"next": 5}})
    deep = {}
    for _ in range(5000):
        deep = {"next": deep}
    with pytest.raises(RowRejected, match="schema_invalid"):
        check(tree, x=deep)


def test_p9_references_that_stand_for_millions_are_refused():
    definitions = {f"d{n}": {"allOf": [{"$ref": f"#/definitions/d{n + 1}"}] * 10} for n in range(9)}
    assert "more than 10,000 schemas" in refused(
        table({"$ref": "#/definitions/d0"}, definitions=definitions | {"d9": TEXT})
    )


def test_p9_a_schema_nested_too_deeply_is_refused():
    column = TEXT
    for _ in range(900):
        column = {"type": "array", "items": column}
    assert "nested deeper" in refused(table(column))


def test_p9_an_empty_type_is_named():
    assert "an empty `type` for column 'x'" in refused(table({"type": []}))


PATTERNS = ["^(a+)+$", "^(a|aa)+$", "(a*)*b", r"^\p{L}+$", "[", "(?<n>x)", r"\cA", "^[a-z]{1,99999999999}$"]
ALL_AS = "a" * 40


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(
    ("made", "value"),
    [
        (lambda pattern: {"type": "string", "pattern": pattern}, f"{ALL_AS}!"),
        (lambda pattern: {"type": "array", "items": {"pattern": pattern}}, [f"{ALL_AS}!"]),
        (lambda pattern: {"type": "object", "patternProperties": {pattern: TEXT}}, {f"{ALL_AS}!": "b"}),
        (lambda pattern: {"propertyNames": {"pattern": pattern}}, {f"{ALL_AS}!": "b"}),
        (lambda pattern: {"patternProperties": {pattern: TEXT}, "additionalProperties": False}, {f"{ALL_AS}!": 5}),
        (lambda pattern: {"not": {"pattern": pattern}}, f"{ALL_AS}!"),
        (lambda pattern: {"oneOf": [{"pattern": pattern}, {"pattern": f"x{pattern}"}]}, f"{ALL_AS}!"),
        (lambda pattern: {"if": {"pattern": pattern}, "then": False}, f"{ALL_AS}!"),
        (lambda pattern: {"contains": {"pattern": pattern}, "maxContains": 0}, [ALL_AS]),
    ],
)
def test_p9_no_pattern_is_run_and_none_refuses_a_row(pattern, made, value):
    check(table(made(pattern)), x=value)


def test_what_stands_beside_a_pattern_is_still_checked():
    for record in ({"x": 5}, {"x": "long" * 9}):
        with pytest.raises(RowRejected, match="schema_invalid"):
            check(table({"type": "string", "pattern": "^(a+)+$", "maxLength": 9}), **record)


@pytest.mark.slow
def test_a_row_with_a_pattern_is_delivered_and_the_pattern_is_told(mailjet):
    columns = {"id": {"type": "integer"}, "email": TEXT, "name": {"type": "string", "pattern": r"^\p{L}+$"}}
    result = mailjet.deliver(
        [schema(columns=columns), person(1, name="Ada", city=None), state({"at": 1})], properties=None
    )
    assert (result.error, result.states) == (None, [{"at": 1}])
    assert "patterns in its SCHEMA are not checked (column 'name')" in result.log


@pytest.mark.slow
def test_p9_nothing_is_asked_for_a_stream_whose_schema_refers_elsewhere(mailjet):
    columns = {"email": TEXT, "x": {"$ref": "http://127.0.0.1:9/x.json"}}
    result = mailjet.deliver([schema("x_contacts", columns, []), state({"at": 1})])
    assert "Stream 'x_contacts': its SCHEMA refers to another document (x: `$ref`)" in str(result.error)
    assert result.states == []
