"""GitHub's workflows run Makefile targets, and `.ci/run` runs the same ones."""

from __future__ import annotations

import re
import runpy
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
#: Too slow for `.ci/run`.
GITHUB_ONLY = {"coverage"}


def commands(workflow: Path) -> list[str]:
    """Each command, with what the job's matrix says in place of a variable."""
    jobs: dict[str, Any] = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    found: list[str] = []
    for job in jobs.values():
        targets = job.get("strategy", {}).get("matrix", {}).get("target", [""])
        runs = [step["run"].strip() for step in job["steps"] if "run" in step]
        found += [run.replace('"$TARGET"', target) for run in runs for target in targets]
    return found


def test_every_command_is_a_makefile_target_that_ci_runs():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    run_by_ci = set(re.findall(r"\bmake ([a-z-]+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8")))
    run_by_github = {command for workflow in WORKFLOWS for command in commands(workflow)}
    assert all(re.fullmatch(r"make [a-z-]+( EVERY=1)?", command) for command in run_by_github)
    named = {command.split()[1] for command in run_by_github}
    assert named <= targets
    assert named - GITHUB_ONLY == run_by_ci


def test_every_action_is_pinned_by_commit():
    used = [
        line for workflow in WORKFLOWS for line in workflow.read_text(encoding="utf-8").splitlines() if "uses:" in line
    ]
    assert used
    assert all(re.search(r"@[0-9a-f]{40} # v\d", line) for line in used)


@pytest.mark.parametrize(("locked", "code"), [(version("pytest"), 0), ("0.1", 1)])
def test_versions_other_than_the_locked_ones_are_told_by_the_exit_code(monkeypatch, capsys, tmp_path, locked, code):
    lock = tmp_path / "dev.txt"
    lock.write_text(f"pytest=={locked} \\\n    --hash=sha256:0\n")
    main = runpy.run_path(str(ROOT / "requirements" / "moved.py"))["main"]
    monkeypatch.setitem(main.__globals__, "LOCK", lock)
    monkeypatch.setattr(sys, "argv", ["moved.py", "--only-same"])
    assert main() == code
    assert ("pytest 0.1 -> " in capsys.readouterr().out) == bool(code)
    monkeypatch.setattr(sys, "argv", ["moved.py"])
    assert main() == 0
