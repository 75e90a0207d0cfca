"""Documents, metadata and CI name the same Pythons; outputs are of one account; shown settings are accepted."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tap_mailing.settings import Options
from tap_mailing.tap import TapMailing
from target_mailing.delivery.reject_limit import reject_limit
from target_mailing.delivery.removal_limit import removal_limit
from target_mailing.settings.settings import resolved
from target_mailing.target import TargetMailing

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*/README.md")]
PYTHON = "Programming Language :: Python :: 3."


def supported() -> list[str]:
    """The Pythons whose tests have to pass on GitHub."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
    tried = re.findall(r"'(3\.\d+)'", jobs["quick"]["continue-on-error"])
    return [one for one in jobs["quick"]["strategy"]["matrix"]["python"] if one not in tried]


@pytest.mark.parametrize("project", ["pyproject.toml", "mailing_sandbox/pyproject.toml"])
def test_the_classifiers_name_the_pythons_that_ci_requires(project):
    metadata = tomllib.loads((ROOT / project).read_text("utf-8"))["project"]
    named = [one.rpartition(" ")[2] for one in metadata["classifiers"] if one.startswith(PYTHON)]
    assert named == supported()
    assert metadata["requires-python"] == f">={named[0]}"


def test_the_documents_name_the_pythons_that_ci_requires():
    named = [re.findall(r"Python (3\.\d+) to (3\.\d+)", (ROOT / page).read_text("utf-8")) for page in PAGES]
    found = [pair for pairs in named for pair in pairs]
    assert len(found) >= 2
    assert set(found) == {(supported()[0], supported()[-1])}


def test_invented_outputs_are_of_one_account_and_a_list_has_one_name():
    names: dict[str, set[str]] = {}
    accounts = set()
    for page in PAGES:
        text = page.read_text("utf-8")
        accounts.update(re.findall(r"mailjet:default:([0-9a-f]{8}):", text))
        for name, number in re.findall(r"(\w+)'? \(mailjet:default:[0-9a-f]{8}:list:(\d+)\)", text):
            names.setdefault(number, set()).add(name)
    assert len(accounts) == 1
    assert len(names) >= 2
    assert all(len(one) == 1 for one in names.values()), names


def test_the_settings_that_are_shown_are_accepted():
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    plugins = yaml.safe_load(example)["plugins"]
    tap, target = (plugins[kind][0]["config"] for kind in ("extractors", "loaders"))
    Options.from_config(TapMailing(config=tap | {"mpdx_token": "token"}).config)
    config = TargetMailing(config=target | {"mailjet_api_key": "key", "mailjet_secret_key": "secret"}).config
    assert len(resolved(config)) == 1 + len(config["streams"])
    reject_limit(config["max_rejected"])
    removal_limit(config["max_removals"])


def test_tables_stand_apart():
    """Not every renderer of Markdown ends a paragraph where a table begins."""
    joined = []
    for page in PAGES:
        lines = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL).splitlines()
        joined += [
            f"{page.name}: {line}"
            for before, line in itertools.pairwise(lines)
            if line.startswith("|") and before.strip() and not before.startswith("|")
        ]
    assert joined == []
