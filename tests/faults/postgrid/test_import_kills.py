"""SIGKILL at every call of PostGrid's route `import`, adding and replacing; then a rerun with other rows.

A call that changes something is struck before its work and after it, one that only looks in one of both ways, in turns.
"""

from __future__ import annotations

from collections import Counter
from operator import itemgetter

import pytest

from tests.faults.pairs import few
from tests.target.conftest import state
from tests.target.postgrid.conftest import delete, household, households, link_files, objects

ROOT = "/print-mail/v1"
LISTS, IMPORTS = f"{ROOT}/mailing_lists", f"{ROOT}/mailing_list_imports"
#: Each call of the flow, with how often it comes; the rows below make two imports, of which one has a report.
ADDING = {
    ("GET", LISTS): 1,
    ("GET", f"{LISTS}/*"): 4,
    ("POST", IMPORTS): 2,
    ("GET", f"{IMPORTS}/*"): 3,
    ("GET", "/postgrid-files/*"): 1,
    ("POST", f"{LISTS}/*/jobs"): 1,
}
#: Marks of the list match the path of its jobs, too: mark, job, job, mark.
REPLACING = {
    ("GET", LISTS): 1,
    ("POST", f"{LISTS}/*"): 4,
    ("POST", IMPORTS): 2,
    ("GET", IMPORTS): 2,
    ("DELETE", f"{IMPORTS}/*"): 1,
}
#: Each file is written, looked at, linked to, and deleted when all have been validated.
LINKING = {
    ("PUT", "/s3/*"): 3,
    ("HEAD", "/s3/*"): 2,
    ("POST", IMPORTS): 2,
    ("DELETE", "/s3/*"): 2,
}


def cases(calls):
    """Each boundary, and where it is struck."""
    found = []
    turn = 0
    for (method, path), times in calls.items():
        for skip in range(times):
            turn += 1
            strikes = ("before", "after") if method != "GET" else ("before",) if turn % 2 else ("after",)
            found += [{"method": method, "path": path, "skip": skip, "when": when} for when in strikes]
    return found


def named_by(call):
    return f"{call['when']}-{call['method']}-{call['path'].removeprefix(ROOT)}-{call['skip']}"


#: `make test` strikes each call once, and each kind of call on both sides.
KINDS = (itemgetter("method", "path"), itemgetter("method", "when"))


@pytest.fixture
def by_import(postgrid):
    postgrid.config |= {"route": "import", "batch_rows": 5000}
    postgrid.sandbox.switches.change({"postgrid_import_seconds": 0.02})
    return postgrid


def streets(postgrid):
    people = postgrid.sandbox.postgrid.members(postgrid.number)["imports"].values()
    return sorted(one["addressLine1"] for each in people for one in each)


def named(*numbers):
    return sorted(f"{number} Mill Lane" for number in numbers)


def rows(*numbers):
    """Every third is abroad."""
    return [household(n, address_country="GB" if n % 3 else "US") for n in numbers]


@pytest.mark.slow
@pytest.mark.parametrize("call", few(cases(ADDING), *KINDS, name=named_by))
def test_p3_killed_while_adding_nobody_is_lost_and_nobody_is_there_twice(by_import, call):
    by_import.deliver([households(), *rows(1), state(1)])
    # PostGrid leaves out the second of those at home, whenever it comes so.
    by_import.sandbox.postgrid.plan_imports([{"invalid": [3]}])
    assert by_import.kill([households(), *rows(2, 4, 6), state(2)], **call) == []
    by_import.sandbox.postgrid._account.import_plans.clear()
    again = [*rows(6, 5, 2), delete(9), *rows(1, 4)]
    result = by_import.deliver([households(), *again, state(3)])
    assert result.error is None
    assert result.states == [3]
    assert sum(result.counts().values()) == len(again)
    there = Counter(streets(by_import))
    assert set(there.values()) == {1}
    refused = {f"{one['record']['id']} Mill Lane" for one in result.rejects if one["type"] == "RECORD"}
    assert sorted({*there, *refused}) == named(1, 2, 4, 5, 6)
    assert len(refused) <= 1
    assert by_import.deliver([households(), *rows(6, 5, 2, 1, 4), state(4)]).counts().get("delivered", 0) <= 1
    assert streets(by_import) == named(1, 2, 4, 5, 6)


@pytest.mark.slow
@pytest.mark.parametrize("call", few(cases(LINKING), *KINDS, name=named_by))
def test_p3_killed_while_linking_nobody_is_lost_and_no_file_stays(by_import, monkeypatch, tmp_path, call):
    link_files(by_import, monkeypatch, tmp_path)
    assert by_import.kill([households(), *rows(1, 2, 3, 4), state(1)], **call) == []
    result = by_import.deliver([households(), *rows(4, 2, 3, 5), state(2)])
    assert result.error is None
    assert result.states == [2]
    there = streets(by_import)
    assert there in (named(1, 2, 3, 4, 5), named(2, 3, 4, 5))
    assert objects(by_import.sandbox) == []


@pytest.mark.slow
def test_p7_killed_while_linking_in_a_run_that_replaces_no_file_stays(by_import, monkeypatch, tmp_path):
    link_files(by_import, monkeypatch, tmp_path)
    by_import.config |= {"postgrid_replace": True}
    put = {"method": "PUT", "path": "/s3/*.csv", "skip": 0, "when": "after"}
    assert by_import.kill([households(), *rows(1, 2, 3), state(1)], **put) == []
    assert len(objects(by_import.sandbox)) == 1
    assert by_import.deliver([households(), *rows(2, 4), state(2)]).error is None
    assert streets(by_import) == named(2, 4)
    assert objects(by_import.sandbox) == []


@pytest.mark.slow
@pytest.mark.parametrize("call", few(cases(REPLACING), *KINDS, name=named_by))
def test_p3_killed_while_replacing_the_next_run_replaces_all(by_import, call):
    by_import.deliver([households(), *rows(1, 2, 4), state(1)])
    by_import.config |= {"postgrid_replace": True}
    assert by_import.kill([households(), *rows(2, 3, 4), state(2)], **call) == []
    changed = [*rows(3, 5), household(4, name="Renamed"), delete(1)]
    result = by_import.deliver([households(), *changed, state(3)])
    assert result.error is None
    assert result.states == [3]
    assert streets(by_import) == named(3, 4, 5)
    assert len(by_import.sandbox.postgrid.imports()) == 2
    by_import.config |= {"postgrid_replace": False}
    assert by_import.deliver([households(), *changed, *rows(7), state(4)]).counts() == {"unchanged": 4, "delivered": 1}
    assert streets(by_import) == named(3, 4, 5, 7)
