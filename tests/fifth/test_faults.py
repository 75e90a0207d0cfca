"""Example Mail's part of the fault table: it is struck, then rerun, and all is held that the rows say (P1-P5, P7)."""

from __future__ import annotations

from operator import attrgetter

import pytest

from mailing_sandbox.server import Sandbox
from tests.faults.faults import AFTER, BEFORE
from tests.faults.pairs import few
from tests.faults.world import Ground
from tests.fifth.emulator import ExampleMail
from tests.fifth.fault_account import ACCOUNTS, TABLE

pytestmark = pytest.mark.slow

ROUTE = TABLE.routes["examplemail"]
CASES = TABLE.cases("examplemail")


@pytest.fixture(scope="module")
def ground(forks, tmp_path_factory):
    with Sandbox(job_seconds=0.05, others=[ExampleMail]) as sandbox:
        yield Ground(sandbox, tmp_path_factory.mktemp("ground"), ACCOUNTS, forks)


def around_the_job(at):
    """At its submission, on which side; or at its results."""
    return at.step in {"submit", "errors"} and (at.step, at.side)


@pytest.mark.parametrize("at", few(TABLE.kills(), around_the_job, name=attrgetter("name")))
def test_p3_killed(ground, tmp_path, at):
    TABLE.kill(ground, tmp_path, at)


@pytest.mark.exhaustive
@pytest.mark.parametrize("side", [BEFORE, AFTER])
def test_p3_killed_again_while_looking_for_its_job(ground, tmp_path, side):
    TABLE.kill_while_looking_for_a_job(ground, tmp_path, ROUTE, side)


@pytest.mark.parametrize("case", few(CASES, lambda case: case.step == "recover", name=attrgetter("name")))
def test_p1_to_p5_struck(ground, tmp_path, case):
    TABLE.strike(ground, tmp_path, case)


def test_the_table_covers_every_fault_at_every_step():
    TABLE.check_coverage(CASES)
