"""Whole runs to which a provider, or what stands between, answers wrongly: right, a reject, or one clear error.

Nothing counts as done that is not, nobody is rejected who was not refused, nothing of a person is told; and the next
run, to which all is answered as it should be, puts everything right.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from mailing_api.aws import s3
from mailing_api.http import client as http_client
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.mailjet import client as mailjet_client
from mailing_api.postgrid import settings as postgrid_settings
from mailing_api.ses import client as ses_client
from mailing_sandbox.server import Sandbox
from target_mailing.command.cli import TargetCommand
from target_mailing.delivery import jobs
from target_mailing.run import run
from target_mailing.ses import account as ses_account
from target_mailing.ses import import_route as ses_import_route
from tests.searching import LENGTH, examples
from tests.target.answer_worlds import WORLDS, World
from tests.target.conftest import Result
from tests.target.mutations import mutate
from tests.target.ses.conftest import _no_aws_of_this_machine
from tests.target.wire import Wire

__all__ = ["_no_aws_of_this_machine"]

HASTY = RetryPolicy(throttle_base=0, throttle_tries=3, fault_base=0, fault_tries=3)
#: In no log and no error.
PRIVATE = ("canary", "@example.com", "mill queue", "moved queue", "lyon", "sandbox-secret")
#: Of rows that no answer named.
DOUBTFUL = {"unconfirmed", "not_imported"}
#: Of a run: that everything is retried, split and looked up costs some hundred calls at most, none of which waits.
SECONDS = 20


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    monkeypatch.setattr(run, "_STATE_INTERVAL", 0.0)
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: HASTY)
    for module in (http_client, mailjet_client, postgrid_settings):
        monkeypatch.setattr(module, "Pace", partial(Pace, floor=1e6))
    monkeypatch.setattr(s3, "Pace", lambda **_: Pace(floor=1e6))
    monkeypatch.setattr(ses_client, "_SLOWEST", 1e6)
    monkeypatch.setattr(ses_account, "PATIENCE", HASTY)
    monkeypatch.setattr(ses_import_route, "SLOT_WAIT", 0.02)
    monkeypatch.setattr(jobs, "_APPEARS_WITHIN", 0.1)
    monkeypatch.setitem(http_client.HttpClient.__init__.__kwdefaults__, "sleep", lambda _: None)
    monkeypatch.setattr(http_client, "_MOST", 2**20)


@contextmanager
def begun(name: str, monkeypatch) -> Iterator[tuple[World, Wire]]:
    """A world, and the wire to it."""
    make, route = WORLDS[name]
    sandbox = Sandbox(job_seconds=0)
    wire = Wire(sandbox)
    monkeypatch.setattr(http_client, "Network", lambda **_: wire)
    with tempfile.TemporaryDirectory() as folder:
        try:
            world = make(sandbox, Path(folder), route)
            if world.before:
                assert world.target.deliver(world.before).error is None
            wire.calls.clear()
            yield world, wire
        finally:
            sandbox.storage.reset()


def deliver(world: World) -> Result:
    """Deliver, and look at what holds of every run."""
    started = time.monotonic()
    result = world.target.deliver(world.messages)
    assert time.monotonic() - started < SECONDS
    text = f"{result.log} {result.error}".lower()
    for word in (*PRIVATE, "traceback"):
        assert word not in text, [line for line in text.splitlines() if word in line][:3]
    if result.error is None:
        assert result.states == [1]
    else:
        assert isinstance(result.error, TargetCommand.user_errors), repr(result.error)
        assert str(result.error).count("\n") == 0
    return result


def rejected(result: Result) -> dict[str, str]:
    """Codes by address, or by street."""
    rows = [one["record"] for one in result.rejects]
    return {row.get("email") or row["address_line1"]: row["_reject_code"] for row in rows}


def judge(world: World, result: Result, known: dict[str, str]) -> None:
    """See that what was reported is so."""
    assert {who for who, code in rejected(result).items() if code not in DOUBTFUL} <= world.refused, rejected(result)
    if result.states == [1]:
        wrong = {who: one for who, one in world.differences().items() if who not in known}
        assert not wrong, wrong
        assert known.keys() >= world.refused, "somebody refused is missing from the rejects"


def play(name: str, seed: int, monkeypatch, templates: list[str]) -> None:
    draw = random.Random(f"{name} {seed}")
    with begun(name, monkeypatch) as (world, wire):
        world.plan(draw)
        where = draw.choice([*templates, None])
        share = draw.choice([1.0, 0.5, 0.2])
        left = draw.choice([1, 1, 2, 3, 10**6])
        told: list[str] = []
        misled = False

        def change(template, _, answer):
            nonlocal left, misled
            if left and where in {template, None} and draw.random() < share:
                left -= 1
                told.append(template)
                told.append(mutate(draw, answer))
                misled = misled or answer.misleads

        wire.change = change
        said: list[object] = []
        try:
            result = deliver(world)
            known = rejected(result)
            said += [result.error, known]
            if not misled:
                judge(world, result, known)
            wire.change = lambda *_: None
            again = deliver(world)
            said += [again.error, rejected(again)]
            assert misled or again.error is None
            if not misled:
                judge(world, again, {**known, **rejected(again)})
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {told[:20]} ended in {said}: {error}") from error


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("name", WORLDS)
def test_p1_p4_p7_p9_whatever_a_provider_answers(name, monkeypatch, request):
    with begun(name, monkeypatch) as (world, wire):
        judge(world, result := deliver(world), rejected(result))
        templates = sorted(set(wire.calls))
    begin = str(request.config.getoption("hypothesis_seed", None))
    first = int(begin) * 1000 if begin.isdecimal() and LENGTH != "short" else 0
    for seed in range(first, first + examples(3, 100)):
        play(name, seed, monkeypatch, templates)
