"""String columns and values of other types: no record violates its SCHEMA."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mailing_api.errors import UnreadableAnswer
from tap_mailing.records.columns import mapping, text, text_array, text_mapping
from tap_mailing.registry import PROVIDERS
from tests.tap.mutations import VALUES

COLUMNS = {
    column.name: column
    for column in (
        text_array("tags", "field"),
        text_mapping("names", "field"),
        mapping("any", "field"),
        text("a", "field"),
    )
}
GIVEN = {name: value for name, value in VALUES.items() if name != "removed"}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_any_value_is_a_value_of_the_schema_or_unreadable(column):
    check = Draft202012Validator(column.schema)
    for value in [*GIVEN.values(), *([one] for one in GIVEN.values()), *({"key": one} for one in GIVEN.values())]:
        try:
            (found,) = column.read([{"field": value}], "stream")
        except UnreadableAnswer:
            continue
        check.validate(found)


def test_numbers_and_flags_are_texts_and_unset_ones_are_omitted():
    assert COLUMNS["tags"].read([{"field": ["a", 7, True, None, ""]}, {"field": None}, {}], "s") == [
        ["a", "7", "true"],
        None,
        None,
    ]
    assert COLUMNS["names"].read([{"field": {"a": 7, "b": None}}, {}], "s") == [{"a": "7", "b": None}, None]


STREAMS = {stream.name: stream for provider in PROVIDERS for stream in provider.stream_classes}
USUAL = st.sampled_from(["", None, "Ann", "2024-02-29T23:59:59Z", True, 17])
ODD = st.sampled_from(
    ["17", "true", "2024-01-01", "Anonymized", r"\x0f@domain.invalid", "Completed", 1.5, {"a": 1}, ["b"], [{"c": 2}]]
)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
@given(data=st.data())
@settings(max_examples=10)
def test_a_page_becomes_what_its_rows_become_alone(stream, data):
    fields = sorted({field for column in stream.columns for field in column.fields})
    row = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, st.one_of(USUAL, USUAL, USUAL, ODD)))
    page = data.draw(st.lists(row, max_size=4))
    for column in stream.columns:
        try:
            alone = [value for one in page for value in column.read([one], stream.name)]
        except UnreadableAnswer:
            with pytest.raises(UnreadableAnswer):
                column.read(page, stream.name)
            continue
        assert repr([*column.read(page, stream.name)]) == repr(alone)
