"""P3, P9: runs that are killed while removals wait, or among those that are made, lose nobody and remove no more."""

from __future__ import annotations

import json
import os
from subprocess import DEVNULL, PIPE

import pytest

from target_mailing.delivery.errors import TooManyRemovalsError
from tests.fork_server import FORKS
from tests.target.command.test_command import until
from tests.target.conftest import people, schema, state
from tests.target.delivery.test_max_removals import gone, moved, numbers_on
from tests.totals import ENVIRONMENT

pytestmark = pytest.mark.slow

JOBS = {"method": "POST", "path": "*managemanycontacts"}


@pytest.fixture(params=["sqlite", "postgresql"])
def readers(request, mailjet):
    """The account, with a hundred people on its list."""
    if request.param == "postgresql":
        # The list's name makes a schema of this test's own.
        name = f"List of {mailjet.folder.name}"
        mailjet.sandbox.mailjet.add_list(name)
        mailjet.config |= {"journal": request.getfixturevalue("postgresql_url"), "list": name}
    mailjet.config |= {"batch_rows": 10, "jobs_in_flight": 1}
    assert mailjet.deliver([schema(), *people(range(100)), state(1)]).states == [1]
    return mailjet


def left(mailjet):
    return numbers_on(mailjet, mailjet.config["list"])


class Run:
    """A process that delivers; its input stays open until it is killed."""

    def __init__(self, mailjet, messages, **config):
        path = mailjet.folder / "config.json"
        path.write_text(json.dumps(mailjet.settings(**config)))
        environment = os.environ | ENVIRONMENT | {"XDG_STATE_HOME": str(mailjet.folder / "state")}
        self.process = FORKS.start(
            "target_mailing", f"--config={path}", cwd=mailjet.folder, env=environment,
            stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        self.process.stdin.write(mailjet.text(messages).encode())
        self.process.stdin.flush()

    def end_input(self):
        self.process.stdin.close()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


def test_p3_nobody_is_removed_by_a_run_that_is_killed_while_removals_wait(readers):
    rows = [schema(), *gone(range(30)), *people([*range(20, 30), *range(200, 240)], city="Nice"), state(2)]
    run = Run(readers, rows, max_removals=30)
    until(lambda: len(left(readers)) > 120)
    run.kill()
    assert left(readers) >= {*range(100)}
    assert isinstance(readers.deliver(rows, max_removals=29).error, TooManyRemovalsError)
    assert left(readers) == {*range(100), *range(200, 240)}
    assert readers.deliver(rows, max_removals=30).states == [2]
    assert left(readers) == {*range(20, 100), *range(200, 240)}
    assert readers.members(readers.config["list"])["person25@example.com"]["properties"]["city"] == "Nice"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("skip", [0, 1, 2])
def test_p3_runs_that_are_killed_among_their_removals_do_not_add_up(readers, skip, when):
    rows = [schema(), *gone(range(20)), *moved(range(20, 30)), state(2)]
    hold = readers.sandbox.faults.add(kind="hold", when=when, skip=skip, **JOBS)
    run = Run(readers, rows, max_removals=20)
    run.end_input()
    hold.wait_until_held(timeout=30)
    run.kill()
    readers.sandbox.faults.clear()
    more = readers.deliver([schema(), *gone(range(60, 70)), *gone(range(20)), state(2)], max_removals=20)
    assert isinstance(more.error, TooManyRemovalsError)
    assert left(readers) >= {*range(60, 100)}
    assert readers.deliver(rows, max_removals=20).states == [2]
    assert left(readers) == {*range(30, 100)}
    assert len(readers.members(readers.config["list"])) == 80


@pytest.mark.parametrize("skip", [0, 2])
def test_p3_a_run_that_is_killed_among_removals_that_were_allowed_may_be_repeated(readers, skip):
    rows = [schema(), *gone(range(40)), state(2)]
    hold = readers.sandbox.faults.add(kind="hold", when="after", skip=skip, **JOBS)
    run = Run(readers, rows, allow_removals_once=40)
    run.end_input()
    hold.wait_until_held(timeout=30)
    run.kill()
    readers.sandbox.faults.clear()
    more = readers.deliver([schema(), *gone(range(55)), state(2)], allow_removals_once=40)
    assert isinstance(more.error, TooManyRemovalsError)
    assert "`allow_removals_once: 55` instead of 40" in str(more.error)
    assert left(readers) >= {*range(40, 100)}
    assert readers.deliver(rows, allow_removals_once=40).states == [2]
    assert left(readers) == {*range(40, 100)}
    assert readers.deliver([schema(), *gone(range(40, 50)), state(3)]).states == [3]
