"""Streams that are skipped, and columns without a type: what is wrong with a SCHEMA costs nobody else."""

from __future__ import annotations

import pytest

from tests.target.conftest import person, schema, state

ANYTHING = {"k": {}}


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        ({"k": {"$ref": "http://127.0.0.1:9/k.json"}}, ["k"]),
        ({"k": {"$ref": "#/properties/k"}}, ["k"]),
        ({"k": {"type": []}}, ["k"]),
        ({"k": {"type": "date"}}, ["k"]),
        ({"k": None}, ["k"]),
        (ANYTHING, "k"),
        (ANYTHING, [["k"]]),
        ({}, ["k"]),
    ],
)
def test_p9_no_fault_in_the_schema_of_a_stream_that_is_skipped_ends_the_run(mailjet, columns, keys):
    events = schema("events", columns) | {"key_properties": keys}
    rows = [events, {"type": "RECORD", "stream": "events", "record": {"k": 1}}, schema(), person(1), state(1)]
    result = mailjet.deliver(rows, on_unknown_stream="skip")
    assert (result.error, result.states) == (None, [1])
    assert result.counts() == {"delivered": 1, "skipped": 1}


EXCLUDING = [{"people": {}, "__else__": None}, {"events": None}, {"ev*": "__NULL__"}, {"e*": {}, "eve*": None}]


@pytest.mark.parametrize("flattening", [{}, {"flattening_enabled": True, "flattening_max_depth": 2}])
@pytest.mark.parametrize("maps", EXCLUDING)
def test_p9_a_stream_that_stream_maps_exclude_is_not_checked(mailjet, caplog, maps, flattening):
    """Whatever its SCHEMA is: it needs no contacts, nor an entry of `on_unknown_stream`."""
    caplog.set_level("INFO")
    event = {"type": "RECORD", "stream": "events", "record": {"k": 1}}
    damaged = event | {"record": {"k": float("nan")}}
    faults = [
        ({"k": {"$ref": "http://127.0.0.1:9/k.json"}}, ["k"]),
        (ANYTHING, [["k"]]),
        ({}, ["k"]),
        (ANYTHING, ["k"]),
    ]
    schemas = [schema("events", columns) | {"key_properties": keys} for columns, keys in faults]
    messages = [part for one in schemas for part in (one, event)]
    result = mailjet.deliver(
        [*messages, damaged, schema(), person(1), event, state(1)],
        stream_maps=maps, streams={"people": {}}, **flattening,
    )  # fmt: skip
    assert (result.error, result.states, result.rejects) == (None, [1], [])
    assert result.counts() == {"delivered": 1, "skipped": len(schemas) + 2}
    assert "Stream 'events' is skipped: `stream_maps` excludes it" in caplog.text


def test_p9_an_excluded_stream_needs_no_column_of_the_mapping(mailjet):
    messages = [schema("events", {"id": {}}), schema(), person(1), state(1)]
    settings = {"streams": {"*": {"mapping": {"email": "email"}}}}
    result = mailjet.deliver(messages, stream_maps={"events": None}, **settings)
    assert (result.error, result.states) == (None, [1])
    result = mailjet.deliver(messages, **settings)
    assert "Stream 'events': `mapping` takes 'email' from column 'email'" in str(result.error)


@pytest.mark.parametrize("maps", [{"events": {}}, {"events": None, "all": {"__source__": "ev*"}}])
def test_p9_a_stream_that_only_other_maps_exclude_is_checked(mailjet, maps):
    result = mailjet.deliver([schema("events", {"id": {}}), schema(), person(1), state(1)], stream_maps=maps)
    assert "has no contacts with e-mail addresses" in str(result.error)


@pytest.mark.parametrize("setting", [{"flattening_enabled": True, "flattening_max_depth": 2}, {"stream_maps": {}}, {}])
def test_a_column_without_a_type_may_hold_any_value_also_when_it_is_flattened(mailjet, setting):
    columns = {"id": {}, "email": True, "name": {"type": "string"}, "city": {"description": "any"}, "visits": {}}
    result = mailjet.deliver([schema(columns=columns), person(1, city=5, visits=3), state(1)], **setting)
    assert (result.error, result.states, result.rejects) == (None, [1], [])
    assert mailjet.members()["person1@example.com"]["properties"] == {"city": "5", "visits": "3"}


@pytest.mark.parametrize("column", [5, None, {"type": None}, {"type": "object", "properties": None}])
def test_p9_a_schema_that_cannot_be_flattened_is_named(mailjet, column):
    messages = [schema(columns={"id": {}, "email": {}, "extra": column}), person(1), state(1)]
    result = mailjet.deliver(messages, flattening_enabled=True, flattening_max_depth=2, properties=None)
    assert result.error is None or str(result.error).startswith("Stream 'people': its SCHEMA cannot be used")
    assert result.states == ([] if result.error else [1])
