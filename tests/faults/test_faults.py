"""Route by step boundary by fault: after each, a rerun of other rows, and all is held that the rows say (P1-P5, P7).

A boundary is a side of a step's call: before its work was done, or after it, before the answer came. Names of cases:
route, step, side, fault, then what else varies.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from operator import attrgetter

import pytest

from tests.faults import people
from tests.faults.faults import AFTER, BEFORE, FAULTS, JOB_FAULTS, Blow, Fault, kill
from tests.faults.pairs import cover, few
from tests.faults.process import HASTY, PLAIN
from tests.faults.routes import ROUTES
from tests.faults.world import Run, World

pytestmark = pytest.mark.slow

#: What the provider may do otherwise.
SWITCHES = ["usual", "silent", "strict", "late"]


# SIGKILL: the whole product


@dataclass(frozen=True)
class Kill:
    """SIGKILL at a side of a step's call, the first one or a later."""

    route: str
    step: str
    side: str
    nth: str

    @property
    def name(self) -> str:
        step = ROUTES[self.route].names.get(self.step, self.step)
        return f"{self.route}-{step}-{self.side}-sigkill-{self.nth}"


def kills():
    for name, route in ROUTES.items():
        if route.account == "postgrid":
            continue  # tests/faults/postgrid has them
        for step, side, nth in product(route.boundaries, (BEFORE, AFTER), ("first", "later")):
            # Where addresses are suppressed the steps are those of contacts: once is enough.
            wanted = "later" if route.account == "suppressions" and step != "start" else nth
            if nth == wanted and (step != "start" or nth == "first"):
                yield Kill(name, step, side, nth)


@pytest.mark.parametrize(
    "at",
    few(
        kills(),
        attrgetter("route", "step"),
        attrgetter("step", "side"),
        attrgetter("route", "nth"),
        name=attrgetter("name"),
    ),
)
def test_p3_killed(ground, tmp_path, at):
    """The first call: one job at a time and the real command. A later one: several jobs, and every STATE at once."""
    route, is_first = ROUTES[at.route], at.nth == "first"
    world = World.begin(
        ground,
        route,
        tmp_path,
        switches=ground.accounts[route.account].switches["usual"],
        batch_rows=8,
        jobs_in_flight=1 if is_first else 3,
    )
    skip = 0 if is_first else route.skips(at.step)
    kill(
        Blow(
            world, route.call(at.step), at.side, skip, PLAIN if is_first and route.account != "suppressions" else HASTY
        )
    )
    first = world.finish()
    assert first.code == -9
    last = rerun(world, [first], from_state=not is_first, seed=at.name)
    if is_first and (at.step, at.side) == ("submit", AFTER) and route.recover is not None:
        assert last.outcomes["adopted"] == 1
    if is_first and (at.step, at.side) == ("submit", AFTER) and route.recover is None:
        assert last.outcomes["resubmitted"] > 0
    world.check_end(last)


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
    route = ROUTES[name]
    world = World.begin(
        ground, route, tmp_path, switches=ground.accounts[route.account].switches["usual"], batch_rows=8
    )
    kill(Blow(world, route.call("submit"), AFTER))
    first = world.finish()
    kill(Blow(world, route.call("recover"), side))
    second = world.finish()
    last = rerun(world, [first, second], from_state=True, seed=side)
    world.check_end(last)


# The other faults: every pair of route, boundary, fault and what else varies


@dataclass(frozen=True)
class Case:
    """A case.

    Attributes:
        route: on which.
        step: at whose call the fault strikes.
        side: of that call.
        fault: which.
        nth: such a call, or job.
        phase: in a run from its start, or in one that goes on after a kill.
        jobs_in_flight: the setting.
        account: what the provider does otherwise.
        again: where the rerun starts.
    """

    fault: str
    step: str
    side: str
    route: str
    account: str
    nth: str
    phase: str
    jobs_in_flight: int
    again: str

    @property
    def name(self) -> str:
        step = ROUTES[self.route].names.get(self.step, self.step)
        rest = (self.nth, self.phase, f"{self.jobs_in_flight}-in-flight", self.account, self.again)
        return "-".join((self.route, step, self.side, self.fault, *rest))


