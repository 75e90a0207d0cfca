"""The PostGrid client over a fake network: pages that prove themselves, errors that quote nothing, secrets kept."""

from __future__ import annotations

import logging

import httpx
import pytest

from mailing_api.errors import (
    AuthenticationError,
    ConfigurationError,
    IncompleteExtraction,
    NotFound,
    PermissionDenied,
    ProviderFault,
    RateLimited,
    RequestRefused,
    UnreadableAnswer,
)
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.postgrid.answers import read_error, redacted
from mailing_api.postgrid.client import PostgridClient
from mailing_api.postgrid.settings import endpoint, postgrid_pace

HASTY = RetryPolicy(throttle_base=0, fault_base=0)
KEY = "test_sk_canary"
DATE = "Tue, 03 Feb 2026 14:05:06 GMT"


def client(answer, **options):
    options = {"api_key": KEY, "sleep": lambda _: None, "pace": Pace(1e6), "retry": HASTY} | options
    return PostgridClient(transport=httpx.MockTransport(answer), **options)


def refusal(status, kind, message="canary@inbox.test"):
    return httpx.Response(status, json={"object": "error", "error": {"type": kind, "message": message}})


class Listing:
    """Rows by place; `between` changes them after each request, `told` is what the envelope holds."""

    def __init__(self, rows, between=lambda rows, number: None, told=("totalCount", "skip", "limit")):
        self.rows = list(rows)
        self.requests = []
        self._between = between
        self._told = told

    def __call__(self, request):
        skip, limit = int(request.url.params["skip"]), int(request.url.params["limit"])
        data = [{"id": f"contact_{row}", "updatedAt": "2026-02-03T14:05:06.123Z"} for row in self.rows]
        told = {"totalCount": len(data), "skip": skip, "limit": limit}
        body = {"object": "list", **{name: told[name] for name in self._told}, "data": data[skip : skip + limit]}
        self.requests.append(skip)
        self._between(self.rows, len(self.requests))
        return httpx.Response(200, json=body, headers={"Date": DATE})


def read(listing, *, ahead=1, **options):
    return [row["id"] for page in client(listing, **options).rows("contacts", ahead=ahead) for row in page]


@pytest.mark.parametrize("told", [("totalCount", "skip", "limit"), ("totalCount",), ()])
@pytest.mark.parametrize("ahead", [1, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 99, 100, 101, 199, 200, 1234])
def test_every_row_is_read_once(count, ahead, told):
    listing = Listing(range(count), told=told)
    assert read(listing, ahead=ahead) == [f"contact_{number}" for number in range(count)]
    assert len(listing.requests) <= count // 99 + 3 + (0 if told else 8)


def test_nothing_is_asked_for_beyond_the_end():
    listing = Listing(range(1000))
    read(listing, ahead=4)
    assert max(listing.requests) < 1000


@pytest.mark.parametrize("ahead", [1, 4])
def test_p6_rows_that_leave_while_paging_hide_no_others(ahead):
    def leave(rows, number):
        if number in (2, 3, 5):
            del rows[:number]

    found = read(Listing(range(900), leave), ahead=ahead)
    assert set(found) == {f"contact_{number}" for number in range(900)}


def test_p6_a_listing_that_ends_before_its_total_fails():
    def answer(request):
        data = [{"id": f"contact_{number}"} for number in range(100)] if request.url.params["skip"] == "0" else []
        return httpx.Response(200, json={"totalCount": 230, "data": data})

    with pytest.raises(UnreadableAnswer, match="too short to prove"):
        read(answer)


def test_p6_a_server_that_ignores_skip_fails():
    rows = [{"id": f"contact_{number}"} for number in range(100)]
    with pytest.raises(UnreadableAnswer, match="does not begin at the requested row"):
        read(lambda _: httpx.Response(200, json={"skip": 0, "data": rows}))
    with pytest.raises(IncompleteExtraction, match="PostGrid contacts: rows moved"):
        read(lambda _: httpx.Response(200, json={"data": rows}))


