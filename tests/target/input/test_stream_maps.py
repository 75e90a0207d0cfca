"""An expression of a stream map that fails on a row: the setting, the line and the kind of failure are told."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.mapper import PluginMapper, RemoveRecordTransform

from mailing_api.errors import ConfigurationError
from target_mailing.input.stream_maps import StreamMaps

COLUMNS = {name: {"type": ["string", "null"]} for name in ("id", "name", "city")}
ROW = {"id": "1", "name": "Canary Name", "city": None}


def maps_of(given, name="people"):
    config = {"stream_maps": {name: given}}
    maps = StreamMaps(PluginMapper(plugin_config=config, logger=logging.getLogger("tests")), config)
    maps.register("people", {"type": "object", "properties": COLUMNS}, ["id"])
    return maps


@pytest.mark.parametrize(
    ("column", "expression", "told"),
    [
        ("x", "city.title()", r"\(AttributeDoesNotExist\).*may be null"),
        ("x", "city + name", r"\(TypeError\).*may be null"),
        ("x", "record['town']", r"\(KeyError\)"),
        ("x", "town", r"\(NameNotDefined\), since it uses a name that the row does not have"),
        ("name", "int(name)", r"\(ValueError\)"),
        ("x", "1 / 0", r"\(ZeroDivisionError\)"),
        ("x", "nofunc(name)", r"\(FunctionNotDefined\)"),
        ("x", "name * 100000000", r"\(IterableTooLong\)"),
        ("x", "json.loads(name)", r"\(JSONDecodeError\)"),
        ("x", "datetime.date.fromisoformat(name)", r"\(ValueError\)"),
        ("x", "name.__class__", r"\(FeatureNotAvailable\)"),
        ("__filter__", "city.lower() == name", r"\(AttributeDoesNotExist\)"),
    ],
)
def test_p9_an_expression_that_fails_on_a_row_is_named_with_its_line(column, expression, told):
    with pytest.raises(ConfigurationError, match=told) as raised:
        maps_of({column: expression}).transformed("people", ROW, 17)
    assert f"`stream_maps.people.{column}`: the expression failed on the row in line 17" in str(raised.value)
    assert "Canary" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_rows_that_an_expression_takes_pass():
    assert maps_of({"name": "name.upper()"}).transformed("people", ROW, 1) == [{**ROW, "name": "CANARY NAME"}]


@pytest.mark.parametrize("alias", ["1 + 1", "''", "None", "[1]"])
def test_p9_an_alias_that_is_no_name_is_told(alias):
    with pytest.raises(ConfigurationError, match="the `__alias__` of stream 'people'"):
        maps_of({"__alias__": alias})


@pytest.mark.parametrize(("name", "told"), [("persons", True), ("people", False), ("peo*", False)])
def test_a_map_whose_stream_did_not_come_is_told(caplog, name, told):
    maps_of({"city": "name"}, name=name).warn_of_unused()
    warning = f"there is no stream for '{name}'; there are: 'people'."
    assert (warning in caplog.text) is told


def test_a_map_of_another_source_is_not_told(caplog):
    maps_of({"__source__": "people"}, name="vip").warn_of_unused()
    assert "there is no stream" not in caplog.text


NAMES = st.sampled_from(["a", "b", "ab", "a*", "?", "*", "[ab]", "c"])
MAPS = st.one_of(
    st.none(),
    st.just("__NULL__"),
    st.just({}),
    st.builds(lambda name: {"__source__": name}, NAMES),
    st.builds(lambda name: {"__alias__": f"'{name}'"}, st.sampled_from(["a", "b", "x"])),
)


@settings(max_examples=50)
@given(maps=st.dictionaries(NAMES, MAPS), stream=st.sampled_from(["a", "b", "ab", "[ab]"]), rest=st.booleans())
def test_a_stream_is_excluded_if_the_sdk_removes_all_of_its_records(maps, stream, rest):
    config = {"stream_maps": maps | ({"__else__": None} if rest else {})}
    mapper = PluginMapper(plugin_config=config, logger=logging.getLogger("tests"))
    mapper.register_raw_stream_schema(stream, {"type": "object", "properties": COLUMNS}, [])
    removed = all(isinstance(one, RemoveRecordTransform) for one in mapper.stream_maps[stream])
    assert StreamMaps(mapper, config).excludes(stream) is removed
