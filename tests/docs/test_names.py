"""No message and no document sends anybody to a package index for this project, which is on none."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = "(?:tap-target-mailing|mailing-sandbox)"
#: A requirement that pip would look up by its name: not a path, and not `NAME @ URL`.
LOOKED_UP = re.compile(rf"(?<![\w./-]){NAME}(?:\[|\s*[=<>~]=)|(?:install|pip_url:)\s+(?:-\S+\s+)*['\"]?{NAME}(?!\s*@)")


def test_nobody_is_told_to_install_a_name_that_anybody_could_register():
    rooms = ("mailing_api", "tap_mailing", "target_mailing", "mailing_sandbox", "docs", "examples")
    files = [path for room in rooms for path in (ROOT / room).rglob("*") if path.suffix in {".py", ".md", ".yml"}]
    files += [*ROOT.glob("*.md"), ROOT / "meltano.yml"]
    found = {path.name: LOOKED_UP.findall(path.read_text("utf-8")) for path in files}
    assert {name for name, hits in found.items() if hits} == set()


def test_such_a_requirement_would_be_found():
    for text in (
        "Install tap-target-mailing[ses].",
        "pip install tap-target-mailing",
        "pip_url: tap-target-mailing>=1",
        "pip install mailing-sandbox",
    ):
        assert LOOKED_UP.search(text), text
    for text in ("-e ./tap-target-mailing[ses]", "pip install 'tap-target-mailing @ git+https://…'"):
        assert not LOOKED_UP.search(text), text
