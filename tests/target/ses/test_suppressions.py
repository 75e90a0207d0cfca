"""The suppression list as the target: added to by default, never taken off unless a setting says so (P5)."""

from __future__ import annotations

import pytest

from tests.target.conftest import COLUMNS, people, person, schema, state
from tests.target.ses.conftest import GONE, LIST

ADA = "person1@example.com"
BOB = "person2@example.com"


@pytest.fixture
def suppressions(either):
    either.config |= {"ses_target": "suppression_list", "list": None, "properties": None}
    return either


def table(**columns):
    return schema(columns=COLUMNS | {"reason": {"type": ["string", "null"]}} | columns)


def test_rows_are_suppressed_with_their_reason(suppressions):
    rows = [person(1, reason="bounce"), person(2), person(3, reason="dislike"), state(1)]
    result = suppressions.deliver([table(), *rows])
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert result.states == [1]
    assert suppressions.suppressed() == {ADA: "BOUNCE", BOB: "COMPLAINT"}
    assert suppressions.contacts() == {}


def test_a_rows_own_status_is_obeyed(suppressions):
    statuses = ("unsubscribed", "subscribed", "excluded", "unknown")
    rows = [person(n, subscription_status=status) for n, status in enumerate(statuses, 1)]
    result = suppressions.deliver([table(), *rows])
    assert result.counts() == {"delivered": 2, "rejected": 1, "withheld": 1}
    assert result.outcomes["reasons"] == {"subscribed": 1, "excluded": 1}
    assert suppressions.suppressed().keys() == {ADA, "person4@example.com"}


def test_p5_nobody_is_taken_off_unless_a_setting_says_so(suppressions):
    suppressions.suppress(ADA, BOB)
    result = suppressions.deliver([table(), *people((1, 2), **GONE), state(1)])
    assert result.counts() == {"withheld": 2}
    assert result.states == [1]
    assert suppressions.suppressed().keys() == {ADA, BOB}
    result = suppressions.deliver([table(), person(1)], action="remove")
    assert "`ses_allow_unsuppress: true`" in str(result.error)


@pytest.mark.slow
def test_with_the_setting_removals_take_them_off_and_strangers_count_as_delivered(suppressions):
    suppressions.suppress(ADA, BOB)
    result = suppressions.deliver([table(), *people((1, 3), **GONE), state(1)], ses_allow_unsuppress=True)
    assert result.counts() == {"delivered": 2}
    assert suppressions.suppressed().keys() == {BOB}
    result = suppressions.deliver([table(), person(2)], action="remove", ses_allow_unsuppress=True)
    assert result.counts() == {"delivered": 1}
    assert suppressions.suppressed() == {}


@pytest.mark.slow
def test_p5_a_changed_address_leaves_the_old_one_suppressed_and_suppresses_the_new(suppressions):
    suppressions.deliver([table(), person(1)])
    result = suppressions.deliver([table(), person(1, email="new@example.com")])
    assert result.error is None
    assert suppressions.suppressed().keys() == {ADA, "new@example.com"}


def test_the_taps_own_stream_of_suppressions_is_accepted_by_name(suppressions):
    columns = {"provider": {"type": "string"}, "email": {"type": "string"}, "reason": {"type": "string"}}
    row = {"provider": "ses", "email": ADA, "reason": "BOUNCE"}
    rows = [schema("ses_suppressions", columns, ["email"])]
    rows += [{"type": "RECORD", "stream": "ses_suppressions", "record": row}]
    assert "ses_suppressions" in str(suppressions.deliver(rows).error)
    assert suppressions.deliver(rows, streams={"ses_suppressions": {}}).counts() == {"delivered": 1}
    assert suppressions.suppressed() == {ADA: "BOUNCE"}


def test_p9_a_list_makes_no_sense_here(suppressions):
    assert "remove `list`" in str(suppressions.deliver([table(), person(1)], list=LIST).error)


@pytest.mark.slow
def test_removals_are_cut_by_the_documented_limit(ses, monkeypatch):
    ses.config |= {"ses_target": "suppression_list", "list": None, "properties": None, "ses_allow_unsuppress": True}
    monkeypatch.setattr("target_mailing.ses.suppression_list._MOST_DELETE", 30)
    ses.ses.change(ses_max_suppressions_delete=30)
    ses.suppress(*(f"person{n}@example.com" for n in range(70)))
    removed = ses.deliver([table(), *people(range(70))], action="remove", max_removals="100%")
    assert removed.counts() == {"delivered": 70}
    assert [job["total"] for job in ses.jobs()] == [30, 30, 10]
    assert ses.suppressed() == {}
