"""What a plan shows, where, and of whom."""

from __future__ import annotations

import json
import logging

import pytest

from target_mailing.plan.foresight import masked
from tests.target.conftest import people, person, schema, state

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
    assert [*found["destinations"].values()] == [{"jobs": 1, "contacts": {"added_or_updated": 3}}]
    table = log[log.index("Plan: a delivery") :].splitlines()
    assert any(line.split() == ["rejected:", "bad_address", "1"] for line in table)


def test_lines_of_the_table_have_80_columns_at_most(plan, tmp_path, mailjet, caplog):
    with caplog.at_level(logging.INFO, logger="target-mailing"):
        plan(PEOPLE)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("  ")]
    assert len(lines) >= 4
    assert max(map(len, lines)) <= 80


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


def test_only_the_owner_reads_the_files(plan, tmp_path):
    plan(PEOPLE)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "plans").iterdir()} == {0o600}


def test_as_many_rows_of_a_kind_are_shown_as_the_setting_says(plan):
    found, _ = plan(PEOPLE, plan_sample=2)
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
