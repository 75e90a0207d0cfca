"""Words of Amazon SES that its model does not have: nothing follows from them that they might not mean."""

from __future__ import annotations

import pytest

from mailing_api.errors import RequestRefused
from mailing_api.ses.answers import is_stale_token, refuses_page_size
from mailing_api.ses.words import has_ended, is_full, is_invalid, job_status, suppression_reason

ENDED = {"CompletedTimestamp": 1767225600.0}


@pytest.mark.parametrize(
    ("word", "status", "ended", "with_end"),
    [
        ("COMPLETED", "COMPLETED", True, True),
        (" Completed ", "COMPLETED", True, True),
        ("failed", "FAILED", True, True),
        ("Canceled", "CANCELLED", True, True),
        ("ERROR", "ERROR", True, True),
        ("CREATED", "CREATED", False, False),
        ("processing", "PROCESSING", False, False),
        ("Timed out", "TIMED_OUT", False, True),
        ("completed-with-errors", "COMPLETED_WITH_ERRORS", False, True),
        ("", "", False, True),
        (None, "", False, True),
        (5, "5", False, True),
    ],
)
def test_a_job_with_an_unknown_status_has_ended_only_if_it_says_when(word, status, ended, with_end):
    row = {"JobStatus": word}
    assert (job_status(row), has_ended(row), has_ended(row | ENDED)) == (status, ended, with_end)


@pytest.mark.parametrize(
    ("told", "reason"), [("BOUNCE", "BOUNCE"), (" Bounce", "BOUNCE"), (None, ""), (5, ""), ("X", "X")]
)
def test_a_reason_of_another_form_is_read(told, reason):
    assert suppression_reason({"Reason": told}) == reason


@pytest.mark.parametrize("code", ["BadRequestException", "ValidationException", "InvalidParameterValue"])
def test_refusals_for_what_is_said_have_several_codes(code):
    assert is_invalid(RequestRefused("", code=code))
    assert is_stale_token(RequestRefused("", code=code))
    for said in ("1 validation error: pageSize", "Page size must be at most 100", "invalid max_results"):
        assert refuses_page_size(RequestRefused("", code=code, said=said))
    assert not refuses_page_size(RequestRefused("", code=code, said="no such page"))


@pytest.mark.parametrize("code", ["AccountSuspendedException", "UnknownOperationException", None])
def test_other_refusals_are_about_no_row(code):
    error = RequestRefused("", code=code, said="page size")
    assert [reads(error) for reads in (is_invalid, is_stale_token, refuses_page_size, is_full)] == [False] * 4


@pytest.mark.parametrize("code", ["LimitExceededException", "ServiceQuotaExceededException"])
def test_as_many_jobs_as_there_may_be_have_several_codes(code):
    assert is_full(RequestRefused("", code=code))
