"""The fault table of some accounts: route by step boundary by fault, and how a case of it goes.

A boundary is a side of a step's call: before its work was done, or after it, before the answer came. Names of cases:
route, step, side, fault, then what else varies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from tests.faults import pairs, people
from tests.faults.account import Account
from tests.faults.faults import AFTER, BEFORE, FAULTS, JOB_FAULTS, Blow, kill
from tests.faults.process import HASTY, PLAIN
from tests.faults.routes import Route
from tests.faults.world import Ground, Run, World

__all__ = ["Case", "Kill", "Table", "rerun"]

ALL_FAULTS = FAULTS | JOB_FAULTS
#: What the provider may do otherwise.
SWITCHES = ["usual", "silent", "strict", "late"]


#: Else people are asked about who leave only when the input has ended, and a fault before that meets nobody.
NO_LIMIT: Final = {"max_removals": "100%"}


@dataclass(frozen=True)
class Kill:
    """SIGKILL at a side of a step's call, the first one or a later."""

    route: str
    step: str
    side: str
    nth: str
    step_name: str

    @property
    def name(self) -> str:
        return f"{self.route}-{self.step_name}-{self.side}-sigkill-{self.nth}"


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
        step_name: what the journal calls the step.
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
    step_name: str

    @property
    def name(self) -> str:
        rest = (self.nth, self.phase, f"{self.jobs_in_flight}-in-flight", self.account, self.again)
        return "-".join((self.route, self.step_name, self.side, self.fault, *rest))


class Table:
    """The table of some routes."""

    def __init__(self, routes: Mapping[str, Route], accounts: Mapping[str, type[Account]]) -> None:
        """Take the routes, and the accounts by the names that they have there."""
        self.routes = routes
        self._accounts = accounts

    # Which cases

    def kills(self) -> Iterator[Kill]:
        """SIGKILL: the whole product."""
        for name, route in self.routes.items():
            for step, side, nth in product(route.boundaries, (BEFORE, AFTER), ("first", "later")):
                # Where addresses are suppressed the steps are those of contacts: once is enough.
                wanted = "later" if route.account == "suppressions" and step != "start" else nth
                if nth == wanted and (step != "start" or nth == "first"):
                    yield Kill(name, step, side, nth, route.names.get(step, step))

    def cases(self, first: str) -> list[Case]:
        """The other faults: every pair of route, boundary, fault and what else varies.

        Args:
            first: a route on which each pair is, whatever the others have.
        """
        by_first = pairs.cover(self._factors([first]), self._is_possible)
        of_all = self._factors(list(self.routes))
        of_all["step"].reverse()  # of cases that are as good the first is taken: rather a late step than the start
        found = (*by_first, *pairs.cover(of_all, self._is_possible, by_first))
        return [Case(**case, step_name=self._step_name(case)) for case in found]

    def faults_of(self, route: Route) -> set[str]:
        """The faults that can happen on a route."""
        plans = self._accounts[route.account].plans
        in_jobs = {name for name, fault in JOB_FAULTS.items() if route.has_jobs and fault.has_meaning(route, plans)}
        return FAULTS.keys() | in_jobs

    def check_coverage(self, cases: Sequence[Case]) -> None:
        """See that cases have every fault at every step on every route."""
        for name, route in self.routes.items():
            ours = [case for case in cases if case.route == name]
            assert {case.fault for case in ours} == self.faults_of(route)
            assert {case.step for case in ours} >= {*route.boundaries}
            for step, fault in product(route.boundaries, FAULTS):
                assert any((case.step, case.fault) == (step, fault) for case in cases), (step, fault)
        possible = set().union(*map(self.faults_of, self.routes.values()))
        assert {(case.fault, case.side) for case in cases} == {
            (name, side) for name in possible for side in ALL_FAULTS[name].sides
        }

    def _step_name(self, case: pairs.Case) -> str:
        return self.routes[case["route"]].names.get(case["step"], case["step"])

    def _factors(self, routes: Sequence[str]) -> dict[str, list[Any]]:
        return {
            "fault": [*ALL_FAULTS],
            "step": [*dict.fromkeys(step for name in routes for step in self.routes[name].boundaries), "recover"],
            "side": [BEFORE, AFTER],
            "route": [*routes],
            "account": SWITCHES,
            "nth": ["first", "later"],
            "phase": ["live", "resumed"],
            "jobs_in_flight": [1, 3],
            "again": ["from-state", "from-start"],
        }

    def _is_possible(self, case: pairs.Case) -> bool:
        route, step, resumed = self.routes[case["route"]], case["step"], case["phase"] == "resumed"
        if case["side"] not in ALL_FAULTS[case["fault"]].sides:
            return False
        if case["nth"] == "later" and (step in ("start", "recover") or resumed):
            return False
        if case["fault"] == "emptied" and case["again"] == "from-state":
            return False  # what was confirmed is gone, too
        if case["fault"] in JOB_FAULTS:
            plans = self._accounts[route.account].plans
            return step == "follow" and JOB_FAULTS[case["fault"]].has_meaning(route, plans)
        return (route.recover is not None and resumed) if step == "recover" else step in route.boundaries

    # How they go

    def kill(self, ground: Ground, folder: Path, at: Kill) -> None:
        """The first call: one job at a time and the real command. A later one: several jobs, every STATE at once."""
        route, is_first = self.routes[at.route], at.nth == "first"
        world = World.begin(
            ground,
            route,
            folder,
            switches=ground.accounts[route.account].switches["usual"],
            batch_rows=8,
            jobs_in_flight=1 if is_first else 3,
        )
        skip = 0 if is_first else route.skips(at.step)
        module = PLAIN if is_first and route.account != "suppressions" else HASTY
        kill(Blow(world, route.call(at.step), at.side, skip, module))
        first = world.finish()
        assert first.code == -9
        last = rerun(world, [first], from_state=not is_first, seed=at.name)
        if is_first and (at.step, at.side) == ("submit", AFTER) and route.recover is not None:
            assert last.outcomes["adopted"] == 1
        if is_first and (at.step, at.side) == ("submit", AFTER) and route.recover is None:
            assert last.outcomes["resubmitted"] > 0
        world.check_end(last)

    def kill_while_looking_for_a_job(self, ground: Ground, folder: Path, route: Route, side: str) -> None:
        """SIGKILL after a submission, and once more at the call that finds out whether it was done."""
        switches = ground.accounts[route.account].switches["usual"]
        world = World.begin(ground, route, folder, switches=switches, batch_rows=8)
        kill(Blow(world, route.call("submit"), AFTER))
        first = world.finish()
        kill(Blow(world, route.call("recover"), side))
        second = world.finish()
        world.check_end(rerun(world, [first, second], from_state=True, seed=side))

    def strike(self, ground: Ground, folder: Path, case: Case) -> None:
        """A run that is struck by a fault, then a rerun of other rows, after which all is held that the rows say."""
        route = self.routes[case.route]
        fault = ALL_FAULTS[case.fault]
        world = World.begin(
            ground,
            route,
            folder,
            switches=ground.accounts[route.account].switches[case.account],
            batch_rows=8,
            jobs_in_flight=case.jobs_in_flight,
            **NO_LIMIT if case.step == "consent" else {},
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
        skip = min(fault.skip, route.skips(case.step)) if case.nth == "later" else 0
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


def rerun(world: World, runs: Sequence[Run], *, from_state: bool, seed: str, **settings: Any) -> Run:
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
