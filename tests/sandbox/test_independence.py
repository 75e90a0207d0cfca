"""The sandbox must be able to disagree with the clients: it shares no code with them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mailing_sandbox

PACKAGE = Path(mailing_sandbox.__file__).parent
FORBIDDEN = {"mailing_api", "tap_mailing", "target_mailing", "singer_sdk"}


def imports(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_the_scan_sees_every_form_of_import():
    assert imports("import mailing_api.http.client\nif 1:\n    from tap_mailing import tap") == {
        "mailing_api",
        "tap_mailing",
    }


@pytest.mark.slow
def test_the_sandbox_imports_none_of_the_clients():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 20
    assert {file.name: imports(file.read_text()) & FORBIDDEN for file in files} == {file.name: set() for file in files}


def test_only_the_assembly_knows_a_provider():
    general = [file for file in PACKAGE.glob("*.py") if file.name != "server.py"]
    providers = [folder.name for folder in PACKAGE.iterdir() if (folder / "emulator.py").exists()]
    assert {"mailjet", "postgrid", "ses"} <= set(providers)
    named = [(file.name, one) for file in general for one in providers if f"mailing_sandbox.{one}" in file.read_text()]
    assert named == []


def test_no_provider_knows_another():
    for folder in (path.parent for path in PACKAGE.glob("*/emulator.py")):
        others = {f"mailing_sandbox.{path.parent.name}" for path in PACKAGE.glob("*/emulator.py")}
        others.remove(f"mailing_sandbox.{folder.name}")
        assert [(file.name, one) for file in folder.glob("*.py") for one in others if one in file.read_text()] == []
