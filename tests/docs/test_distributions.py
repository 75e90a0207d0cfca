"""The sandbox's own pyproject.toml agrees with that of the plugins, whose extra `sandbox` brings the same packages."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


PLUGINS = project(ROOT)
SANDBOX = project(ROOT / "mailing_sandbox")
#: Parts of uvicorn and of Flask.
BROUGHT = {"h11", "werkzeug"}


def test_the_sandbox_needs_what_its_extra_brings_and_what_the_plugins_need_anyway():
    extra = set(PLUGINS["optional-dependencies"]["sandbox"])
    needed = set(SANDBOX["dependencies"])
    assert extra <= needed
    assert needed - extra <= set(PLUGINS["dependencies"])


def test_the_sandbox_needs_every_package_that_it_imports():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "mailing_sandbox").rglob("*.py")]
    imported = {name for text in sources for name in re.findall(r"^\s*(?:from|import) (\w+)", text, flags=re.MULTILINE)}
    names = {re.match(r"[a-z0-9-]+", one)[0] for one in SANDBOX["dependencies"]}
    assert imported - sys.stdlib_module_names - {"mailing_sandbox"} <= names | BROUGHT


def test_both_have_the_same_version_pythons_and_license():
    for key in ("version", "requires-python", "authors", "license"):
        assert SANDBOX[key] == PLUGINS[key], key
    assert (ROOT / "mailing_sandbox" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_command_is_the_same():
    assert SANDBOX["scripts"] == {"mailing-sandbox": PLUGINS["scripts"]["mailing-sandbox"]}
