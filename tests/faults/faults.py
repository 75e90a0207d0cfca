"""The faults: how each strikes a run, at a step's call or in a job, and how a run that is struck ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.faults import people
from tests.faults.process import HASTY, Target, until
from tests.faults.routes import Call, Route
from tests.faults.world import World

__all__ = ["FAULTS", "JOB_FAULTS", "Blow", "Fault", "kill"]

BEFORE, AFTER = "before", "after"


@dataclass
class Blow:
    """A run with the first rows, that is to be struck.

    Attributes:
        world: in which.
        call: at which it is struck; for a fault of jobs, the one that shows the job.
        side: before the work of that call is done, or after it, when the answer is on its way.
        skip: such calls, or jobs, that pass.
        module: what Python runs.
        settings: of the run.
    """

    world: World
    call: Call
    side: str
    skip: int = 0
    module: str = HASTY
    settings: dict[str, Any] = field(default_factory=dict)

    def start(self, **options: Any) -> Target:
        """Start the run."""
        return self.world.start(people.rows_first(), module=self.module, **self.settings | options)


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        strike: starts the run and strikes it.
        plan: for a fault of jobs: lets so many of the next jobs go well, and the one after them wrong.
        of: for a fault of jobs: the name of that among an account's plans.
        at_file: it needs an error file to go wrong with.
        beside: other jobs are to go on beside the one that it happens to.
        skip: calls of a step that pass before one that comes later, at most.
        codes: with which it may exit.
        sides: of a call on which it is possible.
        said: what the log then says.
        settings: of the struck run.
        healed: what happens between the struck run and the next one, other than that the fault is over.
        settings_again: of the next run.
    """

    strike: Callable[[Blow], None]
    codes: tuple[int, ...] = (0,)
    sides: tuple[str, ...] = (BEFORE, AFTER)
    said: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    healed: Callable[[World], None] = lambda world: None
    settings_again: Mapping[str, Any] = field(default_factory=dict)
    plan: Callable[[World, int], None] | None = None
    of: str | None = None
    at_file: bool = False
    beside: bool = False
    skip: int = 5

    def has_meaning(self, route: Route, plans: Collection[str]) -> bool:
        """Whether it can happen on a route, whose jobs may end otherwise, tell of errors otherwise, or go in a row.

        Args:
            route: of an account.
            plans: the names of that account's plans.
        """
        if self.of is None:
            return True
        if (self.at_file and not route.has_error_files) or (self.beside and route.is_single_file):
            return False
        return route.has_jobs and self.of in plans


# At a call that the sandbox holds


def at_held_call(hurt: Callable[[World, Target], None], **options: Any) -> Callable[[Blow], None]:
    """The call is held, something happens, the call goes on."""

    def strike(blow: Blow) -> None:
        call, world = blow.call, blow.world
        hold = world.sandbox.faults.add(
            kind="hold", method=call.method, path=call.path, when=blow.side, skip=call.after + blow.skip, times=1
        )
        target = blow.start(**options)
        until(lambda: hold.waiting or target.over, "the call")
        assert hold.waiting, f"it ended before the call:\n{target.log}"
        hurt(world, target)
        if target.over:
            until(lambda: not hold.waiting, "the sandbox seeing that its client has gone")
        hold.release()

    return strike


def terminate(_: World, target: Target) -> None:
    target.terminate()
    target.wait(5)


def fill_disk(world: World, target: Target) -> None:
    target.limit_files(world.journal.with_name(f"{world.journal.name}-wal").stat().st_size)


kill = at_held_call(lambda _, target: target.kill())


# At a call that is answered in another way


def answered(**rule: Any) -> Callable[[Blow], None]:
    """The call gets another answer."""

    def strike(blow: Blow) -> None:
        done = {"done": True} if rule["kind"] == "status" and blow.side == AFTER else {}
        blow.world.sandbox.faults.add(
            method=blow.call.method,
            path=blow.call.path,
            skip=blow.call.after + blow.skip,
            **{"times": 2, **rule, **done},
        )
        blow.start()

    return strike


