"""The MPDX client over a fake network: pages that prove themselves, tickets, errors without quotes."""

from __future__ import annotations

import errno
import itertools
import json
import logging
import os
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from mailing_api.countries import country_code
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
from mailing_api.mpdx.client import MpdxClient, mpdx_pace
from mailing_api.mpdx.documents import covering, date_range

HASTY = RetryPolicy(throttle_base=0, fault_base=0)
MEDIA_TYPE = "application/vnd.api+json"


def client(answer, **options):
    options = {"token": "canary-token", "sleep": lambda _: None, "pace": Pace(1e6), "retry": HASTY} | options
    return MpdxClient(transport=httpx.MockTransport(answer), **options)


def key(number):
    return str(uuid.UUID(int=number, version=4))


def document(rows, *, total, filters=()):
    data = [{"id": key(row), "type": "contacts", "attributes": {"name": row}} for row in rows]
    return httpx.Response(
        200, json={"data": data, "meta": {"pagination": {"total_count": total}, "filter": dict(filters)}}
    )


class Listing:
    """Rows by place; `between` changes them after each request."""

    def __init__(self, rows, between=lambda rows, number: None):
        self.rows = list(rows)
        self.requests = 0
        self._between = between

    def __call__(self, request):
        page, length = int(request.url.params["page"]), int(request.url.params["per_page"])
        answer = document(self.rows[(page - 1) * length : page * length], total=len(self.rows))
        self.requests += 1
        self._between(self.rows, self.requests)
        return answer


def read(listing, **options):
    return [row["name"] for page in client(listing).rows("contacts", **options) for row in page]


@pytest.mark.parametrize("count", [0, 1, 2, 499, 500, 501, 999, 1000, 1001, 4321])
def test_every_row_is_read_once(count):
    listing = Listing(range(count))
    assert read(listing) == list(range(count))
    assert listing.requests <= count // 400 + 2


@pytest.mark.parametrize("most", [100, 500])
def test_a_page_covers_any_row_and_brings_new_ones(most):
    for offset in (*range(3000), 12_345, 99_999, 123_457):
        number, length = covering(offset, most)
        assert 1 <= length <= most
        assert (number - 1) * length <= offset < number * length - 1


def test_p6_rows_that_leave_while_paging_hide_no_others():
    def leave(rows, number):
        if number in (1, 2):
            del rows[:number]

    assert set(read(Listing(range(1600), leave))) == set(range(1600))


def test_p6_a_listing_that_never_stands_still_fails():
    with pytest.raises(IncompleteExtraction):
        read(Listing(range(2000), lambda rows, number: rows.insert(0, 10_000 + number)))


def test_rows_added_at_the_end_are_read():
    new = itertools.count(600)
    rows = read(Listing(range(600), lambda rows, number: rows.append(next(new)) if number < 3 else None))
    assert rows == list(range(602))


@pytest.mark.parametrize(
    ("answer", "error", "said", "tries"),
    [
        (httpx.Response(401), AuthenticationError, "get a new one", 1),
        (httpx.Response(403, json={"errors": [{"status": "403", "detail": "canary"}]}), PermissionDenied, "403", 1),
        (httpx.Response(404, text="canary"), NotFound, "HTTP 404", 1),
        (httpx.Response(406, json={"errors": [{"title": "canary"}]}), RequestRefused, "HTTP 406", 1),
        (httpx.Response(415, json={"errors": "canary"}), RequestRefused, "HTTP 415", 1),
        (
            httpx.Response(400, json={"errors": [{"source": {"pointer": "/data/attributes/name"}, "title": "canary"}]}),
            RequestRefused,
            "/data/attributes/name",
            1,
        ),
        (
            httpx.Response(400, json={"errors": [{"source": {"pointer": "canary@inbox.test"}}]}),
            RequestRefused,
            "400",
            1,
        ),
        (httpx.Response(429, text="canary"), RateLimited, "max_requests_per_second", 8),
        (httpx.Response(500, json={"errors": []}), ProviderFault, "HTTP 500", 5),
        (httpx.Response(504, html="<html>canary</html>"), ProviderFault, "HTTP 504", 5),
        (httpx.Response(200, html="<html>canary</html>"), UnreadableAnswer, "could not be read", 5),
        (httpx.Response(200, json={"data": []}), UnreadableAnswer, "could not be read", 5),
        (httpx.Response(200, json={"data": {}, "meta": {}}), UnreadableAnswer, "could not be read", 5),
    ],
)
def test_errors_say_who_must_act_and_quote_nothing(answer, error, said, tries, caplog):
    caplog.set_level(logging.DEBUG)
    asked = []
    with pytest.raises(error, match=said) as raised:
        read(lambda request: asked.append(request) or answer)
    assert len(asked) == tries
    assert "canary" not in str(raised.value) + caplog.text


