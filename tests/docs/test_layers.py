"""Which folder may import which, as docs/design.md draws it; and what `mailing_api` offers to others."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("mailing_api", "tap_mailing", "target_mailing")
GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
PROVIDERS = {name for group in GROUPS.values() for name in group}


def modules_in(source: str) -> set[str]:
    """The modules of our own that a module imports, or takes something from."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {one for one in found if one.partition(".")[0] in {*PACKAGES, "mailing_sandbox"}}


@cache
def imports(package: str) -> dict[str, set[str]]:
    """Module, by its dotted name, to the modules that it imports."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): modules_in(path.read_text(encoding="utf-8"))
        for path in (ROOT / package).rglob("*.py")
    }


def known(package: str, folders: set[str], others: set[str]) -> list[tuple[str, str]]:
    """Modules of some folders of a package, each with a module of the other folders that it imports."""
    return [
        (module, one)
        for module, found in imports(package).items()
        for one in sorted(found)
        if module.split(".")[1] in folders and len(one.split(".")) > 1 and one.split(".")[1] in others
    ]


def test_a_package_imports_only_those_below_it():
    below = {"mailing_api": set(), "tap_mailing": {"mailing_api"}, "target_mailing": {"mailing_api"}}
    for package, allowed in below.items():
        used = {one.partition(".")[0] for found in imports(package).values() for one in found}
        assert used - {package} == allowed


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_no_provider_knows_another_one(package, provider):
    assert known(package, {provider}, PROVIDERS - {provider}) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_what_providers_share_knows_none_of_them(package):
    shared = {module.split(".")[1] for module in imports(package)} - PROVIDERS
    assert known(package, shared, PROVIDERS) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_what_providers_share_names_none_of_them(package):
    """In no string but a docstring: what is shared says of a provider, the provider declares."""
    named = {path: _strings(path) for path in (ROOT / package).rglob("*.py") if not PROVIDERS & {*path.parts}}
    assert {
        path.name: found for path, strings in named.items() if (found := list(filter(_NAMED.search, strings)))
    } == {}


_NAMED = re.compile(rf"\b(?:{'|'.join(PROVIDERS)})(?:\b|_)|Amazon SES", re.IGNORECASE)


def _strings(path: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    documents = {
        id(node.body[0].value)
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
    ]


def test_contacts_and_journal_know_nothing_of_the_delivery():
    assert known("target_mailing", {"contacts", "journal"}, {"delivery"}) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_and_the_modules_beside_them_form_no_circle(package):
    below: dict[str, set[str]] = {}
    for module, found in imports(package).items():
        own = {one.split(".")[1] for one in found if one.startswith(f"{package}.")}
        below.setdefault(module.split(".")[1], set()).update(own - {module.split(".")[1]})
    assert [*TopologicalSorter(below).static_order()]


@pytest.mark.parametrize(
    ("provider", "names"),
    [
        ("mailjet", {"MailjetClient", "MAILJET_SETTINGS", "Job", "CsvImport", "PAGE_SIZE", "TERMINAL_STATUSES"}),
        ("mpdx", {"MpdxClient"}),
        ("postgrid", {"PostgridClient"}),
        ("ses", {"SesClient"}),
    ],
)
def test_a_provider_is_offered_by_its_package(provider, names):
    package = importlib.import_module(f"mailing_api.{provider}")
    assert names <= set(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)


# Sizes


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("package", [*PACKAGES, "mailing_sandbox", "tools", "benchmarks", "examples"])
def test_modules_and_functions_are_short(package):
    for path in (ROOT / package).rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert source.count("\n") <= 400, path
        functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        assert [one.name for one in functions if lines_of(one) > 80] == [], path
