"""What a plan shows, where, and of whom."""

from __future__ import annotations

import io
import json
import os
from types import SimpleNamespace

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.foresight.foresight import masked
from target_mailing.rows.outcome import Outcome
from tests.target.conftest import LIST, people, person, schema, state
from tests.target.postgrid.conftest import household, households, postgrid  # noqa: F401 - a fixture

#: The numbers of rows, of all and of each destination.
OF_ROWS = ("rows", "outcomes", "effects", "withheld", "rejected", "former_addresses_removed")
PEOPLE = [schema(), *people(range(3)), person(9, email="nobody"), state(1)]
#: Everybody there, and what a row changes.
CHANGED = [schema(), person(0, city="Oslo"), person(1, email="new@example.com"), state(2)]


@pytest.fixture
def plan(mailjet, tmp_path):
    def make(messages, **config):
        path = tmp_path / "plans" / "plan.json"
        result = mailjet.deliver(messages, mode="plan", plan_path=str(path), **config)
        assert result.error is None
        return json.loads(path.read_text()), result.log

    return make


def test_a_plan_counts_effects_rejects_jobs_and_calls(plan):
    found, log = plan(PEOPLE)
    assert found["effects"] == {"added_or_updated": 3}
    assert found["rejected"] == {"bad_address": 1}
    assert (found["rows"], found["would_change"], found["whole"]) == (4, True, True)
    (there,) = found["destinations"].values()
    assert (there["lists"], there["jobs"], there["contacts"]) == ([LIST], 1, {"added_or_updated": 3})
    assert {name: there[name] for name in OF_ROWS} == {name: found[name] for name in OF_ROWS}
    table = log[log.index(f"Plan for {LIST} (mailjet:") :].splitlines()
    assert any(line.split() == ["rejected:", "bad_address", "1"] for line in table)
    assert "Plan for all streams" not in log


def test_each_list_has_its_own_numbers_and_rows_of_several_count_once(plan, mailjet, tmp_path):
    mailjet.sandbox.mailjet.add_list("Others")
    messages = [*PEOPLE[:-1], person(1, city="Oslo"), schema("readers"), person(5, stream="readers"), state(1)]
    found, log = plan(
        messages,
        stream_maps={
            "others": {"__source__": "people", "__filter__": "id != 0"},
            "readers": {"__filter__": "False"},
        },
        streams={"others": {"list": "Others"}, "readers": {"list": "Others"}},
    )
    rows = {there["lists"][0]: there["outcomes"] for there in found["destinations"].values()}
    none = dict.fromkeys(map(str, Outcome), 0)
    assert rows == {
        LIST: none | {"delivered": 3, "superseded": 1, "rejected": 1},
        "Others": none | {"delivered": 2, "superseded": 1, "rejected": 1},
    }
    assert found["outcomes"] == none | {"delivered": 3, "superseded": 1, "rejected": 1, "skipped": 1}
    assert (found["rows"], found["rejected"]) == (6, {"bad_address": 1})
    assert log.index("Plan for Spring") < log.index("Plan for Others") < log.index("Plan for all streams")
    text = (tmp_path / "plans" / "plan.md").read_text()
    assert text.count("| rejected: bad_address | 1 |") == 3


def test_somebody_at_a_terminal_reads_a_table_of_80_columns_without_a_prefix(plan, monkeypatch):
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr("mailing_api.process.table.sys", SimpleNamespace(stderr=shown))
    _, log = plan(PEOPLE)
    lines = shown.getvalue().splitlines()
    assert lines[1:] == [
        "  added or updated       3",
        "  rejected: bad_address  1",
        "  rows                   4",
        "  jobs                   1",
        "A delivery makes at least 5 calls, with one poll of each job.",
        "No job's time is known yet. Each further poll is one more call.",
        "Nothing was written.",
    ]
    assert max(map(len, lines)) <= 80
    assert "Nothing was written" not in log