def test_requests_are_as_documented():
    asked = []
    listing = Listing(range(3))
    sent = client(lambda request: asked.append(request) or listing(request), user_agent="tests/1")
    assert len(sent.sample("mailing_list_imports", 1000)) == 3
    (request,) = asked
    assert str(request.url) == "https://api.postgrid.com/print-mail/v1/mailing_list_imports?skip=0&limit=100"
    assert request.headers["X-API-Key"] == KEY
    assert request.headers["User-Agent"] == "tests/1"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://api.postgrid.com", "https://api.postgrid.com/print-mail/v1"),
        ("https://api.postgrid.com/", "https://api.postgrid.com/print-mail/v1"),
        ("https://api.postgrid.com/print-mail/v1/", "https://api.postgrid.com/print-mail/v1"),
        ("https://api.postgrid.com/print-mail/v2", "https://api.postgrid.com/print-mail/v2"),
        ("http://proxy.test:8080/pg/print-mail/v1", "http://proxy.test:8080/pg/print-mail/v1"),
    ],
)
def test_the_base_url_may_name_product_and_version(given, used):
    assert endpoint(given) == used


@pytest.mark.parametrize(
    ("date", "known"),
    [(DATE, True), ("Tue, 03 Feb 2026 14:05:06 -0000", True), ("", False), ("soon", False), ("2026-02-03", False)],
)
def test_a_listing_knows_when_it_began_by_the_servers_clock(date, known):
    headers = {"Date": date} if date else {}
    listing = client(lambda _: httpx.Response(200, json={"data": []}, headers=headers)).rows("contacts")
    assert listing.began is None
    assert list(listing) == []
    assert (listing.began is not None) is known
    if known:
        assert "2026-02-03T14:05:00" < listing.began <= "2026-02-03T14:05:06.000000Z"


def test_time_that_passed_before_an_answer_counts_as_before_it_began():
    def answer(_):
        now.append(2.5)
        return httpx.Response(200, json={"data": []}, headers={"Date": DATE})

    now = []
    listing = client(answer).rows("contacts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mailing_api.postgrid.client.time.monotonic", lambda: sum(now))
        list(listing)
    assert listing.began == "2026-02-03T14:05:03.500000Z"


@pytest.mark.parametrize(
    ("answer", "error", "said", "tries"),
    [
        (refusal(401, "missing_auth_error"), AuthenticationError, "missing_auth_error", 1),
        (refusal(401, "invalid_api_key_error", f"Invalid API key {KEY}"), AuthenticationError, "postgrid_api_key", 1),
        (httpx.Response(401), AuthenticationError, "HTTP 401", 1),
        (refusal(401, "permission_missing_error"), PermissionDenied, "administrator", 1),
        (refusal(403, "some_error"), PermissionDenied, "some_error", 1),
        (refusal(404, "contact_not_found_error"), NotFound, "contact_not_found_error", 1),
        (refusal(404, "not_found_error"), NotFound, "postgrid_base_url", 1),
        (httpx.Response(404, html="canary"), NotFound, "postgrid_base_url", 1),
        (refusal(400, "validation_error"), RequestRefused, "HTTP 400, validation_error", 1),
        (refusal(409, "mailing_list_busy_error"), RequestRefused, "mailing_list_busy_error", 1),
        (refusal(422, "anything.at_all"), RequestRefused, "anything.at_all", 1),
        (refusal(422, "canary@inbox.test"), RequestRefused, "HTTP 422.", 1),
        (refusal(422, KEY), RequestRefused, "HTTP 422.", 1),
        (httpx.Response(422, json={"error": "canary"}), RequestRefused, "HTTP 422.", 1),
        (httpx.Response(408), ProviderFault, "HTTP 408", 5),
        (refusal(429, "rate_limit_exceeded_error"), RateLimited, "max_requests_per_second", 8),
        (refusal(500, "internal_service_error"), ProviderFault, "internal_service_error", 5),
        (refusal(503, "service_unavailable_error"), ProviderFault, "HTTP 503", 5),
        (httpx.Response(504, html="<html>canary</html>"), ProviderFault, "HTTP 504", 5),
        (httpx.Response(302, headers={"Location": "https://canary.test"}), UnreadableAnswer, "read", 5),
        (httpx.Response(200, html="<html>canary</html>"), UnreadableAnswer, "could not be read", 5),
        (httpx.Response(200, json={"data": [{"id": None}]}), UnreadableAnswer, "could not be read", 5),
        (httpx.Response(200, json={"data": [{"id": ""}]}), UnreadableAnswer, "could not be read", 5),
        (httpx.Response(200, json={"data": {}}), UnreadableAnswer, "could not be read", 5),
    ],
)
def test_errors_say_who_must_act_and_quote_nothing(answer, error, said, tries, caplog):
    caplog.set_level(logging.DEBUG)
    asked = []
    with pytest.raises(error, match=said) as raised:
        read(lambda request: asked.append(request) or answer)
    assert len(asked) == tries
    assert "canary" not in str(raised.value) + caplog.text


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_what_postgrid_says_is_kept_without_keys_and_signatures(status):
    message = (
        f"Invalid {KEY}, live_sk_canary2: https://files.test/a.csv?sig=canary3&x=1, \"http://b.test?canary4\" 'to'"
    )
    error = read_error("asked", refusal(status, "validation_error", message), key="other")
    assert error.said == (
        "Invalid [key], [key]: https://files.test/a.csv?[signature] \"http://b.test?[signature]\" 'to'"
    )
    assert "canary" not in str(error)
    assert read_error("asked", refusal(400, "x_error", "Invalid API key secret"), key="secret").said == (
        "Invalid API key [key]"
    )


