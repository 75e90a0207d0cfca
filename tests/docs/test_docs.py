"""What README and docs say is what the code does: settings, streams, columns, codes, targets, links, examples."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailing_api.kinds import KINDS, column_schemas
from tap_mailing.tap import TapMailing
from target_mailing.contacts.effects import Effect
from target_mailing.rows.outcome import Outcome
from target_mailing.target import TargetMailing
from tools.definitions import VARIANT

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "examples").glob("*/README.md"))
PLUGINS = {plugin.name: plugin for plugin in (TapMailing, TargetMailing)}
ROOMS = ("mailing_api", "tap_mailing", "target_mailing")
MAY_IMPORT = {
    "mailing_api": {"mailing_api"},
    "tap_mailing": {"tap_mailing", "mailing_api"},
    "target_mailing": {"target_mailing", "mailing_api"},
    "mailing_sandbox": {"mailing_sandbox"},
}
STREAMS = TapMailing(validate_config=False).discover_streams()
IDENTITY = ("provider", "account", "id")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
each_plugin = pytest.mark.parametrize("plugin", PLUGINS)
each_stream = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)


# Reading Markdown


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def lines_with_fences(text: str) -> Iterator[tuple[str, str | None]]:
    """Each line, and the language of the code fence that it is in; None outside of fences."""
    language: str | None = None
    for line in text.splitlines():
        if line.startswith("```"):
            language = None if language is not None else line.removeprefix("```").strip()
        else:
            yield line, language


def headings(text: str) -> list[str]:
    prose = [line for line, language in lines_with_fences(text) if language is None]
    return [line.lstrip("#").strip() for line in prose if line.startswith("#")]


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).lower()
    kept = (one for one in plain if one in " -_" or unicodedata.category(one)[0] in "LN")
    return "".join(kept).replace(" ", "-")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    found: list[str] = []
    inside = False
    for line, language in lines_with_fences(text):
        if language is None and line.startswith("#"):
            inside = line.lstrip("#").strip() == heading
        elif inside:
            found.append(line)
    assert found, f"no section {heading!r}"
    return "\n".join(found)


def table(text: str) -> list[list[str]]:
    """The rows of all tables, without their heads."""
    rows: list[list[str]] = []
    for block in re.split(r"\n(?!\|)", f"\n{text}"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        rows += [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return rows


def code_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def fences(text: str, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, text, flags=re.MULTILINE | re.DOTALL)


def code_of(text: str) -> str:
    """Everything in fences and between backticks."""
    fenced = [line for line, language in lines_with_fences(text) if language is not None]
    prose = [line for line, language in lines_with_fences(text) if language is None]
    return "\n".join([*fenced, *code_in("\n".join(prose))])


README = text_of(ROOT / "README.md")
SETTINGS = text_of(ROOT / "docs" / "settings.md")
MAILJET = text_of(ROOT / "docs" / "mailjet.md")
PROVIDER_PAGES = {name: text_of(ROOT / "docs" / f"{name}.md") for name in sorted({one.provider for one in STREAMS})}
REJECTS = text_of(ROOT / "docs" / "rejects.md")
GUARANTEES = text_of(ROOT / "docs" / "guarantees.md")
DESIGN = text_of(ROOT / "docs" / "design.md")


# Settings


def built_in(plugin: str) -> set[str]:
    """The settings that the SDK adds."""
    schema: dict[str, Any] = {"properties": {}}
    PLUGINS[plugin].append_builtin_config(schema)
    return set(schema["properties"])


def shown(default: Any) -> str:
    if default is None:
        return ""
    if isinstance(default, dict):
        return json.dumps(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


@each_plugin
def test_the_settings_table_is_that_of_the_code(plugin):
    settings = PLUGINS[plugin].config_jsonschema["properties"]
    declared = {name: shown(one.get("default")) for name, one in settings.items() if name not in built_in(plugin)}
    rows = [row for row in table(SETTINGS) if row[1] in {"both", "tap" if plugin == "tap-mailing" else "target"}]
    documented = {name: default.strip("`") for [name], default in ((code_in(row[0]), row[2]) for row in rows)}
    assert documented == declared
    assert len(rows) == len(documented)
    assert all(row[3] for row in rows)


@each_plugin
def test_the_settings_of_the_sdk_are_named(plugin):
    documented = code_in(section(SETTINGS, "Settings of the Singer SDK"))
    assert built_in(plugin) == {name for name in documented if name.islower()}


@each_plugin
def test_settings_named_in_examples_exist(plugin):
    examples = [yaml.safe_load(one) for page in PAGES for one in fences(text_of(page), "yaml")]
    projects = [example["plugins"] for example in examples if "plugins" in example]
    plugins = [one for project in projects for section in project.values() for one in section if one["name"] == plugin]
    assert len(plugins) >= 2
    for one in plugins:
        assert one["variant"] == VARIANT
        assert one.get("config", {}).keys() <= PLUGINS[plugin].config_jsonschema["properties"].keys()


# Streams


def test_the_streams_table_is_what_discovery_finds():
    found = []
    for stream in STREAMS:
        key = f", `{stream.replication_key}`" if stream.replication_key else ""
        found.append(
            [
                f"`{stream.name}`",
                f"`{stream.kind}`" if stream.kind else "",
                {"INCREMENTAL": "incremental", "FULL_TABLE": "full"}[stream.replication_method] + key,
                ", ".join(f"`{one}`" for one in stream.primary_keys),
                "yes" if stream.selected_by_default else "no",
            ]
        )
    rows = table(text_of(ROOT / "docs" / "streams.md"))
    assert sorted(row[:-1] for row in rows) == sorted(found)
    assert all(row[-1] for row in rows)


@each_stream
def test_the_columns_of_a_stream_are_documented(stream):
    shared = column_schemas(KINDS[stream.kind]) if stream.kind else IDENTITY
    own = [name for name in stream.schema["properties"] if name not in shared]
    documented = section(PROVIDER_PAGES[stream.provider], f"`{stream.name}`").partition("Own columns:")[2]
    assert code_in(documented) == own


def test_the_canonical_columns_are_documented():
    rows = table(section(MAILJET, "Canonical columns"))
    documented = {kind: code_in(columns) for [kind], columns in ((code_in(row[0]), row[1]) for row in rows)}
    used = {stream.kind for stream in STREAMS if stream.kind}
    assert documented == {kind: [one for one in column_schemas(KINDS[kind]) if one not in IDENTITY] for kind in used}


@each_stream
def test_a_full_stream_says_why(stream):
    documented = section(PROVIDER_PAGES[stream.provider], f"`{stream.name}`")
    assert ("**In full**" in documented) is (stream.replication_method == "FULL_TABLE")


# Outcomes and codes


def test_the_outcomes_are_documented():
    names = {name for row in table(section(GUARANTEES, "Outcomes")) for name in code_in(row[0])}
    assert names >= {*Outcome, *Effect}


def reject_codes(source: str) -> Iterator[str]:
    """Codes given to RowRejected and Refusal, or to a variable `code`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            if ast.unparse(node.func) in {"RowRejected", "Refusal"}:
                yield ast.literal_eval(node.args[0])
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            names = [one.id for one in node.targets[0].elts if isinstance(one, ast.Name)]
            if names[:1] == ["code"] and isinstance(node.value, ast.Tuple):
                yield ast.literal_eval(node.value.elts[0])


