"""Which property a column goes to, and which columns no property can hold."""

from __future__ import annotations

import json

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.contacts.fields import Field, Fields
from target_mailing.contacts.properties import PropertyNames, chosen_properties
from target_mailing.contacts.stream_columns import StreamColumns
from target_mailing.settings.settings import StreamSettings
from tests.target.conftest import person, schema, state

ID = {"id": {"type": "integer"}, "email": {"type": "string"}}
TEXT = {"type": ["string", "null"]}


@pytest.mark.parametrize(
    ("how", "column", "route"),
    [
        ("listed", "CITY", "json"),
        ("listed", "City", "csv"),
        ("listed", "city", "contact"),
        ("all", "CITY", "csv"),
        ("mapped", "City", "json"),
        ("in the object", "CITY", "contact"),
        ("in the object", "City", "csv"),
        ("to be defined", "CITY", "json"),
    ],
)
def test_a_name_in_any_case_is_the_property(mailjet, route, column, how):
    settings = {
        "listed": {"properties": [column]},
        "all": {"properties": "all"},
        "mapped": {"properties": None, "mapping": {column: column}},
        "in the object": {"properties": None},
        "to be defined": {"properties": [column], "create_properties": True},
    }[how]
    columns = ID | ({"properties": {"type": "object"}} if how == "in the object" else {column: TEXT})
    row = {"properties": {column: "Nice"}} if how == "in the object" else {column: "Nice"}
    record = {"type": "RECORD", "stream": "people", "record": {"id": 1, "email": "a@example.com", **row}}
    result = mailjet.deliver([schema(columns=columns), record, state(1)], route=route, **settings)
    assert (result.error, result.counts()) == (None, {"delivered": 1})
    assert mailjet.members()["a@example.com"]["properties"] == {"city": "Nice"}


def test_two_keys_of_one_property_are_a_reject(mailjet):
    result = mailjet.deliver([schema(), person(1, properties={"City": "a", "city": "b"}), state(1)], properties=None)
    assert result.outcomes["reasons"] == {"unknown_property": 1}
    assert "'city'" in result.rejects[0]["record"]["_reject_reason"]


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("names", [["CITY", "city"], ["Shoe", "SHOE"]])
def test_p9_two_columns_of_one_property_are_an_error(mailjet, names, create):
    columns = schema(columns=ID | dict.fromkeys(names, TEXT))
    error = mailjet.deliver([columns, state(1)], properties=names, create_properties=create).error
    assert isinstance(error, ConfigurationError)
    assert all(repr(name) in str(error) for name in names)


def test_where_case_tells_properties_apart_it_must_fit():
    fields = Fields(columns={}, properties=dict.fromkeys(("City", "city"), Field(str)), defines_properties=True)
    names = PropertyNames(fields)
    assert (names.find("City"), names.find("city"), names.find("CITY")) == ("City", "city", None)
    settings = StreamSettings.resolve({"mapping": {"city": "CITY"}}, None)
    chosen = chosen_properties(StreamColumns("people", {"CITY": ()}), fields, settings)
    assert chosen == {"city": "CITY"}


STRUCTURES = {
    "object": {"type": ["object", "null"]},
    "array": {"type": "array", "items": {"type": "string"}},
    "either": {"anyOf": [{"type": "object"}, {"type": "array"}, {"type": "null"}]},
}


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("column", STRUCTURES.values(), ids=STRUCTURES)
def test_all_leaves_out_structures_and_says_so(mailjet, column, create):
    columns = schema(columns=ID | {"city": TEXT, "tags": column})
    row = {
        "type": "RECORD",
        "stream": "people",
        "record": {"id": 1, "email": "a@example.com", "city": "Nice", "tags": []},
    }
    result = mailjet.deliver([columns, row, state(1)], properties="all", create_properties=create)
    assert (result.error, result.counts()) == (None, {"delivered": 1})
    assert "omits 'tags'" in result.log
    assert "tags" not in {one.name for one in mailjet.sandbox.mailjet._account.store.properties.rows}


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("settings", [{"properties": ["tags"]}, {"properties": None, "mapping": {"city": "tags"}}])
def test_p9_a_structure_that_is_named_is_an_error_before_anything_is_defined(mailjet, settings, create):
    columns = schema(columns=ID | {"tags": STRUCTURES["either"]})
    error = mailjet.deliver([columns, state(1)], create_properties=create, **settings).error
    assert isinstance(error, ConfigurationError)
    assert str(error).startswith("Stream 'people': ")
    assert "columns of them: 'tags'." in str(error)
    assert "tags" not in {one.name for one in mailjet.sandbox.mailjet._account.store.properties.rows}


def test_what_the_error_about_a_structure_recommends_works(mailjet):
    address = {"type": "object", "properties": {"city": TEXT}}
    columns = schema(columns=ID | {"address": address, "tags": STRUCTURES["array"]})
    record = {"id": 1, "email": "a@example.com", "address": {"city": "Nice"}, "tags": ["x", "y"]}
    lines = [columns, {"type": "RECORD", "stream": "people", "record": record}, state(1)]
    error = str(mailjet.deliver(lines, properties=["address", "tags"], create_properties=True).error)
    advice = {"flattening_enabled": True, "flattening_max_depth": 1, "properties": ["address__city", "tags"]}
    assert all(f"`{name}: {json.dumps(value)}`" in error for name, value in advice.items() if name != "properties")
    result = mailjet.deliver(lines, create_properties=True, **advice)
    assert (result.error, result.counts()) == (None, {"delivered": 1})
    (sent,) = [one["contact"]["Properties"] for one in mailjet.sandbox.mailjet.received()]
    assert sent == {"address__city": "Nice", "tags": '["x","y"]'}


@pytest.mark.parametrize("given", ['{"city": "Nice", "visits": 3.0}', ' {"City": "Nice", "visits": "3"} '])
def test_an_object_may_come_as_json_text(mailjet, given):
    columns = schema(columns=ID | {"properties": TEXT, "lists": TEXT})
    lists = '[{"list": "Spring readers"}]'
    rows = [
        {
            "type": "RECORD",
            "stream": "people",
            "record": {"id": 1, "email": "a@b.test", "properties": given, "lists": lists},
        },
        {
            "type": "RECORD",
            "stream": "people",
            "record": {"id": 2, "email": "c@d.test", "properties": " ", "lists": ""},
        },
        {"type": "RECORD", "stream": "people", "record": {"id": 3, "email": "e@f.test", "properties": "city=Nice"}},
    ]
    result = mailjet.deliver([columns, *rows, state(1)], properties=None, route="contact")
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert mailjet.members()["a@b.test"]["properties"] == {"city": "Nice", "visits": "3"}
    assert "as JSON" in result.rejects[0]["record"]["_reject_reason"]
