"""The image's command, with a tap and a target that are scripts: the bookmark, the exit status, and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

DELIVER = Path(__file__).parents[2] / "deploy" / "deliver"
STATE = '{"number":1}\n'


class Deliver:
    """The command in a folder of its own, with these scripts as its plugins."""

    def __init__(self, folder):
        self.folder = folder
        self.state = folder / "state" / "state.json"
        self.state.parent.mkdir()
        (folder / "bin").mkdir()
        self.program("tap-mailing")
        self.program("target-mailing", "cat >/dev/null")

    def program(self, name, script=""):
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\nprintf '%s\\n' \"$@\" >'{self.folder}/{name}.arguments'\n{script}\n")
        path.chmod(0o755)

    def start(self, *options):
        environ = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "STATE_FOLDER": str(self.state.parent)}
        return subprocess.Popen(["bash", DELIVER, *options], env=environ, stdin=subprocess.DEVNULL)

    def run(self, *options):
        return self.start(*options).wait(timeout=30)

    def arguments(self, name):
        return (self.folder / f"{name}.arguments").read_text().splitlines()


@pytest.fixture
def deliver(tmp_path):
    return Deliver(tmp_path)


def test_p3_the_last_whole_state_is_kept_and_given_to_the_next_run(deliver):
    deliver.program("target-mailing", f"""cat; echo '{{"number":0}}'; echo '{STATE.strip()}'; printf '{{"number":2'""")
    assert deliver.run("--catalog=a file.json") == 0
    assert deliver.arguments("tap-mailing") == ["--config=ENV", "--catalog=a file.json"]
    assert deliver.arguments("target-mailing") == ["--config=ENV"]
    assert deliver.state.read_text() == STATE
    assert [*deliver.state.parent.iterdir()] == [deliver.state]
    deliver.program("target-mailing", """cat; echo '{"number":2}'""")
    before = deliver.folder / "before.json"
    before.hardlink_to(deliver.state)
    assert deliver.run("--catalog=a file.json") == 0
    assert deliver.arguments("tap-mailing") == ["--config=ENV", f"--state={deliver.state}", "--catalog=a file.json"]
    assert deliver.state.read_text() == '{"number":2}\n'
    assert before.read_text() == STATE  # the file was replaced, and never half written


def test_an_empty_state_is_none(deliver):
    deliver.state.touch()
    assert deliver.run() == 0
    assert deliver.arguments("tap-mailing") == ["--config=ENV"]


@pytest.mark.parametrize(("tap", "target", "status"), [(0, 0, 0), (3, 0, 3), (0, 4, 4), (3, 4, 4)])
def test_the_exit_status_is_the_targets_or_else_the_taps(deliver, tap, target, status):
    deliver.program("tap-mailing", f"exit {tap}")
    deliver.program("target-mailing", f"cat; echo '{STATE.strip()}'; exit {target}")
    assert deliver.run() == status
    assert deliver.state.read_text() == STATE


def test_p9_a_state_that_cannot_be_kept_fails_the_run(deliver):
    deliver.program("target-mailing", f"cat; echo '{STATE.strip()}'")
    deliver.state.parent.rmdir()
    assert deliver.run() != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_p3_a_signal_reaches_both_plugins_and_their_last_state_is_kept(deliver, number):
    wait = "while :; do read -r -t 0.02 <> <(:); done"
    deliver.program("tap-mailing", f"trap 'touch {deliver.folder}/tap; exit 143' TERM; {wait}")
    end = f"end() {{ echo '{STATE.strip()}'; exit 143; }}; trap end TERM"
    deliver.program("target-mailing", f"{end}; touch {deliver.folder}/begun; {wait}")
    process = deliver.start()
    try:
        while not ((deliver.folder / "begun").exists() and (deliver.folder / "tap-mailing.arguments").exists()):
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(number)
        assert process.wait(timeout=20) == 143
    finally:
        process.kill()
    assert (deliver.folder / "tap").exists()
    assert deliver.state.read_text() == STATE
