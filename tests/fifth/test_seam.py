"""Example Mail needs no change to any module: nothing outside its folder knows it, and it is found where installed."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from target_mailing.interface.registry import PROVIDERS
from tests.fork_server import FORKS, ROOT

FOLDER = Path(__file__).parent
PACKAGES = ("mailing_api", "tap_mailing", "target_mailing", "mailing_sandbox")
NAMES = ("examplemail", "example mail", "example_mail")
COMMANDS = ("tap_mailing", "target_mailing")


def test_no_module_outside_its_folder_knows_its_name():
    modules = [path for room in (*PACKAGES, "tools", "plugins") for path in (ROOT / room).rglob("*") if path.is_file()]
    modules += [path for path in (ROOT / "tests").rglob("*.py") if FOLDER not in path.parents]
    modules += [ROOT / "pyproject.toml", ROOT / "meltano.yml"]
    known = [path for path in modules if path.suffix != ".pyc" and _names_it(path)]
    assert known == []
    assert "examplemail" not in {provider.name for provider in PROVIDERS}


def _names_it(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace").lower()
    return any(name in text for name in NAMES)


def test_it_uses_what_providers_share_and_no_provider_of_ours():
    ours = {provider.name for provider in PROVIDERS} | {"mpdx"}
    for path in (FOLDER / "package").rglob("*.py"):
        imported = _imported(path)
        assert not {part for name in imported for part in name.split(".")} & ours, path
        rooms = {name.partition(".")[0] for name in imported} & {*PACKAGES}
        assert "mailing_sandbox" not in rooms
        assert not rooms >= {"tap_mailing", "target_mailing"}, "neither loads the other"


def test_the_document_counts_its_lines():
    rows = re.findall(
        r"^\| `(\w+\.py)` \| (\d+) \|", (ROOT / "docs" / "adding-a-provider.md").read_text(), re.MULTILINE
    )
    modules = [path for path in (FOLDER / "package").rglob("*.py") if path.name != "__init__.py"]
    counted = {path.name: len(path.read_text().splitlines()) for path in modules}
    assert {name: int(lines) for name, lines in rows} == pytest.approx(counted, rel=0.1)


def test_its_emulator_knows_neither_its_package_nor_ours():
    rooms = {name.partition(".")[0] for name in _imported(FOLDER / "emulator.py")}
    assert not rooms & {"examplemail", "mailing_api", "tap_mailing", "target_mailing"}


def _imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names} | {
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module
    }


@pytest.mark.slow
@pytest.mark.parametrize("module", COMMANDS)
def test_its_settings_are_in_about_where_it_is_installed_and_only_there(forks, module):
    own = {"tap_mailing": "examplemail_include_opted_out", "target_mailing": "examplemail_duplicates"}[module]
    settings = [_settings(server, module) for server in (forks, FORKS)]
    assert settings[0].keys() - settings[1].keys() == {
        "examplemail_api_token", "examplemail_base_url", "examplemail_account", own
    }  # fmt: skip
    assert settings[0]["examplemail_api_token"]["secret"]
    changed = {name for name, setting in settings[1].items() if settings[0][name] != setting}
    numbers = {"batch_rows", "jobs_in_flight"}  # each provider has its own
    assert changed == ({"destination", *numbers} if module == "target_mailing" else set())


def _settings(server, module):
    done = server.run(module, "--about", "--format=json", text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["settings"]["properties"]


@pytest.mark.slow
def test_its_contacts_go_to_no_list_of_letters(forks, world):
    """By its declaration: they have e-mail addresses only."""
    message = {
        "type": "SCHEMA", "stream": "examplemail_contacts", "key_properties": ["id"],
        "schema": {"type": "object", "properties": {name: {"type": ["string", "null"]} for name in ("id", "email")}},
    }  # fmt: skip
    settings = {"postgrid_api_key": "test_sk_x", "postgrid_base_url": world.sandbox.url, "list": "L"}
    result = world.run(
        "target_mailing", text=json.dumps(message) + "\n",
        **settings, examplemail_api_token=None, examplemail_base_url=None, journal="off",
    )  # fmt: skip
    assert result.code == 1
    assert "it has people with e-mail addresses, and no postal addresses" in result.log
