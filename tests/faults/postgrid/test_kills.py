"""SIGKILL at every call of PostGrid's route `contacts`, before its work and after it; then a rerun with other rows."""

from __future__ import annotations

from operator import itemgetter

import pytest

from tests.faults.pairs import few
from tests.target.conftest import state
from tests.target.postgrid.conftest import delete, household, households
from tests.target.postgrid.test_doubts import versions

ROOT = "/print-mail/v1"
#: Each call of the flow, and its first and later occurrences that the rows below bring about.
CALLS = {
    "find the list": ("GET", f"{ROOT}/mailing_lists", (0,)),
    "make a contact": ("POST", f"{ROOT}/contacts", (0, 1, 2)),
    "mark or look at the list": ("GET", f"{ROOT}/mailing_lists/*", (0, 1, 2, 3, 4, 5)),
    "submit": ("POST", f"{ROOT}/mailing_lists/*/jobs", (0, 1, 2, 3)),
}
BOUNDARIES = [(name, skip) for name, (_, _, skips) in CALLS.items() for skip in skips]
#: Each boundary, before its work and after it: once with the same rows again, once with others, in turns.
CASES = [
    (name, skip, when, "same" if (number + late) % 2 else "others")
    for number, (name, skip) in enumerate(BOUNDARIES)
    for late, when in enumerate(("before", "after"))
]

BOTH = {"name": "Family Both", "address_line1": "5 Both Road"}

FIRST = [household(n) for n in range(6)] + [household(6, **BOTH), household(7, **BOTH)]
#: New, changed, deleted, unsubscribed, one of two that share a contact.
SECOND = [
    household(0, address_line1="10 New Street"),
    household(8),
    delete(1),
    household(2, subscription_status="unsubscribed"),
    delete(6),
    household(3, name="Renamed"),
]
#: The same changed on, in another order.
THIRD = [
    household(3, name="Renamed again"),
    household(2, subscription_status="unsubscribed"),
    delete(6),
    delete(1),
    household(0, address_line1="11 Newer Street"),
    delete(4),
    household(8, address_city="York"),
    household(7, **BOTH),
]
END = sorted(
    [
        ("Renamed again", "3 Mill Lane", "Leeds"),
        ("Family 0", "11 Newer Street", "Leeds"),
        ("Family 5", "5 Mill Lane", "Leeds"),
        ("Family 8", "8 Mill Lane", "York"),
        ("Family Both", "5 Both Road", "Leeds"),
    ]
)
END_OF_SECOND = sorted(
    [
        ("Family 0", "10 New Street"),
        ("Family 8", "8 Mill Lane"),
        ("Renamed", "3 Mill Lane"),
        ("Family 4", "4 Mill Lane"),
        ("Family 5", "5 Mill Lane"),
        ("Family Both", "5 Both Road"),
    ]
)


def on_list(postgrid):
    return sorted((one["firstName"], one["addressLine1"], one["city"]) for one in postgrid.on_list().values())


def kill_at(postgrid, messages, name, skip, when):
    method, path, _ = CALLS[name]
    return postgrid.kill(messages, method=method, path=path, skip=skip, when=when)


def named(case):
    return "-".join(map(str, case))


@pytest.mark.slow
@pytest.mark.parametrize("case", few(CASES, itemgetter(0), itemgetter(2, 3), name=named))
def test_p3_killed_at_any_call_the_list_ends_as_the_rows_say(postgrid, case):
    name, skip, when, again = case
    postgrid.deliver([households(), *FIRST, state(1)])
    kill_at(postgrid, [households(), *SECOND, state(2)], name, skip, when)
    if again == "same":
        result = postgrid.deliver([households(), *SECOND, state(3)])
        assert [(budget, street) for budget, street, _ in on_list(postgrid)] == END_OF_SECOND
    else:
        result = postgrid.deliver([households(), *THIRD, state(3)])
        assert sum(result.counts().values()) == len(THIRD)
        assert on_list(postgrid) == END
        assert postgrid.deliver([households(), *THIRD, state(3)]).counts() == {"unchanged": len(THIRD)}
    assert result.error is None
    assert result.states == [3]


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_p3_killed_while_a_job_is_submitted_its_rows_are_counted_as_sent_again(postgrid, when):
    states = kill_at(postgrid, [households(), household(1), household(2), state(1)], "submit", 0, when)
    assert states == []
    result = postgrid.deliver([households(), household(1), household(2), state(1)])
    assert result.counts() == {"delivered": 2}
    assert result.outcomes["resubmitted"] == 2
    assert len(postgrid.on_list()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("skip", [1, 2])
def test_p3_killed_at_one_of_the_jobs_that_a_step_needs_all_older_versions_leave(postgrid, skip, when):
    postgrid.deliver([households(), household(99), state(1)])
    versions(postgrid, keys=6, count=105)
    rows = [household(n) for n in range(6)]
    postgrid.config |= {"batch_rows": 100, "journal": str(postgrid.folder / "another.sqlite")}
    assert kill_at(postgrid, [households(), *rows, state(1)], "submit", skip, when) == []
    result = postgrid.deliver([households(), *rows, state(1)])
    assert result.error is None
    assert result.states == [1]
    assert postgrid.streets() == sorted(["99 Mill Lane", *(f"{n} Mill Lane" for n in range(6))])
