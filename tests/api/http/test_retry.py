from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.errors import RequestRefused, UnreadableAnswer
from mailing_api.http.retry import RetryPolicy, parse_retry_after, retry_delay

POLICY = RetryPolicy()


def delay(**changes):
    asked = {
        "method": "GET",
        "idempotent": False,
        "status": 500,
        "attempt": 1,
        "retry_after": None,
        "exception": None,
        "jitter": 0.5,
    }
    return retry_delay(POLICY, **{**asked, **changes})


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 429])
def test_a_get_is_tried_again(status):
    assert delay(status=status) is not None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_refusal_is_final(status):
    assert delay(status=status) is None


def test_a_post_is_not_repeated_when_it_may_have_been_done():
    assert delay(method="POST") is None
    assert delay(method="POST", status=None, exception=httpx.ReadTimeout("")) is None


def test_a_post_is_repeated_when_it_was_not_done():
    assert delay(method="POST", status=429) is not None
    assert delay(method="POST", status=None, exception=httpx.ConnectError("")) is not None


def test_an_idempotent_post_is_repeated():
    assert delay(method="POST", idempotent=True) is not None


@pytest.mark.parametrize("exception", [httpx.ReadTimeout(""), httpx.RemoteProtocolError(""), UnreadableAnswer("")])
def test_a_lost_or_cut_answer_is_asked_for_again(exception):
    assert delay(status=200, exception=exception) is not None


def test_a_refusal_told_as_exception_is_final():
    assert delay(status=400, exception=RequestRefused("")) is None


def test_patience_ends():
    assert delay(attempt=POLICY.fault_tries - 1) is not None
    assert delay(attempt=POLICY.fault_tries) is None
    assert delay(status=429, attempt=POLICY.throttle_tries - 1) is not None
    assert delay(status=429, attempt=POLICY.throttle_tries) is None


def test_retry_after_is_honoured_and_bounded():
    assert delay(status=429, retry_after=7.0, jitter=0.0) == 7.0
    assert delay(status=429, retry_after=1e9, jitter=0.0) == POLICY.retry_after_cap


@pytest.mark.parametrize("asked", [1.0, 60.0, 600.0, 1800.0, 3599.0, 3600.0, 1e9])
@pytest.mark.parametrize("status", [429, 503])
def test_waits_that_the_provider_asks_for_have_an_end(asked, status):
    waited = 0.0
    for attempt in range(1, 100):
        wait = delay(status=status, retry_after=asked, attempt=attempt, jitter=0.0)
        if wait is None:
            break
        waited += wait
    assert wait is None
    assert waited <= 2 * POLICY.retry_after_cap


@given(attempt=st.integers(1, 7), jitter=st.floats(0, 1, exclude_max=True), status=st.sampled_from([429, 500]))
def test_the_wait_is_jittered_from_zero_and_capped(attempt, jitter, status):
    found = delay(status=status, attempt=attempt, jitter=jitter)
    cap = POLICY.throttle_cap if status == 429 else POLICY.fault_cap
    assert found is None or 0 <= found <= cap
    assert delay(status=status, attempt=attempt, jitter=0.0) in (0.0, None)


NOW = datetime(2026, 3, 5, 9, 41, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("Thu, 05 Mar 2026 09:42:07 GMT", 60.0),
        ("Thu, 05 Mar 2026 09:42:07 -0000", 60.0),
        ("Thu, 05 Mar 2026 09:40:07 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_both_forms_of_retry_after_are_read(value, seconds):
    assert parse_retry_after(value, now=NOW) == seconds
