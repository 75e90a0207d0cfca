"""The faults of the table at every call of PostGrid's route `import`, adding and replacing; then a rerun.

Here nobody can change or leave alone, so that the people of the table, who do both, cannot be those of this list.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from operator import itemgetter

import pytest

from tests.faults.faults import AFTER, BEFORE, FAULTS, Blow
from tests.faults.pairs import few
from tests.faults.postgrid.test_import_kills import ADDING, REPLACING, ROOT, by_import, named, rows, streets
from tests.faults.process import Target
from tests.faults.routes import Call
from tests.target.conftest import state
from tests.target.postgrid.conftest import LIST, households

__all__ = ["by_import"]

#: Whoever has nothing to say about the list: those that strike at a call, and those that strike the process.
ANSWERS = ("429", "429-for-long", "5xx", "5xx-for-long", "lost", "cut", "html")
PROCESS = ("sigterm", "journal-full", "stdout-closed", "emptied", "rejects-gone", "input-cut")
#: A report that cannot be had is told, and fails no run.
REPORT = ("GET", "/postgrid-files/*")


def cases():
    """Every fault of answers at every call, those of the process at the calls that change something."""
    found = []
    for replaces, calls in ((False, ADDING), (True, REPLACING)):
        for turn, ((method, path), times) in enumerate(calls.items()):
            # One that replaces ends after its input, and here it rejects nobody.
            strikes = () if method == "GET" else PROCESS[: -2 if replaces else None]
            for number, name in enumerate((*ANSWERS, *strikes)):
                sides = FAULTS[name].sides
                found.append((name, method, path, sides[(turn + number) % len(sides)], number % times, replaces))
    return found


def named_by(case):
    name, method, path, side, skip, replaces = case
    return f"{'replacing' if replaces else 'adding'}-{name}-{side}-{method}-{path.removeprefix(ROOT)}-{skip}"


class World:
    """One list, and a run against it that is struck."""

    def __init__(self, postgrid, messages):
        self.sandbox = postgrid.sandbox
        self.journal = postgrid.folder / "journal.sqlite"
        self._postgrid, self._messages = postgrid, messages
        self.target = None

    def start(self, _, *, cut_at=None, module, **settings):
        del module
        config = self._postgrid.folder / "config.json"
        config.write_text(json.dumps(self._postgrid.settings(**settings)))
        lines = [json.dumps(message).encode() + b"\n" for message in self._messages]
        cut_at = None if cut_at is None else len(lines) - 1
        self.target = Target(config, lines, cut_at=cut_at, witness=lambda _: None)
        return self.target

    def lose_rejects(self):
        shutil.rmtree(self._postgrid.folder / "rejects")

    def empty(self):
        self.sandbox.postgrid.reset()
        self.sandbox.postgrid.add_list(LIST)


@pytest.mark.slow
@pytest.mark.parametrize("case", few(cases(), itemgetter(0, 3), itemgetter(1, 2, 5), name=named_by))
def test_p1_to_p4_struck(by_import, case):
    name, method, path, side, skip, replaces = case
    fault = FAULTS[name]
    by_import.deliver([households(), *rows(1), state(1)])
    by_import.config |= {"postgrid_replace": replaces}
    if not replaces:  # PostGrid leaves out one of those at home
        by_import.sandbox.postgrid.plan_imports([{"invalid": [3]}])
    world = World(by_import, [households(), *rows(2, 4, 6), state(2)])
    # Jobs that a list does not take are tried until their time is over.
    settings = {"job_timeout": 2.0} if name == "5xx-for-long" else {}
    fault.strike(Blow(world, Call(method, path), side, skip, settings={**fault.settings, **settings}))
    code = world.target.wait()
    is_report = (method, path) == REPORT
    assert code in (*fault.codes, *((0,) if is_report else ())), world.target.log
    assert re.search(fault.said, world.target.log) or is_report, world.target.log
    assert world.target.states == ([] if code else [{"number": 2}])
    by_import.sandbox.faults.clear()
    by_import.sandbox.postgrid._account.import_plans.clear()

    # Of a list that lost some, nobody knows whom: all are replaced.
    by_import.config |= {"postgrid_replace": replaces or name == "emptied"}
    result = by_import.deliver([households(), *rows(6, 5, 2, 4), *([] if replaces else rows(1)), state(3)])
    assert result.error is None
    assert result.states == [3]
    everybody = (2, 4, 5, 6) if replaces else (1, 2, 4, 5, 6)
    there = Counter(streets(by_import))
    assert set(there.values()) == {1}
    refused = {f"{one['record']['id']} Mill Lane" for one in result.rejects}
    assert sorted({*there, *refused}) == named(*everybody)
    assert len(refused) <= 1


def test_the_sides_of_a_call_are_both_struck():
    assert {side for _, _, _, side, _, _ in cases()} == {BEFORE, AFTER}
