"""The definitions in plugins/, added to an empty project by the real Meltano, declare all settings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.definitions import PLUGINS, VARIANT, definition

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROJECT = """
project_id: empty
send_anonymous_usage_stats: false
default_environment: dev
environments: [{name: dev}]
"""
LOCKED = "plugins: {{{section}: [{{name: {name}, variant: {variant}, pip_url: -e ./tap-target-mailing}}]}}\n"


def meltano(project: Path, *arguments: str) -> str:
    """Run it without access to Meltano Hub."""
    done = subprocess.run(
        [Path(sys.executable).with_name("meltano"), *arguments],
        cwd=project,
        env=os.environ | {"MELTANO_HUB_URL": "http://127.0.0.1:9", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("way", ["from-ref", "lock file"])
@pytest.mark.parametrize("section", PLUGINS)
def test_meltano_shows_all_settings(tmp_path, section, way):
    name = PLUGINS[section].name
    project = tmp_path / "my project"
    project.mkdir()
    if way == "from-ref":
        (project / "meltano.yml").write_text(PROJECT)
        meltano(
            project, "add", "--no-install", "--from-ref", str(ROOT / "plugins" / section / f"{name}.meltano.yml"), name
        )
    else:
        (project / "meltano.yml").write_text(PROJECT + LOCKED.format(section=section, name=name, variant=VARIANT))
        shutil.copytree(ROOT / "plugins", project / "plugins")
    shown = re.findall(r"^(\w+)(?: \(.*\))? \[env: ", meltano(project, "config", "list", "--all", name), re.MULTILINE)
    assert {setting["name"] for setting in definition(PLUGINS[section])["settings"]} <= set(shown)