def test_a_row_without_a_usable_id_is_unreadable():
    data = [{"id": one, "type": "contacts", "attributes": {"name": one}} for one in ("canary", "x")]
    answer = httpx.Response(200, json={"data": data, "meta": {"pagination": {"total_count": 2}}})
    with pytest.raises(UnreadableAnswer, match="usable id"):
        read(lambda _: answer)


def test_a_wait_is_as_long_as_mpdx_says():
    waited = []
    answers = iter([httpx.Response(429, headers={"X-RateLimit-Reset": "7"}), document([], total=0)])
    sent = client(lambda _: next(answers), sleep=waited.append)
    assert [row for page in sent.rows("contacts") for row in page] == []
    assert waited == [7.0]


def test_the_pace_is_fifty_in_ten_seconds():
    now = [0.0]
    pace = mpdx_pace()
    pace.clock, pace.sleep = lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds)
    starts = [pace.wait() for _ in range(120)]
    assert starts[:50] == [0.0] * 50
    assert starts[50:100] == [10.0] * 50
    assert starts[100] == 20.0


@pytest.mark.parametrize("since", ["2024-03-01T00:00:00.000000Z", "2024-03-01T00:00:00.999999Z"])
def test_a_range_has_two_ends_in_whole_seconds(since):
    first, last = date_range(since).split("..")
    assert first == "2024-03-01T00:00:00Z"
    ends = datetime.fromisoformat(last)
    assert timedelta(hours=23) < ends - datetime.now(UTC) <= timedelta(days=1)
    assert last.endswith("Z")


def test_linked_resources_take_the_place_of_their_ids():
    included = [{"id": key(9), "type": "addresses", "attributes": {"city": "Oslo"}}]
    relationships = {
        "addresses": {"data": [{"id": key(9), "type": "addresses"}]},
        "people": {"data": [{"id": key(8), "type": "people"}]},
        "spouse": {"data": None},
        "account_list": {"data": {"id": key(7), "type": "account_lists"}},
    }
    data = [{"id": key(1), "type": "contacts", "attributes": {"name": "A"}, "relationships": relationships}]
    meta = {"pagination": {"total_count": 1}}
    answer = httpx.Response(200, json={"data": data, "meta": meta, "included": included})
    (row,) = client(lambda _: answer).sample("contacts", 1)
    assert row == {
        "id": key(1),
        "name": "A",
        "addresses": [{"id": key(9), "city": "Oslo"}],
        "people": [key(8)],
        "spouse": None,
        "account_list": key(7),
    }


@pytest.mark.parametrize("length", [1, 2, 3000])
def test_resources_that_link_to_each_other_end(length):
    """A row, and included resources in a circle: what is further away than one link is an ID."""
    ring = [{"id": key(at), "type": "a", "relationships": to(key(at % length + 1))} for at in range(1, length + 1)]
    data = [{"id": key(1), "type": "rows", "relationships": to(key(1))}]
    answer = httpx.Response(200, json={"data": data, "meta": {"pagination": {"total_count": 1}}, "included": ring})
    (row,) = client(lambda _: answer).sample("contacts", 1)
    assert row == {"id": key(1), "next": {"id": key(1), "next": key(2 if length > 1 else 1)}}


def to(one):
    return {"next": {"data": {"id": one, "type": "a"}}}


