from __future__ import annotations

import pytest

from mailing_api.errors import ConfigurationError
from mailing_api.settings import Setting, duration, json_schema, lookup

KEY = Setting(name="key", title="Key", description="The key.", secret=True, env="THE_KEY")
SIZE = Setting(name="size", title="Size", description="How many.", type="integer", default=4, allowed=(2, 4))


def test_every_setting_is_optional_and_nullable():
    assert json_schema([KEY, SIZE]) == {
        "type": "object",
        "properties": {
            "key": {
                "type": ["string", "null"],
                "title": "Key",
                "description": "The key.",
                "secret": True,
                "writeOnly": True,
            },
            "size": {
                "type": ["integer", "null"],
                "title": "Size",
                "description": "How many.",
                "default": 4,
                "enum": [2, 4, None],
            },
        },
    }


def test_the_configuration_comes_before_the_environment_before_the_default():
    assert lookup(KEY, {"key": "a"}, {"THE_KEY": "b"}) == "a"
    assert lookup(KEY, {"key": None}, {"THE_KEY": "b"}) == "b"
    assert lookup(KEY, {}, {"THE_KEY": ""}) is None
    assert lookup(SIZE, {}, {}) == 4


@pytest.mark.parametrize(
    ("value", "seconds"), [(5, 5.0), (0.5, 0.5), ("90", 90.0), ("PT6H", 21600.0), ("P7D", 604800.0), (0, 0.0)]
)
def test_durations(value, seconds):
    assert duration("wait", value) == seconds


@pytest.mark.parametrize("value", ["a while", -1, "-5", "inf", "nan", True, None, [], "2024-01-01"])
def test_p9_what_is_no_duration_is_told(value):
    with pytest.raises(ConfigurationError, match="Setting `wait`"):
        duration("wait", value)
