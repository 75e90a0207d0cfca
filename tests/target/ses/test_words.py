"""Words that Amazon SES's model does not have: of jobs, of refusals, and of suppressions."""

from __future__ import annotations

import json

import pytest

from tests.target.conftest import person, schema, state
from tests.target.ses.conftest import GONE

#: Each waits for answers of a sandbox of its own.
pytestmark = pytest.mark.slow

ENDED = {"CompletedTimestamp": 1767225600.0}
SUPPRESSIONS = {"ses_target": "suppression_list", "ses_allow_unsuppress": True, "list": None, "properties": None}


def say(ses, path, *, method="GET", status=200, times=None, headers=None, **members):
    """Let calls be answered with these members."""
    ses.sandbox.faults.add(
        kind="status", status=status, method=method, path=path, times=times, content=json.dumps(members),
        headers=headers or {},
    )  # fmt: skip


@pytest.mark.parametrize("status", ["Completed", "completed "])
def test_a_status_in_other_letters_is_the_same(ses, status):
    say(ses, "/v2/email/import-jobs/*", JobStatus=status, ProcessedRecordsCount=2, FailedRecordsCount=0)
    result = ses.deliver([schema(), person(1), person(2), state(1)])
    assert (result.counts(), result.states, len(ses.jobs())) == ({"delivered": 2}, [1], 1)


@pytest.mark.parametrize("is_there", [True, False])
def test_after_an_unknown_end_of_a_job_whoever_is_not_there_is_not_delivered(ses, is_there):
    if is_there:
        ses.add({"email": "person1@example.com"})
    ses.ses.plan_jobs([{"hold": True}])
    told = {"JobStatus": "Succeeded", "ProcessedRecordsCount": 1, "FailedRecordsCount": 0}
    say(ses, "/v2/email/import-jobs/*", **told, **ENDED)
    result = ses.deliver([schema(), person(1, city=None, name=None), state(1)])
    assert (result.error, result.states) == (None, [1])
    assert result.counts() == ({"delivered": 1} if is_there else {"rejected": 1})


def test_an_unknown_status_without_an_end_is_waited_for(ses):
    say(ses, "/v2/email/import-jobs/*", JobStatus="Pondering", times=3)
    result = ses.deliver([schema(), person(1), state(1)])
    assert (result.counts(), result.states) == ({"delivered": 1}, [1])


@pytest.mark.parametrize("route", ["import", "direct"])
@pytest.mark.parametrize("code", ["ValidationException", "InvalidParameterValueException"])
def test_a_removal_that_is_refused_by_another_code_is_the_only_reject(ses, route, code):
    ses.add({"email": "odd@example.com"}, {"email": "person1@example.com"})
    say(ses, "*odd@*", status=400, method="*", message="no", headers={"x-amzn-errortype": code})
    rows = [person(1, **GONE), person(9, email="odd@example.com", **GONE)]
    result = ses.deliver([schema(), *rows, state(1)], route=route)
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == {"refused_by_provider": 1}
    assert ses.contacts().keys() == {"odd@example.com"}


def test_a_job_is_waited_for_whatever_code_says_that_there_are_too_many(ses):
    headers = {"x-amzn-errortype": "ServiceQuotaExceededException"}
    say(ses, "/v2/email/import-jobs", status=400, method="POST", message="no", headers=headers, times=2)
    assert ses.deliver([schema(), person(1), state(1)]).counts() == {"delivered": 1}


@pytest.mark.parametrize("route", ["import", "direct"])
@pytest.mark.parametrize("shown", [{}, {"Reason": None}, {"Reason": "Manual"}])
def test_p5_an_address_without_a_reason_is_suppressed_all_the_same(ses, route, shown):
    ses.suppress("person1@example.com", "person2@example.com")
    say(ses, "*/addresses/person1@*", SuppressedDestination={"EmailAddress": "person1@example.com", **shown})
    rows = [person(1, **GONE), person(2, **GONE), state(1)]
    result = ses.deliver([schema(), *rows], route=route, **SUPPRESSIONS)
    assert (result.error, result.counts()) == (None, {"delivered": 2})
    assert ses.suppressed() == {}