@pytest.mark.parametrize("link", [5, "x", True, {}, {"id": "x"}, {"type": "a", "id": 7}, [None], [[]], {"id": []}])
def test_a_link_of_another_form_is_an_unreadable_answer(link):
    data = [{"id": key(1), "type": "rows", "relationships": {"next": {"data": link}}}]
    answer = httpx.Response(200, json={"data": data, "meta": {"pagination": {"total_count": 1}}})
    with pytest.raises(UnreadableAnswer):
        client(lambda _: answer).sample("contacts", 1)
    answer = httpx.Response(201, json={"data": data[0]})
    with pytest.raises(UnreadableAnswer):
        client(lambda _: answer).export(key(0))


def test_a_ticket_is_asked_for_by_an_object_and_a_file_is_asked_for_once():
    requests = []

    def answer(request):
        requests.append(request)
        if request.method == "POST":
            data = {"id": key(len(requests)), "type": "export_logs", "attributes": {"type": "Contacts Mailing"}}
            return httpx.Response(201, json={"data": data})
        return httpx.Response(502) if len(requests) < 4 else httpx.Response(200, text="Contact Name\nA\n")

    export = client(answer, export_filter={"newsletter": "both"}).export(key(0))
    assert [dict(row) for row in export.rows()] == [{"Contact Name": "A"}]
    assert [dict(row) for row in export.rows()] == [{"Contact Name": "A"}], "the file can be read again"
    export.file.close()
    body = json.loads(requests[0].content)["data"]
    assert body["attributes"]["params"]["filter"] == {"newsletter": "both", "account_list_id": key(0)}
    assert [request.method for request in requests] == ["POST", "GET", "POST", "GET"]
    assert requests[1].url.path != requests[3].url.path


@pytest.mark.slow
def test_a_large_file_is_read_from_disk():
    content = b"Contact Name,Greeting\n" + b'"Name, First","Dear\nyou"\n' * 200_000

    def answer(request):
        if request.method == "POST":
            return httpx.Response(201, json={"data": {"id": key(1), "type": "export_logs"}})
        return httpx.Response(200, stream=Chunks(content))

    export = client(answer).export(key(0))
    assert export.row_count == 200_000
    assert export.file._rolled
    assert sum(row["Greeting"] == "Dear\nyou" for row in export.rows()) == 200_000
    export.file.close()


class Chunks(httpx.SyncByteStream):
    def __init__(self, content):
        self._content = content

    def __iter__(self):
        for start in range(0, len(self._content), 100_000):
            yield self._content[start : start + 100_000]


@pytest.mark.parametrize("config", [{}, {"mpdx_token": ""}, {"mpdx_base_url": "https://api.mpdx.org"}])
def test_p9_a_missing_token_is_named(config):
    with pytest.raises(ConfigurationError, match="`mpdx_token`"):
        MpdxClient.from_settings(config, environ={})


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Germany", "DE"),
        ("germany ", "DE"),
        ("DE", "DE"),
        ("United States of America", "US"),
        ("U.S.A.", "US"),
        ("Côte d'Ivoire", "CI"),
        ("Cote d\u2019Ivoire", "CI"),
        ("St. Lucia", "LC"),
        ("Trinidad & Tobago", "TT"),
        ("Türkiye", "TR"),
        ("DEU", "DE"),
        ("Federal Republic of Germany", "DE"),
        ("Viet Nam", "VN"),
        ("Kosovo", "XK"),
        ("Atlantis", None),
        ("", None),
        (None, None),
    ],
)
def test_countries_by_name(name, code):
    assert country_code(name) == code


def test_p9_a_full_disk_under_an_export_is_told_with_what_to_do(monkeypatch):
    def write(self, piece):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.SpooledTemporaryFile.write", write)

    def answer(request):
        if request.method == "POST":
            return httpx.Response(201, json={"data": {"id": key(1), "type": "export_logs"}})
        return httpx.Response(200, content=b"Contact Name\nA\n")

    with pytest.raises(ConfigurationError, match=r"No space left on device.*TMPDIR"):
        client(answer).export(key(0))
