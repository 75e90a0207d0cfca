"""Write the plugin definitions for Meltano, from the plugins' own `--about`.

`make definitions` writes two files per plugin to plugins/, and a test compares them with the code: a definition for
`meltano add --from-ref`, and a lock file, from which Meltano reads the settings of a plugin that `meltano.yml` names
with `variant: tap-target-mailing`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from singer_sdk.about import AboutFormatter
from singer_sdk.plugin_base import PluginBase

from tap_mailing.registry import PROVIDERS
from tap_mailing.tap import TapMailing
from target_mailing.target import TargetMailing

ROOT = Path(__file__).parents[1]
PLUGINS: dict[str, type[PluginBase]] = {"extractors": TapMailing, "loaders": TargetMailing}
VARIANT = "tap-target-mailing"
#: One of these groups is enough for a tap to read something.
ENOUGH_FOR_A_TAP = [[one.name for one in group] for provider in PROVIDERS for group in provider.required]
KINDS = {"integer": "integer", "number": "decimal"} | {one: one for one in ("boolean", "object", "array", "string")}
HEAD = "# Written by `make definitions`; add it to a project by `meltano add --from-ref FILE {name}`.\n"


def about(plugin: type[PluginBase]) -> dict[str, Any]:
    """Return what `--about --format=json` prints."""
    text = AboutFormatter.get_formatter("json").format_about(plugin._get_about_info())  # noqa: SLF001
    found: dict[str, Any] = json.loads(text)
    return found


def kind(name: str, schema: dict[str, Any]) -> str:
    """Return Meltano's kind of a setting; a value of several types is passed on unchanged, as a string."""
    types = [one for one in schema["type"] if one != "null"]
    if name == "start_date":
        return "date_iso8601"
    if "enum" in schema:
        return "options"
    return KINDS[types[0]] if len(types) == 1 else "string"


def setting(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return Meltano's definition of a setting.

    It has no default value: Meltano would pass that on, and the plugin would treat it as the user's own.
    """
    found: dict[str, Any] = {"name": name, "label": schema["title"], "kind": kind(name, schema)}
    if schema.get("secret"):
        found["sensitive"] = True
    if "enum" in schema:
        found["options"] = [{"label": one, "value": one} for one in schema["enum"] if one is not None]
    if isinstance(schema.get("default"), str | int | float):
        found["placeholder"] = json.dumps(schema["default"]).strip('"')
    return found | {"description": schema["description"]}


def definition(plugin: type[PluginBase]) -> dict[str, Any]:
    """Return Meltano's definition of a plugin."""
    told = about(plugin)
    name = told["name"]
    settings = [setting(*one) for one in told["settings"]["properties"].items()]
    found = {
        "name": name,
        "namespace": name.replace("-", "_"),
        "label": "Mailing providers",
        "description": told["description"],
        "pip_url": "-e ./tap-target-mailing[ses]",
        "executable": name,
        "capabilities": sorted(told["capabilities"]),
        "settings": settings,
    }
    if "catalog" in told["capabilities"]:
        found["settings_group_validation"] = ENOUGH_FOR_A_TAP
    return found


def definition_text(plugin: type[PluginBase]) -> str:
    """Return the definition of a plugin for `meltano add --from-ref`."""
    found = definition(plugin)
    head = HEAD.format(name=found["name"])
    return head + str(yaml.safe_dump(found, sort_keys=False, allow_unicode=True, width=120))


def lock_text(section: str) -> str:
    """Return the lock file of a plugin."""
    found = {"plugin_type": section, "variant": VARIANT, **definition(PLUGINS[section])}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    """Return the contents of all files by their paths."""
    texts: dict[Path, str] = {}
    for section, plugin in PLUGINS.items():
        folder = ROOT / "plugins" / section
        texts[folder / f"{plugin.name}.meltano.yml"] = definition_text(plugin)
        texts[folder / f"{plugin.name}--{VARIANT}.lock"] = lock_text(section)
    return texts


def main() -> None:
    """Write the files."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
