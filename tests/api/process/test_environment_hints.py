"""What an error of a missing setting says of the environment."""

from __future__ import annotations

import pytest

from mailing_api.process.environment_hints import environment_hints
from mailing_api.settings import Setting

SETTINGS = [
    Setting(name="list", title="List", description="A list."),
    Setting(name="api_key", title="Key", description="A key.", env="KEY_PUBLIC"),
]
UNREAD = " P_LIST is in the environment; it is read only with --config=ENV."


@pytest.mark.parametrize(
    ("environ", "config", "is_read", "told"),
    [
        ({"P_LIST": "canary"}, {}, False, UNREAD),
        ({"P_LIST": "canary"}, {"list": ""}, False, UNREAD),
        ({"P_LIST": "canary"}, {"list": ["L"]}, False, ""),
        ({"P_LIST": "canary"}, {}, True, ""),
        (
            {"P_LIST": "canary", "P_API_KEY": "canary"},
            {},
            False,
            " P_LIST and P_API_KEY are in the environment; they are read only with --config=ENV.",
        ),
        ({"KEY_PUBLIC": ""}, {}, False, " KEY_PUBLIC is empty in the environment, which means unset."),
        (
            {"P_LIST": "", "KEY_PUBLIC": "canary"},
            {},
            True,
            " P_LIST is empty in the environment, which means unset.",
        ),
        ({"P_OTHER": "canary"}, {}, False, ""),
    ],
)
def test_p7_a_missing_setting_is_told_of_with_its_variables_and_no_value(environ, config, is_read, told):
    message = "Set `list` and `api_key`."
    assert environment_hints(message, SETTINGS, config, prefix="P_", is_read=is_read, environ=environ) == told
    assert environment_hints("`other`", SETTINGS, config, prefix="P_", is_read=is_read, environ=environ) == ""