def factors(routes):
    return {
        "fault": [*FAULTS, *JOB_FAULTS],
        "step": [*dict.fromkeys(step for name in routes for step in ROUTES[name].boundaries), "recover"],
        "side": [BEFORE, AFTER],
        "route": routes,
        "account": SWITCHES,
        "nth": ["first", "later"],
        "phase": ["live", "resumed"],
        "jobs_in_flight": [1, 3],
        "again": ["from-state", "from-start"],
    }


def is_possible(case):
    route, step, resumed = ROUTES[case["route"]], case["step"], case["phase"] == "resumed"
    if case["side"] not in (FAULTS | JOB_FAULTS)[case["fault"]].sides:
        return False
    if case["nth"] == "later" and (step in ("start", "recover") or resumed):
        return False
    if case["fault"] == "emptied" and case["again"] == "from-state":
        return False  # what was confirmed is gone, too
    if case["fault"] in JOB_FAULTS:
        return step == "follow" and JOB_FAULTS[case["fault"]].has_meaning(route)
    return (route.recover is not None and resumed) if step == "recover" else step in route.boundaries


def cases():
    by_json = cover(factors(["json"]), is_possible)
    of_all = factors(list(ROUTES))
    of_all["step"].reverse()  # of cases that are as good the first is taken: rather a late step than the start
    return [Case(**case) for case in (*by_json, *cover(of_all, is_possible, by_json))]


CASES = cases()


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
    route = ROUTES[case.route]
    fault: Fault = (FAULTS | JOB_FAULTS)[case.fault]
    world = World.begin(
        ground,
        route,
        tmp_path,
        switches=ground.accounts[route.account].switches[case.account],
        batch_rows=8,
        jobs_in_flight=case.jobs_in_flight,
    )
    if case.step in route.provoked:
        world.account.plan_jobs([world.account.plans[route.provoked[case.step]]] * 3)
    runs: list[Run] = []
    if case.phase == "resumed":
        if fault.plan is None:
            kill(Blow(world, route.call("submit"), AFTER))
        else:
            fault.plan(world, 0)
            kill(Blow(world, route.call("follow"), BEFORE, settings={"jobs_in_flight": 1}))
        runs.append(world.finish())
    skip = route.skips(case.step) if case.nth == "later" else 0
    blow = Blow(world, route.call(case.step), case.side, skip, settings=dict(fault.settings))
    if runs and fault.plan is not None:
        blow.start()
    else:
        fault.strike(blow)
    runs.append(world.finish())
    assert runs[-1].code in (*fault.codes, *((0,) if case.step in route.forgiving else ())), runs[-1].log
    assert re.search(fault.said, runs[-1].log), runs[-1].log
    fault.healed(world)
    last = rerun(world, runs, from_state=case.again == "from-state", seed=case.name, **fault.settings_again)
    world.check_end(last)


def rerun(world, runs, *, from_state, seed, **settings):
    """The next run: people opted out meanwhile, rows changed, their order too, and batches are cut differently."""
    world.sandbox.faults.clear()
    world.account.forget_plans()
    world.opt_out(people.opting_out("between"))
    if world.emptied:
        world.take_stock()
    states = [state for run in runs for state in run.states]
    done = max(states, default=0) if from_state else 0
    rejected = {key for run in runs for key in run.rejected}
    rows = people.rows_again(done=done, rejected=rejected | world.lost_rejects, seed=seed)
    return world.run(rows, batch_rows=5, **settings)


def test_the_table_covers_every_fault_at_every_step_on_every_route():
    every = CASES
    for name, route in ROUTES.items():
        ours = [case for case in every if case.route == name]
        in_jobs = {fault for fault, one in JOB_FAULTS.items() if route.has_jobs and one.has_meaning(route)}
        assert {case.fault for case in ours} == FAULTS.keys() | in_jobs
        assert {case.step for case in ours} >= {*route.boundaries}
        for step, fault in product(route.boundaries, FAULTS):
            assert any((case.step, case.fault) == (step, fault) for case in every), (step, fault)
    assert {(case.fault, case.side) for case in every} == {
        (name, side) for name, fault in (FAULTS | JOB_FAULTS).items() for side in fault.sides
    }
