"""One cycle of opt-outs at a time, which a signal ends: the example's script, with stand-ins for what it runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

CYCLE = Path(__file__).parents[2] / "examples" / "one_opt_out_everywhere" / "cycle.sh"
PLACES = ("mailjet", "ses_contacts", "ses_suppressions", "postgrid")
#: Tells its process, and waits until it is killed.
WAITS = 'echo $$ > "$TOLD"; exec sleep 600'
PROGRAMS = {
    "tap-mailing": "",
    "psql": "",
    "target-postgres": "cat > /dev/null",
    "tap-postgres": "".join(f"""echo '{{"stream":"opt_outs-to_{place}"}}'\n""" for place in PLACES),
    "target-mailing": 'grep stream >> "$SENT"',
}

pytestmark = pytest.mark.skipif(shutil.which("flock") is None, reason="there is no program flock")


class Copy:
    """A copy of the script, with programs that do nothing."""

    def __init__(self, folder):
        self.folder = folder
        self.script = Path(shutil.copy(CYCLE, folder))
        self.sent, self.told = folder / "sent", folder / "told"
        os.mkfifo(self.told)
        (folder / "bin").mkdir()
        for name, commands in PROGRAMS.items():
            self.let(name, commands)
        path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
        self.variables = {"PATH": path, "WAREHOUSE_URL": "-", "SENT": str(self.sent), "TOLD": str(self.told)}

    def let(self, name, commands):
        """Let a program do this."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{commands}\n")
        path.chmod(0o700)

    def start(self):
        return subprocess.Popen([self.script], env=self.variables, stderr=subprocess.PIPE, text=True)

    def run(self):
        """The status of a cycle, and what it said."""
        with self.start() as process:
            _, said = process.communicate(timeout=30)
        return process.returncode, said

    @contextmanager
    def waiting(self, name):
        """A cycle that waits for a program; yields it, and the number of the program's process."""
        self.let(name, WAITS)
        with self.start() as process:
            number = int(self.told.read_text())
            try:
                yield process, number
            finally:
                process.kill()
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
                self.let(name, PROGRAMS[name])


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def test_of_cycles_that_start_in_the_same_instant_one_runs(copy):
    copy.let("tap-mailing", 'echo once >> "$SENT"; echo $PPID > "$TOLD"; read -r line < "$TOLD"')
    cycles = [copy.start() for _ in range(5)]
    number = int(copy.told.read_text())
    others = [cycle for cycle in cycles if cycle.pid != number]
    said = [cycle.communicate(timeout=30)[1] for cycle in others]
    copy.told.write_text("end\n")
    (one,) = (cycle for cycle in cycles if cycle not in others)
    one.communicate(timeout=30)
    assert [one.returncode, *(cycle.returncode for cycle in others)] == [0, 1, 1, 1, 1]
    assert all("Another cycle is running" in each for each in said)
    assert copy.sent.read_text().splitlines().count("once") == 1


@pytest.mark.parametrize("name", ["tap-mailing", "target-mailing"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_cycle_and_what_it_runs_at_once(copy, name, number):
    with copy.waiting(name) as (process, running):
        process.send_signal(number)
        process.communicate(timeout=30)
        assert process.returncode == 128 + number
        with pytest.raises(ProcessLookupError):
            os.kill(running, 0)
        assert not (copy.folder / "cycle.tmp").exists()
    assert copy.run()[0] == 0
    assert len(copy.sent.read_text().splitlines()) == len(PLACES)


def test_while_a_program_of_a_killed_cycle_runs_there_is_no_other(copy):
    with copy.waiting("target-postgres") as (process, _):
        process.kill()
        process.wait(30)
        status, said = copy.run()
        assert status == 1
        assert "what a killed one has started" in said
    assert copy.run()[0] == 0


def test_a_program_that_fails_ends_the_cycle_but_for_one_provider_that_cannot_be_written_to(copy):
    copy.let("target-mailing", 'case "$2" in *mailjet*) exit 5;; esac\ngrep stream >> "$SENT"')
    assert copy.run()[0] == 1
    assert len(copy.sent.read_text().splitlines()) == len(PLACES) - 1
    copy.let("psql", "exit 3")
    assert copy.run()[0] == 3
    assert len(copy.sent.read_text().splitlines()) == len(PLACES) - 1