def test_what_would_change_nothing_says_so(plan, mailjet):
    mailjet.deliver(PEOPLE)
    found, log = plan(PEOPLE)
    assert found["would_change"] is False
    assert "Nothing would change at the provider." in log


@pytest.mark.parametrize("name", ["plan.json", "plan.md"])
def test_a_pipe_is_refused_without_waiting_for_its_other_end(mailjet, name):
    os.mkfifo(mailjet.folder / name)
    error = mailjet.deliver(PEOPLE, mode="plan", plan_path=str(mailjet.folder / "plan.json")).error
    assert f"{name} is there and holds no plan" in str(error)


@pytest.mark.parametrize("place", ["/proc/here/plan.json", "/dev/full/plan.json"])
def test_a_place_that_cannot_be_written_shows_before_anything_is_read(mailjet, place):
    mailjet.sandbox.counters.reset()
    plan = mailjet.deliver(PEOPLE, mode="plan", plan_path=place)
    assert "Setting `plan_path`" in str(plan.error)
    assert mailjet.sandbox.counters.total_calls == 0


def test_a_plan_that_ended_early_says_so_and_keeps_its_error_if_its_files_cannot_be_written(mailjet, tmp_path):
    path = tmp_path / "plan.json"
    rejected = [schema(), *(person(number, email="nobody") for number in range(20)), state(1)]

    def fails(*_):
        raise ConfigurationError("Setting `plan_path`: full")

    plan = mailjet.deliver(rejected, mode="plan", max_rejected=5, plan_path=str(path))
    assert "max_rejected" in str(plan.error)
    assert json.loads(path.read_text())["whole"] is False
    assert "The plan ended early" in path.with_suffix(".md").read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("target_mailing.plan.report._write", fails)
        again = mailjet.deliver(rejected, mode="plan", max_rejected=5, plan_path=str(path))
    assert "max_rejected" in str(again.error)
    assert "Setting `plan_path`: full" in again.log


def test_addresses_are_masked_and_values_are_left_out(plan, mailjet, tmp_path):
    mailjet.deliver(PEOPLE)
    found, log = plan(CHANGED)
    text = (tmp_path / "plans" / "plan.md").read_text() + json.dumps(found) + log
    assert "new@example.com" not in text
    assert "person0@example.com" not in text
    assert "Oslo" not in text
    shown = {one["contact"]: one.get("fields") for one in found["samples"]["added_or_updated"]}
    assert shown == {"p***@example.com": ["city"], "n***@example.com": ["city", "name"]}
    assert [one["contact"] for one in found["samples"]["removed"]] == ["p***@example.com"]


def test_former_addresses_are_among_the_contacts_that_leave(plan, mailjet):
    mailjet.deliver(PEOPLE)
    found, _ = plan(CHANGED)
    assert (found["effects"], found["former_addresses_removed"]) == ({"added_or_updated": 2}, 1)
    assert [each["contacts"] for each in found["destinations"].values()] == [{"added_or_updated": 2, "removed": 1}]


def test_contacts_are_shown_on_request_with_values_before_and_after(plan, mailjet, tmp_path):
    mailjet.deliver(PEOPLE)
    found, log = plan(CHANGED, plan_contacts=True)
    one = next(each for each in found["samples"]["added_or_updated"] if each["contact"] == "person0@example.com")
    assert (one["before"], one["after"]) == ({"city": "Lyon"}, {"city": "Oslo"})
    assert "city: 'Lyon' → 'Oslo'" in (tmp_path / "plans" / "plan.md").read_text()
    assert "person0@example.com" not in log


