"""A mirror that is stopped or killed among its removals: nobody else leaves, and a later whole input makes them."""

from __future__ import annotations

import itertools
import json
import os
import signal
from subprocess import PIPE

import pytest

from tests.fork_server import FORKS
from tests.target.conftest import COLUMNS, people, schema, state
from tests.totals import ENVIRONMENT

pytestmark = pytest.mark.slow

TOTAL = {"total": {"type": ["integer", "null"]}}
KILL, TERM = signal.SIGKILL, signal.SIGTERM
#: The journal; how the target is ended; at which side of which submission, the first of which adds.
STOPS = [("a file", *stop) for stop in itertools.product((KILL, TERM), ("before", "after"), (0, 1, 4))]
STOPS += [("PostgreSQL", KILL, "before", 4), ("PostgreSQL", KILL, "after", 1), ("PostgreSQL", TERM, "after", 4)]


def text(numbers, at):
    numbers = [*numbers]
    rows = people(numbers, total=len(numbers))
    messages = [schema("people", COLUMNS | TOTAL), *rows, state({"at": at})]
    return b"".join(json.dumps(one).encode() + b"\n" for one in messages)


def emails(numbers):
    return {f"person{number}@example.com" for number in numbers}


@pytest.fixture
def mirror(mailjet):
    name = f"List of {mailjet.folder.name}"  # which makes a schema of this test's own
    mailjet.sandbox.mailjet.add_list(name)
    mailjet.config |= {"list": name, "sync": "mirror", "whole_count": "total", "batch_rows": 7, "max_removals": 30}
    return mailjet


def stopped(mailjet, numbers, held, signum):
    """Deliver an input until a call is held, then stop the target."""
    config = mailjet.folder / "config.json"
    config.write_text(json.dumps(mailjet.settings()))
    own = {"XDG_STATE_HOME": str(mailjet.folder / "state"), "HOME": str(mailjet.folder)}
    with FORKS.start(
        "tests.faults.hasty", f"--config={config}", env=os.environ | ENVIRONMENT | own,
        stdin=PIPE, stdout=PIPE, stderr=PIPE,
    ) as process:  # fmt: skip
        process.stdin.write(text(numbers, 2))
        process.stdin.close()
        held.wait_until_held()
        process.send_signal(signum)
        process.wait(20)
    mailjet.sandbox.faults.clear()


#: The same of mirrors of the whole list.
OF_THE_LIST = [("a file", KILL, "before", 0), ("a file", KILL, "after", 1), ("a file", TERM, "after", 4)]
OF_THE_LIST += [("a file", KILL, "before", 7), ("PostgreSQL", KILL, "after", 2), ("PostgreSQL", TERM, "before", 4)]


@pytest.mark.parametrize("others", [[], [60, 61]], ids=["alone", "with others"])
@pytest.mark.parametrize("stop", OF_THE_LIST, ids=lambda stop: "-".join(map(str, stop)))
def test_p3_a_mirror_of_the_list_stopped_among_its_removals_is_completed_by_the_next(mirror, request, stop, others):
    name, (journal, signum, when, skip) = mirror.config["list"], stop
    mirror.config |= {"mirror_scope": "list", "max_removals": 43}
    if journal == "PostgreSQL":
        mirror.config["journal"] = request.getfixturevalue("postgresql_url")
    assert mirror.deliver(text(range(40), 1).decode()).error is None
    if others:
        shared = {
            "streams": {"people": {}, "others": {"sync": "upsert", "whole_count": None, "mirror_scope": "stream"}}
        }
        mirror.config |= shared
        assert mirror.deliver([schema("others", COLUMNS), *people(others, stream="others"), state(1)]).error is None
    guests = {f"guest{number}@example.com" for number in range(13)}
    mirror.sandbox.mailjet.add_contacts([{"email": one, "list": mirror.ids[name]} for one in sorted(guests)])
    held = mirror.sandbox.faults.add(
        kind="hold", method="POST", path="*/managemanycontacts", when=when, skip=skip, times=None
    )
    stopped(mirror, [*range(10), 50], held, signum)
    assert {*mirror.members(name)} >= emails(range(10))
    # Who was in a batch of which it is found out only now that it was not submitted leaves one run later.
    lines = text([*range(10), 50], 4).decode()
    assert [mirror.deliver(lines).error for _ in range(2)] == [None, None]
    assert {*mirror.members(name)} == emails([*range(10), 50, *others])
    # Who left by the run that was stopped counts, but not twice.
    mirror.sandbox.mailjet.add_contacts([{"email": "guest99@example.com", "list": mirror.ids[name]}])
    refused = mirror.deliver(lines)
    assert "(43 more left within the last 24 hours); the limit is 43" in str(refused.error)
    last = mirror.deliver(lines, max_removals=44)
    assert (last.error, last.counts(), last.outcomes["batches"]) == (None, {"unchanged": 11}, 1)
    assert {*mirror.members(name)} == emails([*range(10), 50, *others])


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: "-".join(map(str, stop)))
def test_p3_a_mirror_stopped_among_its_removals_is_completed_by_the_next_whole_input(mirror, request, stop):
    name, (journal, signum, when, skip) = mirror.config["list"], stop
    if journal == "PostgreSQL":
        mirror.config["journal"] = request.getfixturevalue("postgresql_url")
    assert mirror.deliver(text(range(40), 1).decode()).error is None
    held = mirror.sandbox.faults.add(
        kind="hold", method="POST", path="*/managemanycontacts", when=when, skip=skip, times=None
    )
    stopped(mirror, [*range(10), 50], held, signum)
    left = emails(range(40)) - {*mirror.members(name)}
    assert left <= emails(range(10, 40))
    # What is not whole takes nobody off but those whose removal had been sent.
    part = mirror.deliver(text(range(5), 3).decode().replace('"total": 5', '"total": 11'))
    assert part.error is None
    assert {*mirror.members(name)} >= emails(range(10))
    # Some are named again, and come back if they had left.
    named = [*range(10), *range(35, 40), 50]
    again = mirror.deliver(text(named, 4).decode())
    assert (again.error, {*mirror.members(name)}) == (None, emails(named))
    last = mirror.deliver(text(named, 5).decode())
    assert (last.error, last.counts(), last.outcomes["batches"]) == (None, {"unchanged": 16}, 0)
    assert {*mirror.members(name)} == emails(named)
