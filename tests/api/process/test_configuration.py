"""Configuration files and values that no setting can be."""

from __future__ import annotations

import gzip

import pytest

from mailing_api.errors import ConfigurationError
from mailing_api.process.configuration import check_stream_maps, read_configuration, unknown_settings, unusable
from mailing_api.settings import plain


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"null", "must hold a JSON object"),
        (b"[]", "must hold a JSON object"),
        (b'"text"', "must hold a JSON object"),
        (b'{"list": "caf\xe9"}', "is not text in UTF-8"),
        (b"{not json", "is not JSON: line 1, column 2"),
        (b"", "is not JSON: line 1"),
        (b'{"a":' * 100_000, "cannot be read"),
        (b'{"a":' + b"1" * 9000 + b"}", "cannot be read"),
        (gzip.compress(b"{}", mtime=0), "compressed by gzip: unpack it"),
        ("{}".encode("utf-16"), "in UTF-16: save it as UTF-8"),
        (b'{"list": "A", "list": "B"}', "has 'list' twice"),
        (b'{"streams": {"x": {"action": "unsub", "action": "remove"}}}', "has 'action' twice"),
    ],
)
def test_p9_a_file_that_is_no_configuration_is_told(tmp_path, content, said):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    (tmp_path / "fine.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=said) as error:
        read_configuration([str(tmp_path / "fine.json"), str(path)])
    assert str(path) in str(error.value), "with several files, nobody would know which"


def test_files_are_merged_and_numbers_stay_what_they_are(tmp_path):
    one, two = tmp_path / "1.json", tmp_path / "2.json"
    one.write_bytes(b'\xef\xbb\xbf{"a": 1, "b": 5.0}')
    two.write_text('{"a": 0.5}')
    config, from_environment = read_configuration([str(one), "ENV", str(two)])
    assert (plain(config), from_environment) == ({"a": 0.5, "b": 5}, True)
    assert type(plain(config)["b"]) is int


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one], lambda one: {"x": [{"y": one}]}])
@pytest.mark.parametrize("value", ["a\0b", "\ud800", 1e30, 10**30, float("nan"), float("inf"), -1e300])
def test_p9_a_value_that_no_setting_can_be_is_told_without_quoting_it(wrap, value):
    (said,) = unusable({"fine": [1, "x", None, True], "list": wrap(value)})
    assert said.replace(".x.y", "").startswith("Setting `list` holds a ")


def test_p9_a_huge_exponent_costs_nothing(tmp_path):
    (tmp_path / "c.json").write_text('{"a": 1e999999999, "b": -1E99999999}')
    assert len(unusable(plain(read_configuration([str(tmp_path / "c.json")])[0]))) == 2


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        ({"__else__": "__NULL_STREAM__"}, "`stream_maps.__else__` must be null or `__NULL__`"),
        ({"people": {"__alias__": None}}, "`stream_maps.people.__alias__` must be the name of a stream"),
        ({"people": {"__source__": None}}, "`stream_maps.people.__source__` must be the name of a stream"),
        ({"__esle__": None}, "`stream_maps`: unknown option `__esle__`; did you mean `__else__`?"),
        ({"people": {"__filtr__": "a == 'b'"}}, "`stream_maps.people`: unknown option `__filtr__`; .* `__filter__`?"),
        ({"people": {"__Filter__": "a == 'b'"}}, "`__filter__`"),
        ({"people": {"__key-propertys__": ["a"]}}, "`stream_maps.people`: unknown .* `__key_properties__`"),
        ({"people": {"__else__": "drop"}}, "`stream_maps.people.__else__` must be null or `__NULL__`"),
        ({"people": "x"}, "`stream_maps.people` must be an object"),
        ({"people": 5}, "`stream_maps.people` must be an object"),
        ({"people": {"city": 5}}, "`stream_maps.people.city` must be an expression"),
        ({"people": {"city": ["x"]}}, "`stream_maps.people.city` must be an expression"),
        ({"crm": {"people": {"city": "x"}}}, r"write `crm\?people`"),
        ({"people": {"__key_properties__": "id"}}, "must be an array of column names"),
        ([], "must be an object"),
        ({"people": {"city": ""}}, "`stream_maps.people.city` is not one expression"),
        ({"people": {"city": "((("}}, "`stream_maps.people.city` is not one expression"),
        ({"people": {"city": "import os"}}, "is not one expression"),
        ({"people": {"city": "a; b"}}, "is not one expression"),
        ({"people": {"city": "a\0"}}, "is not one expression"),
        ({"people": {"city": "(" * 5000}}, "is not one expression"),
        ({"people": {"__filter__": "a ="}}, "`stream_maps.people.__filter__` is not one expression"),
    ],
)
def test_p9_stream_maps_of_another_form_are_told(maps, said):
    with pytest.raises(ConfigurationError, match=said):
        check_stream_maps(maps)


def test_stream_maps_of_the_right_form_pass():
    check_stream_maps(None)
    check_stream_maps(
        {"__else__": None, "a": None, "b": "__NULL__", "c": {"x": None, "y": "z", "__else__": "__NULL__"}}
    )
    check_stream_maps({"c": {"__alias__": "crm people", "__source__": "raw-people", "__filter__": "a == 'b'"}})


def test_names_of_settings_that_there_are_not_are_listed_in_part():
    assert unknown_settings({"lsit": 1, "lisst_of": 1, "list": 2}, ["list", "list_of_it"]) == (
        "lisst_of. Did you mean 'list_of_it'?"
    )
    assert unknown_settings({"list": 2}, ["list"]) == ""
    many = unknown_settings({f"unknown{number:04}": 1 for number in range(5000)}, ["list"])
    assert many.endswith("unknown0019, and 4980 more.")