def test_a_text_without_secrets_stays():
    said = "Failed to satisfy the following constraints: 'to' is not a valid contact or contact ID, testing live_it https://files.test/a.csv"
    assert redacted(said, "") == said


def test_a_wait_is_as_long_as_postgrid_says():
    waited = []
    answers = iter([httpx.Response(429, headers={"Retry-After": "7"}), httpx.Response(200, json={"data": []})])
    assert read(lambda _: next(answers), sleep=waited.append) == []
    assert waited == [7.0]


def test_the_pace_is_four_a_second_unless_told():
    assert postgrid_pace().rate == 4.0
    assert postgrid_pace(20).rate == 20


@pytest.mark.parametrize("live", [True, False])
def test_rows_of_the_other_data_are_refused(live):
    rows = [{"id": "contact_1", "live": live}, {"id": "contact_2"}]
    answer = httpx.Response(200, json={"data": rows})
    assert len(client(lambda _: answer, live=live).sample("contacts", 2)) == 2
    with pytest.raises(ConfigurationError, match="`postgrid_live`"):
        client(lambda _: answer, live=not live).sample("contacts", 2)


# Settings


def test_settings_fall_back_to_the_official_environment():
    environ = {"POSTGRID_PRINT_MAIL_API_KEY": KEY, "POSTGRID_BASE_URL": "https://pg.test"}
    sent = PostgridClient.from_settings(
        {"postgrid_account": "print"},
        environ=environ,
        transport=httpx.MockTransport(echo),
        max_requests_per_second=1e6,
    )
    assert sent.account == "print"
    assert sent.sample("contacts", 1) == [
        {"id": "contact_1", "asked": f"https://pg.test/print-mail/v1/contacts?skip=0&limit=1 {KEY}"}
    ]


def echo(request):
    asked = f"{request.url} {request.headers['X-API-Key']}"
    return httpx.Response(200, json={"data": [{"id": "contact_1", "asked": asked}]})


@pytest.mark.parametrize("config", [{}, {"postgrid_api_key": ""}, {"postgrid_base_url": "https://api.postgrid.com"}])
def test_p9_a_missing_key_is_named(config):
    with pytest.raises(ConfigurationError, match=r"`postgrid_api_key`.*POSTGRID_PRINT_MAIL_API_KEY"):
        PostgridClient.from_settings(config, environ={})


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"postgrid_api_key": "live_sk_canary", "postgrid_live": False}, "postgrid_live"),
        ({"postgrid_api_key": "test_sk_canary", "postgrid_live": True}, "postgrid_live"),
        ({"postgrid_api_key": " test_sk_canary"}, "postgrid_api_key"),
        ({"postgrid_api_key": "test_sk_canary\n"}, "postgrid_api_key"),
        ({"postgrid_api_key": "test_sk_canary", "postgrid_base_url": "canary.test"}, "postgrid_base_url"),
        ({"postgrid_api_key": "test_sk_canary", "postgrid_base_url": "https://x.test?canary"}, "postgrid_base_url"),
    ],
)
def test_p9_a_wrong_setting_is_named_and_not_quoted(config, named):
    with pytest.raises(ConfigurationError, match=f"`{named}`") as raised:
        PostgridClient.from_settings(config, environ={})
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("live", [None, True])
def test_a_key_of_another_form_may_be_a_live_key(live):
    found = PostgridClient.from_settings({"postgrid_api_key": "sk_live_x", "postgrid_live": live}, environ={})
    found.close()
