"""What the HTTP client of all providers does with paces and refusals."""

from __future__ import annotations

import httpx
import pytest

from mailing_api.errors import MailingError, RateLimited, RequestRefused, UnreadableAnswer
from mailing_api.http.client import HttpClient
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy


def made(answer, read_error=lambda asked, _: RequestRefused(asked), **options):
    patience = {"retry": RetryPolicy(throttle_base=0, throttle_tries=3), "sleep": lambda _: None}
    options = patience | {"pace": Pace(sleep=lambda _: None)} | options
    return HttpClient(
        provider="Test", account="default", base_url="https://test", auth=httpx.Auth(), user_agent="test",
        read_error=read_error, transport=httpx.MockTransport(answer), **options,
    )  # fmt: skip


def get(client, **options):
    return client.request("GET", "/", lambda answer: answer.text, route="/", **options)


def test_a_request_waits_for_its_own_pace_and_for_the_accounts():
    slept = {"account": [], "own": []}
    account = Pace(10.0, sleep=slept["account"].append)
    own = Pace(2.0, sleep=slept["own"].append)
    client = made(lambda _: httpx.Response(200), pace=account)
    get(client, pace=own)
    get(client, pace=own)
    get(client)
    assert [round(seconds, 1) for seconds in slept["own"]] == [0.5]
    assert [round(seconds, 1) for seconds in slept["account"]] == [0.1, 0.2]


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 400])
def test_a_refusal_slows_the_pace_of_its_request_alone(status):
    account, own = Pace(), Pace()
    answers = iter([httpx.Response(status)])
    client = made(
        lambda _: next(answers, httpx.Response(200, text="done")),
        lambda asked, _: RateLimited(asked, status=status),
        pace=account,
    )
    assert get(client, pace=own) == "done"
    assert own.rate is not None
    assert account.rate is None


def test_what_the_provider_calls_too_many_is_tried_as_often_as_a_429():
    requests = []
    client = made(lambda request: requests.append(request) or httpx.Response(400), lambda asked, _: RateLimited(asked))
    with pytest.raises(RateLimited):
        get(client)
    assert len(requests) == 3


def test_other_refusals_slow_nothing():
    own = Pace()
    with pytest.raises(MailingError):
        get(made(lambda _: httpx.Response(400)), pace=own)
    assert own.rate is None


@pytest.mark.parametrize("status", [301, 302, 303, 307])
def test_a_redirection_is_no_answer(status):
    requests = []
    client = made(lambda request: requests.append(request) or httpx.Response(status, headers={"Location": "/else"}))
    with pytest.raises(UnreadableAnswer, match="base URL") as raised:
        client.request("POST", "/", lambda _: "done", route="/")
    assert raised.value.maybe_done
    assert len(requests) == 1
    assert client.request("POST", "/", lambda answer: answer.status_code, route="/", redirects=True) == status


def test_nothing_changed_is_an_answer():
    assert made(lambda _: httpx.Response(304)).request("PUT", "/", lambda _: "done", route="/") == "done"
