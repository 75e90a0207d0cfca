"""Settings from files, environment variables and defaults, and what is said of wrong ones."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.errors import ConfigurationError
from mailing_api.settings import (
    Setting,
    duration,
    filled,
    from_environ,
    json_schema,
    lookup,
    misfit,
    plain,
    positive,
)

SCHEMA = json_schema(
    [
        Setting(name="label", title="t", description="d"),
        Setting(name="list", title="t", description="d", type=["string", "integer", "array"]),
        Setting(name="rate", title="t", description="d", type="number"),
        Setting(name="count", title="t", description="d", type="integer"),
        Setting(name="on", title="t", description="d", type="boolean"),
        Setting(name="mapping", title="t", description="d", type="object"),
        Setting(name="verb", title="t", description="d", allowed=["add", "remove"]),
    ]
)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("LABEL", "42", "42"),
        ("LIST", "News", "News"),
        ("LIST", "91822", 91822),
        ("LIST", '["a", 1]', ["a", 1]),
        ("RATE", "5", 5),
        ("RATE", "0.5", 0.5),
        ("COUNT", "3", 3),
        ("ON", "yes", True),
        ("ON", "0", False),
        ("MAPPING", '{"email": "mail"}', {"email": "mail"}),
    ],
)
def test_environment_variables_are_read_by_the_types_of_their_setting(name, text, value):
    assert from_environ(SCHEMA, "X_", {f"X_{name}": text}) == {name.lower(): value}


@pytest.mark.parametrize(("name", "text"), [("COUNT", "many"), ("RATE", "fast"), ("MAPPING", "a=b"), ("ON", "perhaps")])
def test_p9_an_environment_variable_that_fits_no_type_names_its_setting(name, text):
    with pytest.raises(ConfigurationError, match=f"`{name.lower()}`"):
        from_environ(SCHEMA, "X_", {f"X_{name}": text})


def test_p7_what_is_said_of_a_wrong_setting_does_not_quote_it():
    assert misfit(["verb"], SCHEMA) == "Setting `verb` must be one of add, remove."
    assert misfit(["list", 0], SCHEMA).startswith("Setting `list.0` must be a string or")


def test_an_empty_text_is_no_setting():
    assert filled({"list": "", "label": None, "count": 0, "mapping": {"": ""}}) == {
        "label": None, "count": 0, "mapping": {"": ""},
    }  # fmt: skip
    assert from_environ(SCHEMA, "X_", {"X_LABEL": "", "X_COUNT": ""}) == {}


def test_a_setting_falls_back_to_its_environment_variable_and_its_default():
    one = Setting(name="key", title="t", description="d", env="OFFICIAL_KEY", default="none")
    assert lookup(one, {"key": "mine"}, {"OFFICIAL_KEY": "other"}) == "mine"
    assert lookup(one, {"key": None}, {"OFFICIAL_KEY": "other"}) == "other"
    assert lookup(one, {}, {"OFFICIAL_KEY": ""}) == "none"


def test_numbers_of_a_file_are_plain():
    given = {"a": Decimal("0.5"), "b": [Decimal(3), {"c": Decimal("1e3")}]}
    assert plain(given) == {"a": 0.5, "b": [3, {"c": 1000}]}
    assert type(plain(given)["b"][0]) is int


@given(st.integers(0, 10**9))
def test_a_duration_is_seconds_or_iso_8601(seconds):
    assert duration("x", seconds) == duration("x", str(seconds)) == duration("x", f"PT{seconds}S") == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("P1DT2H30M", 95_400),
        ("PT1.5S", 1.5),
        ("PT0,5S", 0.5),
        ("P2W", 1_209_600),
        ("P1M", 2_592_000),
        ("P1Y", 31_536_000),
    ],
)
def test_a_duration_has_any_unit(value, seconds):
    assert duration("x", value) == seconds


@pytest.mark.parametrize("value", ["soon", "2024-01-01", -1, "-P1D", "P", True, None, "inf", "nan"])
def test_p9_a_duration_that_is_none_names_its_setting(value):
    with pytest.raises(ConfigurationError, match="`x`"):
        duration("x", value)


@pytest.mark.parametrize("value", [0, -1, True, None, "3", float("inf"), float("nan")])
def test_p9_what_must_be_positive_is(value):
    with pytest.raises(ConfigurationError, match="`x`"):
        positive("x", value)
    assert positive("x", 0.1) == 0.1
