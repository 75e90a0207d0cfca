from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from mailing_api.kinds import KINDS, column_schemas


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_begins_with_whose_and_which(kind):
    columns = column_schemas(KINDS[kind])
    assert list(columns)[:3] == ["provider", "account", "id"]
    assert all(columns[name] == {"type": "string"} for name in ("provider", "account", "id"))


@pytest.mark.parametrize("kind", KINDS)
def test_all_other_columns_may_be_null(kind):
    for name, schema in list(column_schemas(KINDS[kind]).items())[3:]:
        Draft202012Validator.check_schema(schema)
        assert Draft202012Validator(schema).is_valid(None), name


def test_timestamps_statuses_and_properties():
    columns = column_schemas(KINDS["contacts"])
    assert columns["created_at"] == {"type": ["string", "null"], "format": "date-time"}
    assert columns["subscription_status"]["enum"][-1] is None
    validator = Draft202012Validator(columns["properties"])
    assert validator.is_valid({"a": 1, "b": "x", "c": 1.5, "d": True, "e": None})
    assert not validator.is_valid({"a": {"nested": 1}})
