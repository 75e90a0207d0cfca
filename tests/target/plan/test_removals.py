"""A plan of removals beyond `max_removals`: what the run after it would hold back, and what allows it."""

from __future__ import annotations

import json

import pytest

from tests.target.conftest import LIST, people, person, schema, state
from tests.target.plan.test_plans import numbers
from tests.target.postgrid.conftest import household, households, postgrid  # noqa: F401 - a fixture

DELETED = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
EVERYBODY = [schema(), *people(range(9)), state(1)]
#: Four leave, one moves, one comes back after it left, and one is new.
CHANGES = [
    schema(), *people(range(4), **DELETED), person(4, email="moved@example.com"), person(3), person(20), state(2),
]  # fmt: skip


def held(found):
    return [there.get("held") for there in found["destinations"].values()]


@pytest.fixture
def plan(mailjet, tmp_path):
    def make(messages, account=mailjet, **config):
        path = tmp_path / "plan.json"
        result = account.deliver(messages, mode="plan", plan_path=str(path), **config)
        return result, json.loads(path.read_text())

    return make


def test_removals_that_a_run_would_hold_are_planned_as_held(mailjet, plan, tmp_path):
    mailjet.deliver(EVERYBODY)
    result, found = plan(CHANGES, max_removals=2)
    error = str(result.error)
    assert "4 contacts would be removed" in error
    assert "A delivery would make none of these, deliver all other rows, and fail." in error
    assert (found["whole"], found["would_change"]) == (True, True)
    told = {"rows": 6, "removed": 4, "absent": 0, "moved": 1, "lately": 0, "limit": 2, "allow_removals_once": 5}
    assert held(found) == [told]
    assert [one["contact"] for one in found["samples"]["held"]] == [
        f"stream 'people', line {number + 2}, id {number}" for number in range(5)
    ]
    assert "| to allow it: allow_removals_once | 5 |" in (tmp_path / "plan.md").read_text()
    run = mailjet.deliver(CHANGES, max_removals=2)
    assert "set `allow_removals_once: 5`" in str(run.error)
    assert numbers(run) == numbers(result)
    assert len(mailjet.members(LIST)) == 10


def test_an_allowance_is_planned_as_the_run_uses_it_and_is_not_used_up(mailjet, plan):
    mailjet.deliver(EVERYBODY)
    for _ in range(2):
        result, found = plan(CHANGES, max_removals=2, allow_removals_once=5)
        assert (result.error, held(found)) == (None, [None])
    run = mailjet.deliver(CHANGES, max_removals=2, allow_removals_once=5)
    assert (run.error, numbers(run)) == (None, numbers(result))


def test_what_left_lately_is_planned_too(mailjet, plan):
    mailjet.deliver(EVERYBODY)
    mailjet.deliver([schema(), person(8, **DELETED), state(2)], max_removals=2)
    _, found = plan([schema(), *people(range(2), **DELETED), state(3)], max_removals=2)
    assert held(found) == [
        {"rows": 2, "removed": 2, "absent": 0, "moved": 0, "lately": 1, "limit": 2, "allow_removals_once": 2},
    ]


def test_rows_that_are_held_are_shown_whole_on_request_only(mailjet, plan, tmp_path):
    mailjet.deliver(EVERYBODY)
    _, found = plan(CHANGES, max_removals=2)
    assert "example.com" not in json.dumps(found["samples"]["held"])
    _, found = plan(CHANGES, max_removals=2, plan_contacts=True, plan_sample=1)
    (one,) = found["samples"]["held"]
    assert one["after"]["email"] == "person0@example.com"
    assert "email: 'person0@example.com'" in (tmp_path / "plan.md").read_text()


def test_contents_that_a_replacement_would_lose_are_planned(postgrid, plan, tmp_path):  # noqa: F811
    config = {"route": "import", "postgrid_replace": True}
    messages = [households(), *map(household, range(30)), state(1)]
    assert postgrid.deliver(messages, **config).error is None
    few = [households(), household(0), state(2)]
    result, found = plan(few, postgrid, **config)
    assert "In a delivery nobody would leave" in str(result.error)
    assert held(found) == [
        {"rows": 0, "removed": 29, "absent": 0, "moved": 0, "lately": 0, "limit": 20, "allow_removals_once": 29},
    ]
    run = postgrid.deliver(few, **config)
    assert "allow_removals_once: 29" in str(run.error)
    assert numbers(run) == numbers(result)
    most = [households(), *map(household, range(15, 40)), state(2)]
    result, found = plan(most, postgrid, **config)
    assert (result.error, held(found)) == (None, [None])
    assert [there["replaced"] for there in found["destinations"].values()] == [15]
    assert "| earlier contents removed, besides | 15 |" in (tmp_path / "plan.md").read_text()


def test_a_list_that_another_journal_filled_is_refused_in_a_plan_too(postgrid):  # noqa: F811
    messages = [households(), household(0), state(1)]
    assert postgrid.deliver(messages, route="import").error is None
    other = {"route": "import", "journal": str(postgrid.folder / "other.sqlite")}
    plan = postgrid.deliver([households(), household(1), state(2)], mode="plan", **other)
    run = postgrid.deliver([households(), household(1), state(2)], **other)
    assert "filled with another journal" in str(plan.error)
    assert str(plan.error) == str(run.error)


def test_rows_that_would_be_held_are_in_the_total_of_all_streams(mailjet, plan, tmp_path):
    mailjet.deliver(EVERYBODY)
    messages = [*CHANGES[:-1], schema("others"), person(30, stream="others"), state(2)]
    _, found = plan(messages, max_removals=2, stream_maps={"others": {"__filter__": "False"}})
    (there,) = found["destinations"].values()
    assert (found["rows_held"], found["rows"], there["rows"]) == (there["held"]["rows"], there["rows"] + 1, 1)
    text = (tmp_path / "plan.md").read_text()
    assert f"| rows | {there['rows'] + 6} |" in text
    assert f"| rows | {found['rows'] + 6} |" in text
