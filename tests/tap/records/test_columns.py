"""String columns and values of other types: no record violates its SCHEMA."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from mailing_api.errors import UnreadableAnswer
from tap_mailing.records.columns import text, text_array, text_mapping
from tests.tap.mutations import VALUES

COLUMNS = {
    column.name: column for column in (text_array("tags", "field"), text_mapping("names", "field"), text("a", "field"))
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
