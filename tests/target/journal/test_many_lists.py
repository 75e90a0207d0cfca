"""One PostgreSQL database for many lists, and workers that start at the same time."""

from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from subprocess import PIPE
from threading import Barrier

import pytest

from tests.fork_server import FORKS
from tests.target.command.test_command import until
from tests.target.conftest import people, schema, state
from tests.totals import ENVIRONMENT

pytestmark = pytest.mark.slow

WORKERS = 4


class Workers:
    """Machines without a file in common."""

    def __init__(self, mailjet, url):
        self.mailjet, self.url = mailjet, url

    def start(self, worker, **config):
        folder = self.mailjet.folder / worker
        folder.mkdir(exist_ok=True)
        settings = self.mailjet.settings(journal=self.url, create_list=True, **config)
        path = folder / f"{len([*folder.iterdir()])}.json"
        path.write_text(json.dumps(settings))
        own = {"XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder)}
        return FORKS.start(
            "target_mailing", f"--config={path.name}",
            cwd=folder, env=os.environ | ENVIRONMENT | own, stdin=PIPE, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip

    def run(self, worker, numbers, **config):
        text = self.mailjet.text([schema(), *people(numbers), state(1)])
        with self.start(worker, **config) as process:
            out, err = process.communicate(text.encode(), timeout=120)
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
def workers(mailjet, postgresql_url):
    return Workers(mailjet, postgresql_url)


def at_once(deliver):
    """What each of the workers returns; they begin together."""
    barrier = Barrier(WORKERS)

    def begin(worker):
        barrier.wait()
        return deliver(worker)

    with ThreadPoolExecutor(WORKERS) as pool:
        return [*pool.map(begin, range(WORKERS))]


def test_four_workers_fill_eight_new_lists_of_one_database(workers, mailjet):
    name = mailjet.folder.name
    lists = {f"{name} {number}": range(number, number + 20) for number in range(8)}

    def deliver(worker):
        return [workers.run(f"worker {worker}", lists[one], list=one) for one in [*lists][worker::WORKERS]]

    for results in at_once(deliver):
        for code, out, err in results:
            assert (code, out) == (0, '{"number": 1}\n'), err
            assert "Traceback" not in err
    for one, numbers in lists.items():
        assert sorted(mailjet.members(one)) == sorted(f"person{number}@example.com" for number in numbers)
    assert len(mailjet.received()) == 160


def test_workers_that_start_together_with_one_new_list_fill_it_once(workers, mailjet):
    """Labels of accounts shard it; each has a journal of its own, and they exclude each other."""
    name = f"{mailjet.folder.name} shared"

    def deliver(worker):
        numbers = range(worker * 10, worker * 10 + 10)
        return workers.run(f"worker {worker}", numbers, list=name, mailjet_account=f"{mailjet.folder.name}-{worker}")

    results = at_once(deliver)
    arrived = set()
    for worker, (code, out, err) in enumerate(results):
        assert "already exists" not in err
        assert "MJ18" not in err
        assert "Traceback" not in err
        if code == 0:
            assert out
            arrived |= {f"person{number}@example.com" for number in range(worker * 10, worker * 10 + 10)}
        else:
            assert out == ""
            assert re.search(r"another run \(process \d+ on .*\) delivers to '?" + name, err), err
    assert arrived
    assert mailjet.members(name).keys() == arrived
    assert len(mailjet.received()) == len(arrived)


def test_p9_who_holds_which_list_is_reported(workers, mailjet):
    lists = [f"{mailjet.folder.name} {number}" for number in range(2)]
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}] * 2)
    text = mailjet.text([schema(), *people(range(5)), state(1)]).encode()
    with ExitStack() as stack:
        running = [stack.enter_context(workers.start(f"worker {number}", list=one)) for number, one in enumerate(lists)]
        for process in running:
            process.stdin.write(text)
            process.stdin.close()
        until(lambda: len(mailjet.sandbox.mailjet.jobs()) == 2)
        code, out, err = workers.run("worker 2", range(5), list=lists[1])
        assert (code, out) == (1, "")
        held = rf"_mailjet_default_list_{slug(lists[1])}\w* is held by process {running[1].pid} on "
        assert re.search(held, err), err
        for process in running:
            process.kill()


def slug(name):
    """How the name of a schema shows that of a list."""
    return re.sub(r"[^a-z0-9]+", "_", name)[:12]