@pytest.mark.slow
def test_the_reject_codes_are_documented():
    sources = [text_of(path) for path in (ROOT / "target_mailing").rglob("*.py")]
    codes = set(chain.from_iterable(map(reject_codes, sources)))
    assert {"bad_address", "unconfirmed", "unknown_key"} <= codes
    assert codes == {code_in(row[0])[0] for row in table(section(REJECTS, "Codes"))}


# Commands, links, names


@each_page
def test_make_targets_exist(page):
    makefile = text_of(ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    named = re.findall(r"(?:^|\n|`)make ([a-z-]+)", code_of(text_of(page)))
    assert set(named) <= targets


def test_the_readme_names_both_commands():
    assert {"make demo", "make test"} <= set(re.findall(r"^make [a-z]+", code_of(README), flags=re.MULTILINE))


@each_page
def test_relative_links_lead_somewhere(page):
    prose = "\n".join(line for line, language in lines_with_fences(text_of(page)) if language is None)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        if fragment:
            assert fragment in {anchor(heading) for heading in headings(text_of(linked))}, target


@each_page
def test_the_site_has_a_place_for_every_page(page):
    assert f": {page.relative_to(ROOT).as_posix()}\n" in text_of(ROOT / "mkdocs.yml")


@each_page
def test_tests_and_modules_that_are_named_exist(page):
    text = text_of(page)
    tests = "\n".join(text_of(path) for path in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"\btest_p\d_\w+", text):
        assert f"def {name}(" in tests, name
    folders = "|".join((*ROOMS, "mailing_sandbox", "tests", "docs", "benchmarks", "examples"))
    for path in re.findall(rf"\b(?:{folders})/[\w/]+\.(?:py|md)\b", text):
        assert (ROOT / path).exists(), path


def test_every_promise_is_documented_and_names_its_tests():
    titles = [heading for heading in headings(GUARANTEES) if re.match(r"P\d ", heading)]
    assert [title[:2] for title in titles] == [f"P{number}" for number in range(1, 10)]
    for title in titles:
        assert f"test_{title[:2].lower()}_" in section(GUARANTEES, title), title


@each_page
def test_no_page_names_a_path_of_this_machine(page):
    text = text_of(page)
    text = re.sub(r"(?<![\w.:/])/(?:opt|var/lib)/mailing\b", "", text)  # folders of the image
    assert not re.findall(r"(?<![\w.:/])/(?:home|root|work|tmp|opt|usr|var|Users)/\S*", text)


@each_page
def test_yaml_examples_parse(page):
    for example in fences(text_of(page), "yaml"):
        assert isinstance(yaml.safe_load(example), dict)


# The rooms


@pytest.mark.parametrize("room", ROOMS)
def test_the_modules_of_a_room_are_documented(room):
    rows = table(section(DESIGN, room))
    paths = [path.relative_to(ROOT / room).as_posix() for path in (ROOT / room).rglob("*.py")]
    modules = {path for path in paths if not path.rpartition("/")[2].startswith("__")}
    assert {code_in(row[0])[0] for row in rows} == modules


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_it_may(room):
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            used = {name.partition(".")[0] for name in names} & MAY_IMPORT.keys()
            assert used <= MAY_IMPORT[room], path
