"""Route by step boundary by fault: after each, a rerun of other rows, and all is held that the rows say (P1-P5, P7)."""

from __future__ import annotations

from itertools import product
from operator import attrgetter

import pytest

from tests.faults import people
from tests.faults.accounts import ACCOUNTS
from tests.faults.faults import AFTER, BEFORE, Blow, kill
from tests.faults.pairs import few
from tests.faults.routes import ROUTES
from tests.faults.table import Table, rerun
from tests.faults.world import World

pytestmark = pytest.mark.slow

TABLE = Table(ROUTES, ACCOUNTS)
CASES = TABLE.cases("json")


@pytest.mark.parametrize(
    "at",
    few(
        (at for at in TABLE.kills() if ROUTES[at.route].account != "postgrid"),  # tests/faults/postgrid has them
        attrgetter("route", "step"),
        attrgetter("step", "side"),
        attrgetter("route", "nth"),
        name=attrgetter("name"),
    ),
)
def test_p3_killed(ground, tmp_path, at):
    TABLE.kill(ground, tmp_path, at)


def others():
    for name, route in ROUTES.items():
        yield from product([name], route.others, (BEFORE, AFTER))


@pytest.mark.parametrize("at", list(others()), ids="-".join)
def test_p3_killed_at_other_calls(ground, tmp_path, at):
    """Such as are made for some rows only, or where a batch is large."""
    name, other, side = at
    route = ROUTES[name]
    call, batch_rows = route.others[other]
    switches = ground.accounts[route.account].switches["usual"]
    world = World.begin(ground, route, tmp_path, switches=switches, batch_rows=batch_rows)
    kill(Blow(world, call, side))
    first = world.finish()
    assert first.code == -9
    world.check_end(rerun(world, [first], from_state=side == AFTER, seed=f"{name}-{side}"))


def test_changes_at_the_same_moment_are_waited_for(ground, tmp_path):
    """As Amazon SES tells of them; what was changed meanwhile stays."""
    route = ROUTES["direct"]
    call, batch_rows = route.others["update"]
    world = World.begin(
        ground, route, tmp_path, switches=ground.accounts["ses"].switches["usual"], batch_rows=batch_rows
    )
    conflict = world.sandbox.faults.add(
        kind="status", status=500, method=call.method, path=call.path, times=3,
        headers={"x-amzn-ErrorType": "ConcurrentModificationException"},
    )  # fmt: skip
    first = world.run(people.rows_first())
    assert conflict.hits == 3
    assert first.code == 0
    world.check_end(rerun(world, [first], from_state=True, seed="conflict"))


@pytest.mark.parametrize("side", [BEFORE, AFTER])
@pytest.mark.parametrize(
    "name", [name for name, route in ROUTES.items() if route.recover and route.account != "suppressions"]
)
def test_p3_killed_again_while_looking_for_its_job(ground, tmp_path, name, side):
    TABLE.kill_while_looking_for_a_job(ground, tmp_path, ROUTES[name], side)


@pytest.mark.parametrize(
    "case",
    few(
        CASES,
        attrgetter("fault", "side"),
        attrgetter("route", "step"),
        name=attrgetter("name"),
    ),
)
def test_p1_to_p5_struck(ground, tmp_path, case):
    TABLE.strike(ground, tmp_path, case)


def test_the_table_covers_every_fault_at_every_step_on_every_route():
    TABLE.check_coverage(CASES)
