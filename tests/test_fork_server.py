"""A forked run finds what a fresh interpreter finds, and ends as it does."""

from __future__ import annotations

import os
import signal
import time
from itertools import product
from subprocess import PIPE, TimeoutExpired

import pytest

from tests.fork_server import FORKS, ROOT
from tests.probe import ENDS

pytestmark = pytest.mark.slow

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(("end", "unbuffered"), [*product(ENDS, [""]), ("return", "1"), ("pending output", "1")])
def test_a_forked_run_begins_and_ends_as_a_fresh_one(tmp_path, end, unbuffered):
    environment = ENVIRONMENT | {"PYTHONUNBUFFERED": unbuffered, "OWN": "äöü"}
    fresh, forked = (
        FORKS.run("tests.probe", end, "--x=ü", cwd=tmp_path, env=environment, input=b"", fresh=fresh)
        for fresh in (True, False)
    )
    assert forked.returncode == fresh.returncode
    assert forked.stdout.decode() == fresh.stdout.decode()
    # In a traceback there are frames of the server.
    assert forked.stderr.splitlines()[:1] == fresh.stderr.splitlines()[:1]
    assert forked.stderr.splitlines()[-1:] == fresh.stderr.splitlines()[-1:]


@pytest.mark.parametrize("fresh", [True, False])
def test_several_run_at_a_time_and_each_is_reaped(fresh):
    command = ("tests.probe", "return")
    with (
        FORKS.start("target_mailing", "--help", stdin=PIPE, stdout=PIPE, fresh=fresh) as one,
        FORKS.start(*command, stdin=PIPE, stdout=PIPE, text=True, env=ENVIRONMENT) as other,
    ):
        assert other.communicate("", timeout=20)[0].endswith("at exit\n")
        assert other.poll() == 0
        assert one.communicate(timeout=20)[0]
    assert one.returncode == 0


@pytest.mark.parametrize("fresh", [True, False])
def test_one_that_waits_is_ended_by_a_failed_test_and_by_signals(fresh):
    def start():
        return FORKS.start("tests.probe", "wait", stdin=PIPE, stdout=PIPE, stderr=PIPE, env=ENVIRONMENT, fresh=fresh)

    started = time.monotonic()
    with pytest.raises(ZeroDivisionError), start() as process:
        raise ZeroDivisionError
    assert process.returncode == -signal.SIGKILL
    with start() as process:
        assert process.poll() is None
        with pytest.raises(TimeoutExpired):
            process.wait(0.05)
        process.send_signal(signal.SIGSTOP)
        process.kill()
        assert process.wait(20) == -signal.SIGKILL
        process.kill()
    assert time.monotonic() - started < 30
