"""Whatever a server answers, a client raises one of its own errors, which quotes nothing of the answer."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from itertools import combinations, product

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailing_api.errors import MailingError, ProviderFault, UnreadableAnswer
from mailing_api.http.pace import Pace
from mailing_api.http.retry import RetryPolicy
from mailing_api.mailjet.answers import values_of
from mailing_api.mailjet.client import MailjetClient
from mailing_api.postgrid.client import PostgridClient
from mailing_api.ses.answers import answer as answer_of_ses
from mailing_api.ses.answers import page_of
from tests.api.clients import CLIENTS, HASTY
from tests.raw import answer, raw_server, saying
from tests.searching import LENGTH, examples

URL = "https://provider.example"
ONE_TRY = RetryPolicy(fault_tries=1, throttle_tries=1)

DEEP = b"[" * 100_000
DEEP_OBJECT = b'{"a":' * 100_000

BODIES = {
    "HTML": b"<html>canary</html>",
    "nothing": b"",
    "text": b"canary",
    "not UTF-8": b'{"Data": "\xff\xfe canary"}',
    "half a surrogate pair": b'{"Data": "\\ud800canary"}',
    "cut off": b'{"Data": [{"ID": 1, "canary',
    "deep": DEEP,
    "deep object": DEEP_OBJECT,
    "another type": b'"canary"',
    "a huge number": b'{"Data": [{"ID": 1e999}], "data": [{"id": 1e999}]}',
    "digits": b"9" * 10_000,
    "NaN": b"NaN",
    "a null": b"null",
    "lists of lists": b"[[[]]]",
}

HEADERS = {
    "plain": [],
    "gzip that is none": [b"Content-Encoding: gzip"],
    "brotli": [b"Content-Encoding: br"],
    "unknown compression": [b"Content-Encoding: \xff"],
    "an odd charset": [b"Content-Type: application/json; charset=base64"],
    "no charset": [b"Content-Type: text/xml; charset=undefined"],
    "bytes": [
        b"Content-Type: \xff\xfe",
        b"X-Canary: \xe9",
        b"Date: \xff",
        b"x-amzn-requestid: \xff",
        b"x-amzn-errortype: \xff",
    ],
    "odd dates": [b"Date: soon", b"Retry-After: 9999999999999999999999", b"X-RateLimit-Reset: -1"],
}

STATUSES = [200, 201, 204, 206, 304, 400, 401, 403, 404, 408, 409, 413, 422, 500, 503, 599]

each_client = pytest.mark.parametrize("client", CLIENTS)


@pytest.fixture(autouse=True, scope="module")
def _no_aws_of_this_machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aws")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_CA_BUNDLE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        yield


def outcome(client, url=URL, **options):
    """The error that a client raises; None if it could do with the answer."""
    try:
        CLIENTS[client](url, **options)
    except MailingError as error:
        found = error
    else:
        return None
    assert "canary" not in str(found)
    assert "report this" not in str(found)
    return found


class Stream(httpx.SyncByteStream):
    def __init__(self, content):
        self._content = content

    def __iter__(self):
        yield self._content


def served(status, headers, body):
    def handle(_):
        return httpx.Response(status, headers=headers, stream=Stream(body))

    return httpx.MockTransport(handle)


def statuses_and_bodies(headers):
    """All of them; in a short search as many as give each pair of a status, a body and headers."""
    turn = [*HEADERS].index(headers)
    return [
        (status, body)
        for (at, status), (number, body) in product(enumerate(STATUSES), enumerate(BODIES.values()))
        if LENGTH != "short" or (at + number) % len(HEADERS) == turn
    ]


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("headers", HEADERS)
@each_client
def test_p9_whatever_a_server_answers_is_one_of_the_errors(client, headers):
    raw = [tuple(header.split(b": ", 1)) for header in HEADERS[headers]]
    for status, body in statuses_and_bodies(headers):
        outcome(client, transport=served(status, raw, body), retry=ONE_TRY)


def test_a_short_search_answers_with_each_pair_of_status_body_and_headers():
    cases = [(status, body, headers) for headers in HEADERS for status, body in statuses_and_bodies(headers)]
    for one, other in combinations((STATUSES, [*BODIES.values()], [*HEADERS]), 2):
        found = {pair for case in cases for pair in combinations(case, 2)}
        assert found >= {*product(one, other)}


@pytest.mark.parametrize("body", ["HTML", "text", "cut off", "deep", "deep object", "not UTF-8", "another type"])
@pytest.mark.parametrize("client", ["mailjet", "postgrid", "mpdx", "ses", "s3"])
def test_an_answer_that_cannot_be_read_is_asked_for_again(client, body):
    asked = []

    def handle(request):
        asked.append(request)
        return httpx.Response(200, stream=Stream(BODIES[body]))

    error = outcome(client, transport=httpx.MockTransport(handle))
    assert isinstance(error, UnreadableAnswer)
    assert len(asked) == 5


@each_client
def test_plain_bytes_that_are_called_gzip_are_asked_for_again(client):
    with raw_server(saying(answer(b'{"Data": []}', b"Content-Encoding: gzip"))) as server:
        assert isinstance(outcome(client, server.url), UnreadableAnswer)
        assert len(server.heads) == (4 if client == "file" else 5)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"canary\r\n\r\n",
        b"HTTP/1.1 999999 canary\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncanary\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: canary\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"canary" * 30_000,
        b"\x16\x03\x01canary",
    ],
    ids=range(10),
)
@each_client
def test_what_is_no_http_is_a_fault_of_the_provider(client, content):
    with raw_server(saying(content)) as server:
        assert isinstance(outcome(client, server.url), ProviderFault)


# Answers that are nearly right

VALID = {
    "mailjet": {"Count": 1, "Data": [{"ID": 1, "Email": "a@canary.test", "IsDeleted": False}], "Total": 1},
    "postgrid": {
        "object": "list", "totalCount": 1, "skip": 0, "limit": 1,
        "data": [{"id": "contact_1", "metadata": {"a": "b"}, "errors": [{"type": "x", "message": "canary"}]}],
    },
    "mpdx": {
        "data": [{
            "id": "8b3f6c3e-0000-4000-8000-000000000001", "type": "account_lists", "attributes": {"name": "canary"},
            "relationships": {"a": {"data": [{"type": "b", "id": "c"}]}},
        }],
        "meta": {"pagination": {"total_count": 1}, "filter": {}},
        "included": [{"id": "c", "type": "b"}],
    },
    "ses": {
        "EmailAddress": "a@canary.test", "UnsubscribeAll": False, "Topics": [{"TopicName": "canary"}],
        "TopicPreferences": [{"TopicName": "canary", "SubscriptionStatus": "OPT_IN"}],
        "FailureInfo": {"ErrorMessage": "canary"},
    },
}  # fmt: skip

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def places(value, path=()):
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield from places(inner, (*path, name))


def changed(value, path, put):
    if not path:
        return put
    if isinstance(value, dict):
        return {name: changed(one, path[1:], put) if name == path[0] else one for name, one in value.items()}
    return [changed(one, path[1:], put) if place == path[0] else one for place, one in enumerate(value)]


@pytest.mark.slow
@pytest.mark.machine
@settings(max_examples=examples(30, 1000))
@given(data=st.data())
@pytest.mark.parametrize("client", VALID)
def test_p9_answers_with_a_value_of_another_type_are_one_of_the_errors(client, data):
    path = data.draw(st.sampled_from(list(places(VALID[client]))))
    body = json.dumps(changed(VALID[client], path, data.draw(VALUES))).encode()
    status = data.draw(st.sampled_from([200, 200, 400, 500]))
    outcome(client, transport=served(status, {}, body), retry=ONE_TRY)


@pytest.mark.slow
@pytest.mark.machine
@settings(max_examples=examples(30, 1000))
@given(data=st.data())
@pytest.mark.parametrize("client", VALID)
def test_p9_answers_with_changed_bytes_are_one_of_the_errors(client, data):
    body = bytearray(json.dumps(VALID[client]).encode())
    is_packed = data.draw(st.booleans())
    if is_packed:
        body = bytearray(gzip.compress(body, mtime=0))
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))]
    outcome(
        client, transport=served(200, {"Content-Encoding": "gzip"} if is_packed else {}, bytes(body)), retry=ONE_TRY
    )


# Answers of somebody between, which must not pass for "there is nothing"

EMPTY = {
    "mailjet": {"Count": 0, "Data": [], "Total": 0},
    "postgrid": {"object": "list", "totalCount": 0, "skip": 0, "limit": 1, "data": []},
}


@pytest.mark.parametrize("body", [b"", b"<html>canary</html>", b"canary", b"{}", b'{"canary": 1}', b"[]"])
@pytest.mark.parametrize(
    ("make", "ask", "empty"),
    [
        (lambda **o: MailjetClient(api_key="a", secret_key="b", **o), lambda one: one.page("contact", {}), "mailjet"),
        (lambda **o: PostgridClient(api_key="test_sk_a", **o), lambda one: one.sample("contacts", 1), "postgrid"),
    ],
    ids=["mailjet", "postgrid"],
)
def test_p9_a_404_that_the_provider_does_not_explain_is_asked_for_again(make, ask, empty, body):
    found = {"json": EMPTY[empty]}
    answers = [
        {**found},
        {"content": body, "status_code": 404},
        {**found},
        *[{"content": body, "status_code": 404}] * 5,
    ]

    def handle(_):
        return httpx.Response(**{"status_code": 200} | answers.pop(0))

    waits = {"sleep": lambda _: None, "pace": Pace(sleep=lambda _: None)}
    with closing(make(transport=httpx.MockTransport(handle), retry=HASTY, **waits)) as client:
        ask(client)
        ask(client)
        assert len(answers) == 5
        with pytest.raises(UnreadableAnswer, match=r"HTTP 404 without the provider.s explanation"):
            ask(client)


@pytest.mark.parametrize("status", [204, 304])
def test_p5_no_content_is_no_empty_listing_of_mailjet(status):
    error = outcome("mailjet", transport=served(status, {}, b""), retry=ONE_TRY)
    assert isinstance(error, UnreadableAnswer)


@pytest.mark.parametrize(
    "row",
    [{"IsUnsub": True, **one} for one in ({}, {"ListID": None}, {"ListID": ""}, {"listid": 5}, {"ListID": "x"})]
    + [{"ListID": 5, **one} for one in ({}, {"IsUnsub": None}, {"IsUnsub": ""}, {"isunsub": True}, {"IsUnsub": "x"})],
)
def test_p5_a_membership_without_its_list_or_its_flag_tells_nothing(row):
    body = json.dumps({"Data": [row]}).encode()
    client = MailjetClient(api_key="a", secret_key="b", transport=served(200, {}, body), retry=ONE_TRY)
    with closing(client), pytest.raises(UnreadableAnswer):
        client.memberships("ada@example.com")


@pytest.mark.parametrize("data", [None, "canary", 5, {}, {"Name": "city"}, ["city"], [["city", "Lyon"]], [None]])
def test_p1_property_values_that_cannot_be_read_confirm_nothing(data):
    with pytest.raises(UnreadableAnswer):
        values_of({"Data": data})


@pytest.mark.parametrize(
    "found", [{"message": "canary"}, {"Contacts": 0}, {"Contacts": ""}, {"Contacts": False}, {"contacts": [], "a": 1}]
)
def test_p5_what_is_no_page_of_amazon_ses_is_no_empty_one(found):
    with pytest.raises(ValueError, match=r"page|Expected"):
        page_of(found, "Contacts")


@pytest.mark.parametrize("found", ["canary", "null", 5, ["canary"], [["a", "b"]]])
@pytest.mark.parametrize(
    "name",
    ["SuppressedDestination", "FailureInfo", "ImportDataSource", "ImportDestination", "Topics", "UnsubscribeAll"],
)
def test_p9_members_of_another_type_are_an_unreadable_answer_of_amazon_ses(name, found):
    with pytest.raises(ValueError, match="Expected"):
        answer_of_ses(httpx.Response(200, json={name: found}))


@pytest.mark.parametrize("found", [{}, {"Contacts": []}, {"Contacts": None}, {"NextToken": None}])
def test_the_last_page_of_amazon_ses_may_hold_nothing(found):
    assert page_of(found, "Contacts") == ([], None)


@pytest.mark.parametrize("zone", ["GMT", "+0530", "EST"])
@pytest.mark.parametrize("year", ["99999999999999", "0", "-1", "9999", "1"])
@pytest.mark.parametrize("header", [b"Retry-After", b"Date"])
@each_client
def test_p9_dates_beyond_all_calendars_are_no_dates(client, header, year, zone):
    moment = f"Fri, 31 Dec {year} 23:59:59 {zone}".encode()
    for status in (200, 429, 503):
        outcome(client, transport=served(status, [(header, moment)], b"{}"), retry=ONE_TRY)
