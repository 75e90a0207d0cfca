"""Records and STATE through real pipes: whole, whatever happens meanwhile."""

from __future__ import annotations

import array
import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import time
from subprocess import PIPE

import pytest

from tests.fork_server import FORKS

#: Each starts the command as a process.
pytestmark = pytest.mark.slow


def until(look, seconds=15.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if look():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def start(sandbox, tap, tmp_path, *, blocks, unbuffered, arguments=()):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(tap.settings(sandbox)))
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writable, blocks)
    environment = os.environ | ({"PYTHONUNBUFFERED": "1"} if unbuffered else {})
    process = FORKS.start(
        "tap_mailing", f"--config={path}", *arguments,
        stdout=writable, stderr=PIPE, env=environment, fresh=unbuffered and not blocks,
    )  # fmt: skip
    os.close(writable)
    return process, readable


def holds_something(readable, process):
    count = array.array("i", [0])
    fcntl.ioctl(readable, termios.FIONREAD, count)
    return count[0] > 0 or process.poll() is not None


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("unbuffered", [True, False])
@pytest.mark.parametrize("arguments", [(), ("--discover",)])
def test_p6_everything_leaves_whole_while_the_tap_is_stopped_and_continued(  # noqa: PLR0917
    sandbox, tap, tmp_path, blocks, unbuffered, arguments
):
    sandbox.mailjet.add_contacts([{"email": f"person{n}@example.com", "name": "x" * 200} for n in range(300)])
    process, readable = start(sandbox, tap, tmp_path, blocks=blocks, unbuffered=unbuffered, arguments=arguments)
    with process:
        found = b""
        for _ in range(5):
            until(lambda: holds_something(readable, process))
            process.send_signal(signal.SIGSTOP)
            process.send_signal(signal.SIGCONT)
            found += os.read(readable, 3000)
        while piece := os.read(readable, 3000):
            found += piece
        os.close(readable)
        assert process.wait(20) == 0, process.stderr.read()
    messages = [json.loads(found)] if arguments else [json.loads(line) for line in found.splitlines()]
    if not arguments:
        rows = [one for one in messages if one["type"] == "RECORD" and one["stream"] == "mailjet_contacts"]
        assert len({one["record"]["id"] for one in rows}) == len(rows) >= 300
        assert messages[-1]["type"] == "STATE"


@pytest.mark.parametrize("unbuffered", [True, False])
def test_p6_a_file_that_takes_only_a_part_of_the_records_is_a_failed_run(sandbox, tap, tmp_path, unbuffered):
    sandbox.mailjet.add_contacts([{"email": f"person{n}@example.com", "name": "x" * 200} for n in range(300)])
    config, taken = tmp_path / "config.json", tmp_path / "taken"
    config.write_text(json.dumps(tap.settings(sandbox)))
    command = f'ulimit -f 32; exec "{sys.executable}" -m tap_mailing --config "{config}"'
    environment = os.environ | ({"PYTHONUNBUFFERED": "1"} if unbuffered else {})
    with taken.open("wb") as file:
        done = subprocess.run(["sh", "-c", command], stdout=file, stderr=PIPE, env=environment, timeout=30, check=False)
    assert done.returncode == 1
    assert b"Standard output cannot be written (File too large), so the run failed." in done.stderr
    *whole, _ = taken.read_bytes().split(b"\n")
    assert all(json.loads(line) for line in whole)


def test_a_signal_ends_a_tap_that_nobody_reads(sandbox, tap, tmp_path):
    sandbox.mailjet.add_contacts([{"email": f"person{n}@example.com"} for n in range(300)])
    process, readable = start(sandbox, tap, tmp_path, blocks=True, unbuffered=True)
    with process:
        until(lambda: holds_something(readable, process))
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 143
        os.close(readable)