def either(before: Callable[[Blow], None], after: Callable[[Blow], None]) -> Callable[[Blow], None]:
    """One blow for each side."""
    return lambda blow: (before if blow.side == BEFORE else after)(blow)


#: Where the input is cut: after both addresses that are refused, and some of every kind.
CUT_AT = 50

FAULTS = {
    "sigterm": Fault(at_held_call(terminate), codes=(143,), said="stays? in the journal"),
    "429": Fault(answered(kind="status", status=429, body="html", times=4), sides=(BEFORE,)),
    "429-for-long": Fault(
        answered(kind="status", status=429, body="html", times=None), codes=(1,), sides=(BEFORE,),
        said="too many requests",
    ),
    "5xx": Fault(answered(kind="status", status=502, body="html")),
    "5xx-for-long": Fault(answered(kind="status", status=500, times=None), sides=(BEFORE,), codes=(1,)),
    "lost": Fault(either(answered(kind="reset"), answered(kind="reply_lost"))),
    "cut": Fault(answered(kind="cut_body"), sides=(AFTER,)),
    "html": Fault(either(answered(kind="status", status=200, body="html"), answered(kind="html"))),
    "emptied": Fault(
        at_held_call(lambda world, _: world.empty()), codes=(0, 1), settings_again={"send": "all"},
    ),
    "journal-full": Fault(at_held_call(fill_disk), codes=(1,), said="Setting `journal`: .* cannot be written"),
    "rejects-gone": Fault(
        at_held_call(lambda world, _: world.lose_rejects()), codes=(1,),
        said="Setting `rejects_path`: .* cannot be written", skip=1,  # while rejects are still to come
    ),
    "stdout-closed": Fault(
        at_held_call(lambda _, target: target.close_stdout()), codes=(1,), said="Standard output is closed"
    ),
    "input-cut": Fault(
        at_held_call(lambda _, target: target.cut_input(), cut_at=CUT_AT), codes=(1,),
        said="the input is cut off", settings={"batch_max_age": 0.1},
    ),
}  # fmt: skip


# In a job

ERROR_FILES: Mapping[str, Mapping[str, Any]] = {
    "missing": {"status": 404, "times": None},
    "empty": {"status": 200, "content": "", "times": None},
    "unreadable": {"status": 200, "content": "\x00\x01%"},
}


def in_job(plan: str, error_file: str | None = None, **options: Any) -> Fault:
    """A fault of one job, by its name among an account's plans; `error_file`: what is wrong with the next one read."""

    def prepare(world: World, skip: int) -> None:
        world.account.plan_jobs([*[{}] * skip, world.account.plans[plan]])
        if error_file is not None:
            answer = ERROR_FILES[error_file]
            world.sandbox.faults.add(kind="status", body="text", path=world.route.call("errors").path, **answer)

    def strike(blow: Blow) -> None:
        prepare(blow.world, blow.skip)
        blow.start()

    return Fault(strike, sides=(AFTER,), plan=prepare, of=plan, at_file=error_file is not None, **options)


def finish_jobs(world: World) -> None:
    """Jobs that stood still come to their end."""
    world.account.finish_jobs()


STALLED, WITH_ERRORS = "stalled", "with errors"
TIMED_OUT = {"codes": (1,), "said": "did not end within `job_timeout`", "settings": {"job_timeout": 1.0}}

JOB_FAULTS = {
    "job-error": in_job("failed"),
    "job-error-naming-a-row": in_job("failed naming a row"),
    "job-aborted": in_job("aborted"),
    "job-completed-with-errors": in_job(WITH_ERRORS),
    "error-file-missing": in_job(WITH_ERRORS, "missing"),
    "error-file-empty": in_job(WITH_ERRORS, "empty"),
    "error-file-unreadable": in_job(WITH_ERRORS, "unreadable"),
    "job-stalled-past-timeout": in_job(STALLED, **TIMED_OUT, healed=finish_jobs),
    "job-stalled-past-timeout-then-past-abandon": in_job(
        STALLED, **TIMED_OUT, settings_again={"job_abandon": 1.0}, beside=True
    ),
    "job-stalled-past-abandon": in_job(STALLED, settings={"job_abandon": 1.0}, beside=True),
}
