"""The definitions in plugins/ have the settings of the code, and all projects of this repository use them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_mailing.tap import TapMailing
from tools.definitions import PLUGINS, VARIANT, definition, files

ROOT = Path(__file__).parents[2]
EXAMPLES = {one.parent.name: yaml.safe_load(one.read_text("utf-8")) for one in ROOT.glob("examples/*/meltano.yml")}
PROJECT = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
#: What may stand for a secret: a variable, or what the sandbox has for a key.
ALLOWED = ("$", "test_sk_sandbox")

each_plugin = pytest.mark.parametrize("section", PLUGINS)
each_project = pytest.mark.parametrize("project", [PROJECT, *EXAMPLES.values()], ids=["this repository", *EXAMPLES])
each_example = pytest.mark.parametrize("example", EXAMPLES)


def declared(section: str) -> dict[str, Any]:
    name = PLUGINS[section].name
    return next(plugin for plugin in PROJECT["plugins"][section] if plugin["name"] == name)


def told(settings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What Meltano needs to know of settings, without their words."""
    kept = ("name", "kind", "sensitive")
    return [
        {key: setting[key] for key in kept if key in setting}
        | {"options": [option["value"] for option in setting.get("options", [])]}
        for setting in settings
    ]


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_the_definitions_are_those_of_the_code(path):
    assert path.read_text(encoding="utf-8") == files()[path], "run `make definitions`"


@pytest.mark.slow
@each_plugin
def test_meltano_reads_a_lock_file(section):
    from meltano.core.plugin.base import PluginDefinition, StandalonePlugin

    [path] = (ROOT / "plugins" / section).glob("*.lock")
    read = PluginDefinition.from_standalone(StandalonePlugin.parse(json.loads(path.read_text("utf-8"))))
    assert told(read.canonical()["settings"]) == told(definition(PLUGINS[section])["settings"])


@each_plugin
def test_secrets_are_sensitive_and_no_default_is_passed_on(section):
    schema = PLUGINS[section].config_jsonschema["properties"]
    settings = definition(PLUGINS[section])["settings"]
    sensitive = {setting["name"] for setting in settings if setting.get("sensitive")}
    assert sensitive == {name for name, one in schema.items() if one.get("secret")}
    assert sensitive
    assert not any("value" in setting for setting in settings)


@pytest.mark.slow
@each_plugin
def test_meltano_reads_a_definition(section):
    """As `meltano add --from-ref` does."""
    from meltano.core.plugin.base import PluginDefinition

    written = definition(PLUGINS[section])
    read = PluginDefinition.parse({"plugin_type": section, **written}).canonical()
    assert {key: read[key] for key in written if key != "settings"} == {
        key: value for key, value in written.items() if key != "settings"
    }
    assert told(read["settings"]) == told(written["settings"])


@each_plugin
def test_every_setting_has_a_short_label(section):
    labels = [setting["label"] for setting in definition(PLUGINS[section])["settings"]]
    assert all(1 <= len(label) <= 40 for label in labels)


@each_plugin
def test_capabilities_are_those_of_the_plugin(section):
    assert set(definition(PLUGINS[section])["capabilities"]) == {one.value for one in PLUGINS[section].capabilities}


def plugins_of(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The plugins of a project; those of this repository with what their lock file says."""
    return {
        plugin["name"]: (definition(PLUGINS[section]) if plugin.get("variant") == VARIANT else {}) | plugin
        for section in PLUGINS
        for plugin in project["plugins"].get(section, [])
    }


def configured(project: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each plugin that a configuration is for, with it; of one that inherits, what it inherits from."""
    plugins = plugins_of(project)
    given = [*plugins.values()]
    for environment in project["environments"]:
        for section in ("extractors", "loaders"):
            given += environment.get("config", {}).get("plugins", {}).get(section, [])
    for one in given:
        plugin = plugins[one["name"]]
        yield plugins[plugin.get("inherit_from", plugin["name"])], one.get("config", {})


@each_project
def test_configuration_sets_declared_settings_only(project):
    for plugin, config in configured(project):
        assert set(config) <= {setting["name"] for setting in plugin["settings"]}, plugin["name"]


@each_project
def test_no_secret_stands_in_the_file(project):
    for plugin, config in configured(project):
        secrets = {setting["name"] for setting in plugin["settings"] if setting.get("sensitive")} - {"journal"}
        assert all(str(config[name]).startswith(ALLOWED) for name in secrets & config.keys()), plugin["name"]


@each_example
def test_an_example_declares_plugins_and_settings_as_this_repository(example):
    ours = plugins_of(PROJECT)
    for name, plugin in plugins_of(EXAMPLES[example]).items():
        if "inherit_from" in plugin or name not in ours:
            continue
        assert all(plugin[key] == ours[name][key] for key in ("namespace", "executable", "capabilities")), name
        assert [one for one in ours[name]["settings"] if one in plugin["settings"]] == plugin["settings"], name
        if plugin.get("variant") != VARIANT:
            assert plugin["pip_url"] == ours[name]["pip_url"]


@each_example
def test_the_tasks_of_an_example_name_its_plugins(example):
    tasks = [task for job in EXAMPLES[example].get("jobs", []) for task in job["tasks"]]
    readme = (ROOT / "examples" / example / "README.md").read_text(encoding="utf-8")
    jobs = {job["name"] for job in EXAMPLES[example].get("jobs", [])}
    runs = re.findall(r"meltano (?:--environment=\w+ )?run ([\w -]+)", readme)
    assert runs
    assert {name for text in (*tasks, *runs) for name in text.split()} <= plugins_of(EXAMPLES[example]).keys() | jobs


@each_example
def test_variables_of_an_example_are_given_by_the_playground_or_told_by_its_readme(example):
    folder = ROOT / "examples" / example
    sandbox, prod = EXAMPLES[example]["environments"]
    shared = yaml.safe_dump(EXAMPLES[example]["plugins"])
    given = (ROOT / "examples" / "demo" / "playground.py").read_text(encoding="utf-8")
    assert set(re.findall(r"\$(\w+)", yaml.safe_dump(sandbox))) <= set(re.findall(r'"(SANDBOX_\w+)":', given))
    assert not re.findall(r"\$\w+", shared)
    told = set(re.findall(r"`([A-Z0-9_]{5,})`", (folder / "README.md").read_text(encoding="utf-8")))
    written = set(re.findall(r"^#?([A-Z0-9_]+)=", (folder / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\$(\w+)", yaml.safe_dump(prod))) <= written
    assert written <= told


def test_streams_that_leave_a_trace_or_take_a_call_for_each_row_are_left_out():
    """Meltano would select them, whatever the tap's own default is."""
    left_out = [rule[1:].rpartition(".")[0] for rule in declared("extractors")["select"] if rule.startswith("!")]
    streams = TapMailing(validate_config=False, setup_mapper=False).discover_streams()
    unselected = {stream.name for stream in streams if not stream.selected_by_default}
    assert unselected
    assert {stream.name for stream in streams if any(fnmatch(stream.name, rule) for rule in left_out)} == unselected


@pytest.mark.parametrize(
    "file", [ROOT / ".env.example", *sorted(ROOT.glob("examples/*/.env.example"))], ids=lambda file: file.parent.name
)
def test_no_setting_is_empty_in_a_file_to_be_copied(file):
    """Meltano takes an empty variable for a value, which goes before that of meltano.yml."""
    empty = re.findall(r"^((?:TAP|TARGET)_MAILING\w*)=\s*$", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert empty == []
