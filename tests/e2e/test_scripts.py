"""The scripts of the examples, with programs that only note how they were called: order, failures, and what is left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PLACES = ("mailjet", "ses_contacts", "ses_suppressions", "postgrid")


class Scripts:
    """A folder with programs of the same names as the real ones, each of which notes its name, and then does this."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "calls"
        (folder / "bin").mkdir()

    def program(self, name, script):
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\necho {name} >>'{self.log}'\n{script}\n")
        path.chmod(0o755)

    def run(self, script, *arguments, **environ):
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return subprocess.run(
            ["/bin/sh", script, *arguments],
            env={"PATH": path, "LANG": "C", **environ},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    @property
    def calls(self):
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def scripts(tmp_path):
    return Scripts(tmp_path)


@pytest.fixture
def history(scripts):
    """The folder of history files, and how they are loaded."""
    folder = scripts.folder / "my history"
    folder.mkdir()
    scripts.program("target-postgres", f"cat >'{scripts.folder}/loaded'; exit ${{STATUS:-0}}")
    load = EXAMPLES / "history_in_postgresql" / "load.sh"
    return folder, lambda **environ: scripts.run(load, str(folder), "warehouse.json", **environ)


def test_histories_are_loaded_in_order_and_moved(scripts, history):
    folder, load = history
    for name in ("2", "1", "3"):
        (folder / f"history-{name}.singer").write_text(f"{name}\n")
    (folder / ".history-4.singer").write_text("under way\n")
    assert load().stdout == "Files loaded: 3\n"
    assert (scripts.folder / "loaded").read_text() == "1\n2\n3\n"
    assert {path.name for path in (folder / "loaded").iterdir()} == {f"history-{name}.singer" for name in "123"}
    assert load().stdout == "No history to load\n"
    assert scripts.calls == ["target-postgres"]


def test_histories_stay_where_the_loader_fails(history):
    folder, load = history
    (folder / "history-1.singer").write_text("1\n")
    assert load(STATUS="3").returncode == 3
    assert (folder / "history-1.singer").exists()


def test_p9_a_history_that_cannot_be_read_is_named_and_nothing_is_loaded(scripts, history):
    folder, load = history
    (folder / "history-1.singer").write_text("1\n")
    (folder / "history-2.singer").symlink_to(folder / "gone")
    done = load()
    assert done.returncode == 1
    assert done.stderr == f"Cannot be read: {folder}/history-2.singer\n"
    assert scripts.calls == []


@pytest.fixture
def cycle(scripts):
    """One cycle of opt-outs, in a copy of the example."""
    example = scripts.folder / "my copy"
    shutil.copytree(EXAMPLES / "one_opt_out_everywhere", example)
    sent = "".join(f"""echo '{{"type":"RECORD","stream":"opt_outs-to_{place}"}}'; """ for place in PLACES)
    scripts.program("tap-mailing", "echo read; exit ${READING:-0}")
    scripts.program("psql", "exit ${DATABASE:-0}")
    scripts.program("target-postgres", f"cat >'{scripts.folder}/read'; exit ${{LOADING:-0}}")
    scripts.program("tap-postgres", f"{sent} exit ${{SENDING:-0}}")
    modes = f"stat -c %a '{example}'/cycle.tmp '{example}'/cycle.tmp/* >'{scripts.folder}/modes'"
    deliver = f"""echo "$2" "$(cat)" >>'{scripts.folder}/sent'; case "$2" in *"$BAD.json") exit 1;; esac"""
    scripts.program("target-mailing", f"{modes}; {deliver}")

    def run(**environ):
        return scripts.run(example / "cycle.sh", WAREHOUSE_URL="postgresql://nowhere", **{"BAD": "none"} | environ)

    run.folder = example / "cycle.tmp"
    return run


READING = ["tap-mailing"]
RECORDING = [*READING, "psql", "target-postgres", "psql"]
SENDING = [*RECORDING, "tap-postgres"]


def test_a_cycle_reads_records_and_sends_to_each_what_is_its_own_and_leaves_nothing(scripts, cycle):
    done = cycle()
    assert done.returncode == 0, done.stderr
    assert scripts.calls == SENDING + ["target-mailing"] * 4
    assert (scripts.folder / "read").read_text() == "read\n"
    for place, line in zip(PLACES, (scripts.folder / "sent").read_text().splitlines(), strict=True):
        setting, record = line.split(".json ", 1)
        assert setting.endswith(f"/{place}")
        assert record == f'{{"type":"RECORD","stream":"opt_outs-to_{place}"}}'
    assert {*(scripts.folder / "modes").read_text().split()} == {"700", "600"}
    assert not cycle.folder.exists()


@pytest.mark.parametrize(
    ("failing", "calls"),
    [("READING", READING), ("DATABASE", [*READING, "psql"]), ("LOADING", RECORDING[:3]), ("SENDING", SENDING)],
)
def test_p6_after_a_failure_nothing_further_is_done_and_nothing_is_left(scripts, cycle, failing, calls):
    assert cycle(**{failing: "1"}).returncode != 0
    assert scripts.calls == calls
    assert not cycle.folder.exists()


@pytest.mark.parametrize("stopped_by", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_p7_a_cycle_that_is_stopped_leaves_nothing(scripts, cycle, stopped_by):
    scripts.program("tap-mailing", f"kill -{stopped_by.value} $PPID")
    assert cycle().returncode == 128 + stopped_by
    assert scripts.calls == READING
    assert not cycle.folder.exists()


@pytest.mark.parametrize("bad", PLACES)
def test_where_one_provider_cannot_be_written_to_the_others_are_told(scripts, cycle, bad):
    assert cycle(BAD=bad).returncode == 1
    assert scripts.calls.count("target-mailing") == 4


def test_a_cycle_cleans_up_after_a_killed_one(cycle):
    cycle.folder.mkdir()
    (cycle.folder / "read.singer").write_text("canary")
    assert cycle().returncode == 0
    assert not cycle.folder.exists()
