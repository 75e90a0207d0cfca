"""The pages that walk through a project: each command and file in them works in the playground as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.exhaustive

ROOT = Path(__file__).parents[2]
PLAYGROUND = (sys.executable, ROOT / "examples" / "demo" / "playground.py")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def script(page: str) -> str:
    """The files and commands of a page, for a folder that has its links already, as a shell script."""
    steps: list[str] = []
    before, *blocks = FENCE.split(page)
    for language, text, after in zip(*(iter(blocks),) * 3, strict=True):
        saved = re.search(r"Save this as `([\w.]+)`.*\n\n\Z", before)
        before = after
        if saved:
            steps.append(f"cat > {saved[1]} <<'END_OF_FILE'\n{text}END_OF_FILE\n")
        elif not language and not text.startswith(("make playground", "mkdir ", " ")):
            steps.append(text)
    return "".join(steps)


def shown(page: str) -> list[str]:
    """The lines of output that a page shows, up to what differs from run to run."""
    blocks = [text for language, text in FENCE.findall(page) if language == "text"]
    lines = [line.strip() for block in blocks for line in block.splitlines() if "=" not in line]
    return [line for line in lines if "..." not in line and not line.startswith("-")]


@pytest.mark.parametrize("name", ["provider-to-warehouse", "warehouse-to-provider", "csv-files"])
def test_a_walk_works_as_its_page_says(tmp_path, name):
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    project = tmp_path / "my project"
    project.mkdir()
    (project / "tap-target-mailing").symlink_to(ROOT)
    (project / "plugins").symlink_to(ROOT / "plugins")
    steps = script(page)
    assert steps.count("meltano run") >= 2
    done = subprocess.run(
        [*PLAYGROUND, "bash", "-ec", steps], cwd=project, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    for line in shown(page):
        assert " ".join(line.split()) in said, line
