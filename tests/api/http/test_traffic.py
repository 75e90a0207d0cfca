"""Calls, retries, refusals as too many, and the seconds spent waiting, as `Traffic` counts them."""

from __future__ import annotations

import threading

import httpx
import pytest

from mailing_api.errors import ProviderFault, RateLimited
from mailing_api.http.client import HttpClient
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.http.traffic import Traffic, TrafficTotals


@pytest.fixture
def traffic():
    return Traffic()


def client(traffic, *statuses, pace=None):
    """Answers with these statuses, then with 200; it asks for waits of two seconds, and nobody sleeps."""
    answers = iter([httpx.Response(status, headers={"Retry-After": "2"}) for status in statuses])
    return HttpClient(
        provider="Test", account="default", base_url="https://test", auth=httpx.Auth(),
        read_error=lambda asked, answer: ProviderFault(asked, status=answer.status_code),
        retry=RetryPolicy(throttle_base=0, fault_base=0, throttle_tries=3), traffic=traffic,
        pace=pace or Pace(sleep=lambda _: None, clock=lambda: 0.0, floor=1000.0), sleep=lambda _: None,
        transport=httpx.MockTransport(lambda _: next(answers, httpx.Response(200))),
    )  # fmt: skip


def get(client, **options):
    return client.request("GET", "/", lambda answer: answer.text, route="/", **options)


def test_a_call_that_is_answered_at_once(traffic):
    get(client(traffic))
    assert traffic.totals == TrafficTotals(calls=1)


def test_a_retry_is_a_call_of_its_own_and_its_wait_counts(traffic):
    get(client(traffic, 503))
    assert traffic.totals == TrafficTotals(calls=2, retries=1, waited=2.0)


def test_refusals_as_too_many_are_counted_also_the_last_one(traffic):
    pace = Pace(sleep=lambda _: None, clock=iter(range(0, 1000, 10)).__next__)  # no turn has to be waited for
    with pytest.raises(RateLimited):
        get(client(traffic, 429, 429, 429, pace=pace))
    assert traffic.totals == TrafficTotals(calls=3, retries=2, throttled=3, waited=4.0)


def test_turns_at_the_accounts_pace_and_at_the_requests_own_count_as_waited(traffic):
    account, own = (Pace(rate, sleep=lambda _: None, clock=lambda: 0.0) for rate in (10.0, 2.0))
    asked = client(traffic, pace=account)
    for _ in range(2):
        get(asked, pace=own)
    assert traffic.totals == TrafficTotals(calls=2, waited=pytest.approx(0.1 + 0.5))


def test_a_caller_that_repeats_a_request_itself_counts_alike(traffic):
    asked = client(traffic)
    asked.rest(ProviderFault("down", retry_after=3.0), 1)
    assert asked.delay(RateLimited("too many", retry_after=4.0), 1) == 4.0
    assert traffic.totals == TrafficTotals(retries=2, waited=7.0)
    with pytest.raises(ProviderFault):
        asked.rest(ProviderFault("down"), 100)
    assert traffic.totals.retries == 2


def test_threads_lose_no_call(traffic):
    def work():
        for _ in range(1000):
            traffic.sent()
            traffic.waits(0.5)
            traffic.retries(0.5)
            traffic.throttled()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert traffic.totals == TrafficTotals(4000, 4000, 4000, 4000.0)