def test_at_postgrid_a_row_is_compared_with_the_contact_of_its_key(postgrid, tmp_path):  # noqa: F811
    path = tmp_path / "plan.json"
    first = household(1, address_line2="Floor 2", properties={"tier": "gold"})
    postgrid.deliver([households(), first, household(2), state(1)])
    later = [household(1, address_line1="9 New Street", properties={"tier": "iron"}), household(3, name="FAMILY 3")]
    config = {"mode": "plan", "plan_path": str(path), "plan_contacts": True}
    assert postgrid.deliver([households(), *later, state(2)], **config).error is None
    found = json.loads(path.read_text())["samples"]["added_or_updated"]
    new, old = sorted(found, key=lambda one: one["after"]["addressLine1"])
    assert (old["before"], old["after"]) == (
        {"addressLine1": "1 MILL LANE", "addressLine2": "FLOOR 2", "tier": "gold"},
        {"addressLine1": "9 New Street", "addressLine2": None, "tier": "iron"},
    )
    assert new["fields"] == ["addressLine1", "city", "countryCode", "firstName"]
    assert set(new["before"].values()) == {None}
    config["plan_contacts"] = False
    postgrid.deliver([households(), household(2, name="FAMILY 2", description="new"), state(2)], **config)
    (one,) = json.loads(path.read_text())["samples"]["added_or_updated"]
    assert one["fields"] == ["description"]


def test_only_the_owner_reads_the_files(plan, tmp_path):
    plan(PEOPLE)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "plans").iterdir()} == {0o600}


@pytest.mark.parametrize("rows", [1, 10])
def test_as_many_rows_of_a_kind_are_shown_as_the_setting_says(plan, rows):
    found, _ = plan(PEOPLE, plan_sample=2, batch_rows=rows)
    assert {kind: len(samples) for kind, samples in found["samples"].items()} == {
        "added_or_updated": 2,
        "rejected (bad_address)": 1,
    }


def test_a_list_and_a_property_that_are_missing_are_not_made(plan, mailjet):
    found, _ = plan(PEOPLE, list="Not there", create_list=True, properties=["city", "visits"])
    assert found["effects"] == {"added_or_updated": 3}
    assert "Not there" not in mailjet.ids
    columns = {"id": {"type": "integer"}, "email": {"type": "string"}, "colour": {"type": "string"}}
    row = {"type": "RECORD", "stream": "people", "record": {"id": 1, "email": "ada@example.com", "colour": "red"}}
    found, _ = plan([schema(columns=columns), row], properties=["colour"], create_properties=True)
    assert found["effects"] == {"added_or_updated": 1}


def test_the_mask_leaves_a_letter_and_the_domain():
    assert [masked(one) for one in ("ada@example.com", "42", "")] == ["a***@example.com", "4***", "***"]


@pytest.mark.parametrize("place", ["mine", "mine.json", "mine.md"])
def test_a_file_that_holds_no_plan_is_left_alone(mailjet, tmp_path, place):
    (tmp_path / "mine.json").write_text("{}")
    plan = mailjet.deliver(PEOPLE, mode="plan", plan_path=str(tmp_path / place))
    assert "holds no plan" in str(plan.error)
    assert (tmp_path / "mine.json").read_text() == "{}"
    assert not {*tmp_path.glob("mine*"), *tmp_path.glob(".mine*")} - {tmp_path / "mine.json"}


def test_a_date_in_a_name_is_no_suffix_and_a_plan_replaces_a_plan(mailjet, tmp_path):
    for _ in range(2):
        assert mailjet.deliver(PEOPLE, mode="plan", plan_path=str(tmp_path / "2026.11")).error is None
    assert {path.name for path in tmp_path.glob("2026*")} == {"2026.11.json", "2026.11.md"}


def test_a_row_that_cannot_be_looked_up_is_shown_without_fields(plan, mailjet):
    mailjet.sandbox.faults.add(kind="status", status=403, method="GET", path="*/contact/*", times=9)
    found, _ = plan(PEOPLE)
    assert found["effects"] == {"added_or_updated": 3}
    assert [one.get("fields") for one in found["samples"]["added_or_updated"]] == [None] * 3
