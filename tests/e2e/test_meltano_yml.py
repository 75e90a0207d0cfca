"""meltano.yml names every setting of the two plugins, as the code has it."""

from __future__ import annotations

import copy
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_mailing.tap import TapMailing
from target_mailing.target import TargetMailing

PROJECT = yaml.safe_load((Path(__file__).parents[2] / "meltano.yml").read_text(encoding="utf-8"))
PLUGINS = {"extractors": TapMailing, "loaders": TargetMailing}
KINDS = {"integer": "integer", "number": "decimal"} | {one: one for one in ("boolean", "object", "array", "string")}
#: What Meltano's kinds cannot say: a value of several types is passed on as it stands.
SEVERAL = "string"

each_plugin = pytest.mark.parametrize("section", PLUGINS)


def declared(section: str) -> dict[str, Any]:
    name = PLUGINS[section].name
    return next(plugin for plugin in PROJECT["plugins"][section] if plugin["name"] == name)


def properties(section: str) -> dict[str, Any]:
    plugin = PLUGINS[section]
    schema = copy.deepcopy(plugin.config_jsonschema)
    plugin.append_builtin_config(schema)
    return schema["properties"]


def kind(name: str, setting: dict[str, Any]) -> str:
    types = [one for one in setting["type"] if one != "null"]
    if name == "start_date":
        return "date_iso8601"
    if "enum" in setting:
        return "options"
    return KINDS[types[0]] if len(types) == 1 else SEVERAL


@each_plugin
def test_settings_are_those_of_the_plugin_in_its_order(section):
    assert [setting["name"] for setting in declared(section)["settings"]] == list(properties(section))


@each_plugin
def test_kinds_fit_the_types(section):
    kinds = {setting["name"]: setting["kind"] for setting in declared(section)["settings"]}
    assert kinds == {name: kind(name, setting) for name, setting in properties(section).items()}


@each_plugin
def test_options_are_the_values_allowed(section):
    options = {
        setting["name"]: [option["value"] for option in setting["options"]]
        for setting in declared(section)["settings"]
        if "options" in setting
    }
    assert options == {
        name: [value for value in setting["enum"] if value is not None]
        for name, setting in properties(section).items()
        if "enum" in setting
    }


@each_plugin
def test_secrets_are_sensitive(section):
    sensitive = {setting["name"] for setting in declared(section)["settings"] if setting.get("sensitive")}
    assert sensitive == {name for name, setting in properties(section).items() if setting.get("secret")}
    assert sensitive


@each_plugin
def test_every_setting_has_a_short_label(section):
    labels = [setting["label"] for setting in declared(section)["settings"]]
    assert all(1 <= len(label) <= 40 for label in labels)


@each_plugin
def test_capabilities_are_those_of_the_plugin(section):
    assert set(declared(section)["capabilities"]) == {one.value for one in PLUGINS[section].capabilities}


@pytest.mark.parametrize("section", ["extractors", "loaders"])
def test_configuration_sets_declared_settings_only(section):
    plugins = {plugin["name"]: plugin for plugin in PROJECT["plugins"][section]}
    configured = [*plugins.values()]
    for environment in PROJECT["environments"]:
        configured += environment.get("config", {}).get("plugins", {}).get(section, [])
    for plugin in configured:
        found = plugins[plugin["name"]]
        parent = plugins[found.get("inherit_from", found["name"])]
        names = {setting["name"] for setting in parent["settings"]}
        assert set(plugin.get("config", {})) <= names


def test_streams_that_leave_a_trace_or_take_a_call_for_each_row_are_left_out():
    """Meltano would select them, whatever the tap's own default is."""
    left_out = [rule[1:].rpartition(".")[0] for rule in declared("extractors")["select"] if rule.startswith("!")]
    streams = TapMailing(validate_config=False, setup_mapper=False).discover_streams()
    unselected = {stream.name for stream in streams if not stream.selected_by_default}
    assert unselected
    assert {stream.name for stream in streams if any(fnmatch(stream.name, rule) for rule in left_out)} == unselected
