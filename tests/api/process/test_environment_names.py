"""Environment variables whose names are almost those of settings."""

from __future__ import annotations

import pytest

from mailing_api.errors import ConfigurationError
from mailing_api.process.environment_names import check_variable_names, unread_variables

SCHEMA = {
    "properties": {
        "list": {"type": ["string", "integer", "array", "null"]},
        "consent": {"type": ["string", "null"], "enum": ["respect", "force", None]},
        "send": {"type": ["string", "null"], "enum": ["changed", "all", None]},
        "batch_rows": {"type": ["integer", "null"]},
    }
}


@pytest.mark.parametrize(
    ("environ", "meant"),
    [
        ({"X_LAST": "Spring"}, "X_LIST"),
        ({"X_CONTENT": "force"}, "X_CONSENT"),
        ({"X_SEED": " ALL "}, "X_SEND"),
        ({"X_BATCHROWS": "many"}, "X_BATCH_ROWS"),
        ({"X_BATCHROWS": "5", "X_BATCH_ROWS": "6"}, "X_BATCH_ROWS"),
    ],
)
def test_p9_a_variable_that_may_be_a_misspelt_setting_is_an_error(environ, meant):
    with pytest.raises(ConfigurationError, match=f"did you mean {meant}"):
        check_variable_names(SCHEMA, "X_", environ)


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"X_LAST": "2026-01-01", "X_LIST": "Spring"}, "X_LIST is set, too"),
        ({"X_CONTENT": "newsletter"}, "not valid for X_CONSENT"),
        ({"X_SEED": "42"}, "not valid for X_SEND"),
        ({"X_BATCH_ROW": "canary"}, "not valid for X_BATCH_ROWS"),
    ],
)
def test_a_variable_of_something_else_is_a_warning_that_shows_no_value(environ, reason):
    (warning,) = check_variable_names(SCHEMA, "X_", environ)
    assert reason in warning
    assert not any(value in warning for value in environ.values())


def test_other_variables_are_left_alone():
    environ = {"X_LIST": "a", "X_PORT": "tcp://10.0.0.1:80", "Y_LAST": "a", "X_CONTENT": "", "LAST": "b"}
    assert check_variable_names(SCHEMA, "X_", environ) == []


def test_variables_that_are_not_read_are_those_of_settings_that_are_not_given_otherwise():
    environ = {"X_LIST": "a", "X_SEND": "all", "X_CONSENT": "", "X_BATCH_ROWS": "5", "X_OTHER": "b", "Y_LIST": "c"}
    config = {"list": "b", "consent": "force", "send": None}
    assert unread_variables(SCHEMA, "X_", config, environ) == ["X_BATCH_ROWS", "X_SEND"]
