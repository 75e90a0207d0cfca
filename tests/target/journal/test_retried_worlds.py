"""Rejects sent again at every destination, between runs of which any may be killed: the end is that of one good run."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from mailing_sandbox.server import Sandbox
from tests.searching import machine
from tests.target.command.test_command import until
from tests.target.conftest import state
from tests.target.journal.test_retried_everywhere import opened
from tests.target.killing import killed_at
from tests.target.machines import keys_of_one_person
from tests.target.plan.worlds import World, take, world

WORLDS = (
    "mailjet-json", "mailjet-csv", "mailjet-contact", "ses-import", "ses-direct", "suppressions-import",
    "suppressions-direct", "postgrid-contacts", "postgrid-import",
)  # fmt: skip
#: Whose rows are the same for good.
NEVER_CHANGES = "postgrid-import"
#: A key has two addresses of its own; "strict" violates the SCHEMA until that is not checked.
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.booleans(),
        st.sampled_from(["plain", "strict", "strict", "opt-out", "deleted", "deleted by key"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)
KILLS = st.none() | st.tuples(st.integers(4, 24), st.booleans())
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), ROWS, st.integers(1, 4), KILLS),
        st.tuples(st.just("run"), ROWS, st.integers(1, 4), KILLS),
        st.tuples(st.just("retry"), st.booleans(), st.integers(1, 4), KILLS),
    ),
    min_size=2,
    max_size=6,
)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox, keys_of_one_person():
        yield sandbox


def row(here: World, name: str, change: tuple[int, bool, str, bool]) -> dict[str, Any]:
    key, moves, kind, changed = change
    if kind == "opt-out" and not name.startswith(("mailjet", "ses")):  # which a later row of the same run keeps
        kind = "strict"
    if name == NEVER_CHANGES:
        made = here.row(key, key, "plain", False)  # noqa: FBT003 - as there
    else:
        made = here.row(key, 2 * key + moves, "plain" if kind == "strict" else kind, changed)
    if kind == "strict":
        made["record"]["subscription_status"] = ""
    return made


def schema_of(here: World) -> dict[str, Any]:
    """That of the world; a blank status violates it."""
    properties = here.schema["schema"]["properties"]
    status = {"type": ["string", "null"], "enum": [None, "unsubscribed"]}
    return here.schema | {
        "schema": here.schema["schema"] | {"properties": properties | {"subscription_status": status}}
    }


def found(here: World, name: str) -> Any:
    """Who may be written to, and how: of those who opted out, former addresses may stay."""
    provider = name.partition("-")[0]
    if provider == "mailjet":
        members = here.account.members().items()
        return {email: one["properties"] for email, one in members if one["status"] == "subscribed"}
    if provider == "ses":
        contacts = {email: here.account.seen(email) for email in here.account.contacts()}
        return {email: how for email, how in contacts.items() if not how[0]}
    if provider == "suppressions":
        return here.account.suppressed()
    return here.account.streets()  # a contact who comes back may be the one who was there before, as it was


@contextmanager
def alone() -> Iterator[None]:
    """Threads that are begun meanwhile have ended."""
    before = {*threading.enumerate()}
    yield
    until(lambda: not [one for one in threading.enumerate() if one not in before and one.is_alive()])


def play(here: World, name: str, steps: list[Any]) -> list[dict[str, Any]]:
    """Take the steps, then all that is needed so that nothing is left; the rows in their order."""
    rows, pending = [], []
    for kind, what, size, kill in steps:
        config = {"batch_rows": size, "jobs_in_flight": 2, "max_removals": "100%"}
        if kind == "run":
            new = [row(here, name, one) for one in what]
            rows += new
            pending += new
            messages = [schema_of(here), *pending, state(1)]
        else:
            config |= {"validate_records": not what}

        def run(messages=None if kind == "retry" else messages, config=config):
            return here.account.retry(**config) if messages is None else here.account.deliver(messages, **config)

        with alone():
            if kill is None:
                result = run()
                assert result.error is None, result.log
            else:
                with killed_at(kill[0], is_made=kill[1]) as was_killed:
                    result = run()
                if was_killed():
                    event("killed")
                    continue
                assert result.error is None, result.log
        if kind == "run":
            pending = []
    config = {"max_removals": "100%", "batch_rows": 3}
    result = here.account.deliver([schema_of(here), *pending, state(2)], **config)
    assert result.error is None, result.log
    for _ in range(2):
        left = opened(here.account.folder)
        result = here.account.retry(validate_records=False, **config)
        assert result.error is None, result.log
        event(f"retried: {min(left, 2)}")
    return rows


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("name", WORLDS)
@machine(short=2, long=100)
@given(steps=STEPS)
def test_p3_p5_the_end_is_that_of_one_good_run_whatever_was_killed_between(sandbox, name, steps):
    with tempfile.TemporaryDirectory() as folder, world(name, sandbox, Path(folder)) as here:
        rows = play(here, name, steps)
        take(sandbox, [0.0])
        ends = found(here, name)
    with tempfile.TemporaryDirectory() as folder, world(name, sandbox, Path(folder)) as here:
        for one in rows:
            result = here.account.deliver([schema_of(here), one, state(1)], validate_records=False, max_removals="100%")
            assert result.error is None, result.log
        assert ends == found(here, name)
