"""Which columns cost a row when they do not fit the tap's SCHEMA, and what a SCHEMA that changes costs."""

from __future__ import annotations

import pytest

from tests.target.conftest import person, schema, state

TEXT = {"type": ["string", "null"]}
COLUMNS = {"id": {"type": "integer"}, "email": TEXT, "name": TEXT, "city": TEXT}
UNUSED = {"tags": {"type": ["object", "null"]}, "labels": {"type": ["array", "null"], "items": {"type": "string"}}}
NUMERIC = {
    "type": ["null", "number"], "minimum": -(10**10), "exclusiveMinimum": True, "maximum": 10**10,
    "exclusiveMaximum": True, "multipleOf": 0.01,
}  # fmt: skip


def alternating(rows, **first_columns):
    """Rows of one stream, before each of which its SCHEMA changes."""
    schemas = [schema(columns=COLUMNS | first_columns), schema(columns=COLUMNS | {"extra": TEXT})]
    for number in range(rows):
        yield schemas[number % 2]
        yield person(number)


@pytest.mark.parametrize("extra", [{"tags": []}, {"tags": "s"}, {"tags": 5}, {"labels": ["x", None]}, {"more": 1}])
def test_a_column_that_goes_nowhere_costs_no_row(mailjet, extra):
    columns = schema(columns=COLUMNS | UNUSED)
    columns["schema"] |= {"additionalProperties": False, "required": ["tags"]}
    rows = [person(1, **extra), person(2, _sdc_batched_at="2026-01-01T00:00:00Z", **extra)]
    result = mailjet.deliver([columns, *rows, state(1)], properties=["city"])
    assert (result.error, result.counts(), result.states) == (None, {"delivered": 2}, [1])


@pytest.mark.parametrize("column", ["id", "email", "name", "city", "subscription_status", "verb"])
def test_a_column_that_is_used_is_held_against_the_schema(mailjet, column):
    columns = schema(columns=COLUMNS | {"subscription_status": TEXT, "verb": TEXT})
    result = mailjet.deliver(
        [columns, person(1, **{column: ["x"]}), person(2), state(1)], properties=["city"], action_column="verb"
    )
    assert result.counts() == {"delivered": 1, "rejected": 1}
    assert result.outcomes["reasons"] == {"schema_invalid": 1}


def test_without_validation_only_the_destination_decides(mailjet):
    columns = schema(columns=COLUMNS | {"city": {"type": "boolean"}, "visits": {"type": "string"}})
    rows = [person(1, visits=3), person(2, visits=[]), person(3, id="three")]
    result = mailjet.deliver([columns, *rows, state(1)], validate_records=False)
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert result.outcomes["reasons"] == {"wrong_type": 1}
    assert mailjet.members()["person1@example.com"]["properties"] == {"city": "Lyon", "visits": "3"}


def test_one_stream_may_be_left_unchecked(mailjet):
    columns = COLUMNS | {"city": {"type": "boolean"}}
    messages = [schema("a", columns), person(1, stream="a"), schema("b", columns), person(2, stream="b"), state(1)]
    result = mailjet.deliver(messages, properties=["city"], streams={"a": {"validate_records": False}})
    assert result.counts() == {"delivered": 1, "rejected": 1}


@pytest.mark.parametrize("route", ["json", "csv", "contact"])
@pytest.mark.parametrize("how", ["as it is", "within anyOf"])
def test_bounds_of_draft_4_hold_without_a_word_of_the_draft(mailjet, route, how):
    column = NUMERIC if how == "as it is" else {"anyOf": [{"type": "null"}, NUMERIC]}
    rows = [person(1, name=None, score=19.99), person(2, name=None, score=0.5), person(3, score=10**10)]
    result = mailjet.deliver(
        [schema(columns=COLUMNS | {"score": column}), *rows, state(1)], properties=["score"], route=route
    )
    assert result.outcomes["reasons"] == {"schema_invalid": 1}
    assert [mailjet.members()[f"person{one}@example.com"]["properties"]["score"] for one in (1, 2)] == ["19.99", "0.5"]


@pytest.mark.parametrize("config", [{}, {"stream_maps": {"people": {"name": "name"}}}], ids=["plain", "mapped"])
def test_a_schema_that_changes_costs_no_call(mailjet, config):
    def calls(rows):
        mailjet.sandbox.counters.reset()
        result = mailjet.deliver([*alternating(rows), state(rows)], properties=["city"], send="all", **config)
        assert (result.error, result.counts(), result.states) == (None, {"delivered": rows}, [rows])
        assert result.log.count("goes to") == 2  # a SCHEMA is compiled once
        return sum(count for call, count in mailjet.sandbox.counters.calls.items() if "contactmetadata" in call)

    assert calls(2) == calls(20) > 0


def test_each_row_is_mapped_by_the_schema_before_it(mailjet):
    first = schema(columns=COLUMNS | {"visits": {"type": "integer"}})
    second = schema(columns=COLUMNS | {"visits": {"type": "string"}})
    messages = [
        first, person(1, visits=1), second, person(2, visits="2"), first, person(3, visits="3"), person(4, visits=4),
        second, person(5, visits=5), state(1),
    ]  # fmt: skip
    result = mailjet.deliver(messages)
    assert result.outcomes["reasons"] == {"schema_invalid": 2}
    assert mailjet.members().keys() == {f"person{one}@example.com" for one in (1, 2, 4)}


@pytest.mark.slow
def test_many_schemas_of_a_stream_are_followed_and_the_list_is_looked_up_once(mailjet):
    def calls(count):
        mailjet.sandbox.counters.reset()
        messages = []
        for number in range(count):
            messages += [schema(columns=COLUMNS | {f"extra{number}": TEXT}), person(number)]
        result = mailjet.deliver([*messages, state(1)], properties=["city"], send="all")
        assert result.counts() == {"delivered": count}
        return sum(times for call, times in mailjet.sandbox.counters.calls.items() if "contactmetadata" in call)

    assert calls(1) == calls(40) > 0
