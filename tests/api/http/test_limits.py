"""No answer takes for ever or fills the memory, whichever client asks."""

from __future__ import annotations

import gzip
import io
import time
import zlib

import httpx
import pytest

from mailing_api.errors import IncompleteExtraction, MailingError, ProviderFault, UnreadableAnswer
from mailing_api.http import bodies
from mailing_api.http.client import HttpClient
from mailing_api.http.paging import TokenWalk
from mailing_api.http.retry import RetryPolicy
from tests.api.clients import CLIENTS
from tests.raw import answer, dripping, raw_server, saying

ONE_TRY = RetryPolicy(fault_tries=1, throttle_tries=1)

BEGINNINGS = {
    "the status line": b"HTTP/1.1 2",
    "a header": b"HTTP/1.1 200 OK\r\nServer: ",
    "the body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
    "a chunked body": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nF4240\r\n",
    "a body without end": b"HTTP/1.1 200 OK\r\n\r\n",
    "a refusal": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000000\r\n\r\n",
}

each_client = pytest.mark.parametrize("client", CLIENTS)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize("beginning", BEGINNINGS)
@each_client
def test_bytes_that_keep_trickling_in_end_with_the_time_out(client, beginning):
    with raw_server(dripping(BEGINNINGS[beginning])) as server:
        started = time.monotonic()
        with pytest.raises(ProviderFault, match="ReadTimeout"):
            CLIENTS[client](server.url, timeout=0.2, retry=ONE_TRY)
        assert time.monotonic() - started < 2


def test_a_large_answer_has_longer_than_the_time_out():
    def talk(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (8 * 32768))
        for _ in range(8):
            time.sleep(0.05)
            connection.sendall(b"0" * 32768)

    with raw_server(talk) as server, client_of(server.url, timeout=0.2) as client:
        found = client.request("GET", "/", lambda response: response.content, route="/")
    assert len(found) == 8 * 32768


def client_of(url, **options):
    return HttpClient(
        provider="Test", account="default", base_url=url, auth=httpx.Auth(), retry=ONE_TRY,
        read_error=lambda asked, _: MailingError(asked), **options,
    )  # fmt: skip


# Size


@each_client
@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad Request", b"500 Internal Server Error"])
def test_a_small_answer_that_grows_by_decompression_is_stopped(monkeypatch, client, status):
    monkeypatch.setattr("mailing_api.http.client._MOST", 100_000)
    bomb = gzip.compress(b"[" * 3_000_000)
    assert len(bomb) < 10_000
    with (
        raw_server(saying(answer(bomb, b"Content-Encoding: gzip", status=status))) as server,
        pytest.raises(MailingError) as raised,
    ):
        CLIENTS[client](server.url, retry=ONE_TRY)
    assert isinstance(raised.value, UnreadableAnswer) is status.startswith(b"200")
    assert b"Accept-Encoding: gzip\r\n" in server.heads[0]


def stream(*chunks, encoding="gzip"):
    headers = {"Content-Encoding": encoding} if encoding else {}
    return httpx.Response(200, headers=headers, stream=Chunks(chunks), request=httpx.Request("GET", "https://test"))


class Chunks(httpx.SyncByteStream):
    def __init__(self, chunks):
        self._chunks = chunks

    def __iter__(self):
        yield from self._chunks


TEXT = bytes(range(256)) * 4000
PACKED = gzip.compress(TEXT)


@pytest.mark.parametrize(
    "chunks",
    [
        [PACKED],
        [PACKED[place : place + 7] for place in range(0, len(PACKED), 7)],
        [gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:])],
        [gzip.compress(TEXT[:1000]), gzip.compress(TEXT[1000:])],
        [PACKED, b"\0" * 100],
        [b"", PACKED, b""],
    ],
    ids=["whole", "pieces", "two members", "two members in two pieces", "padding", "empty pieces"],
)
def test_compressed_bodies_come_out_as_they_were(chunks):
    found = bodies.read(stream(*chunks), len(TEXT))
    assert found.content == TEXT
    assert "content-encoding" not in found.headers


@pytest.mark.parametrize(
    ("chunks", "encoding"),
    [
        ([b"plain"], "gzip"),
        ([PACKED[:-9]], "gzip"),
        ([PACKED[:1]], "gzip"),
        ([gzip.compress(PACKED)], "gzip, gzip"),
        ([zlib.compress(TEXT)], "deflate"),
        ([b"x"], "br"),
        ([b"x"], "zstd"),
        ([b"x"], b"\x80"),
    ],
)
def test_other_bodies_are_unreadable(chunks, encoding):
    with pytest.raises(bodies.Unreadable):
        bodies.read(stream(*chunks, encoding=encoding), 10**7)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", " identity , gzip"])
def test_nothing_is_nothing_however_it_is_compressed(encoding):
    assert bodies.read(stream(encoding=encoding), 1).content == b""


@pytest.mark.parametrize("encoding", ["gzip", None])
def test_the_limit_holds_for_files_and_counts_what_comes_out(encoding):
    chunks = [PACKED] if encoding else [TEXT]
    into = io.BytesIO()
    assert bodies.read(stream(*chunks, encoding=encoding), len(TEXT), into).content == b""
    assert into.getvalue() == TEXT
    with pytest.raises(bodies.Unreadable, match="larger"):
        bodies.read(stream(*chunks, encoding=encoding), len(TEXT) - 1, io.BytesIO())


# Pages


def walk(tokens, rows=lambda number: [], **options):
    pages = iter(enumerate(tokens))

    def fetch(_):
        number, token = next(pages)
        return rows(number), token

    return TokenWalk(fetch, what="Listing", is_stale=lambda _: False, **options)


def endless():
    number = 0
    while True:
        yield f"token-{number}"
        number += 1


@pytest.mark.parametrize("tokens", [["A", "A"], ["A", "B", "A", "B"], ["A", "B", "C", "B"]])
@pytest.mark.parametrize("rows", [[], ["row"]])
def test_p6_tokens_that_come_again_end_the_listing(tokens, rows):
    with pytest.raises(IncompleteExtraction, match="came twice"):
        list(walk(tokens, lambda _: rows))


def test_p6_pages_without_rows_end_the_listing_some_time():
    with pytest.raises(IncompleteExtraction, match="1000 pages"):
        list(walk(endless()))


def test_pages_without_rows_between_others_are_read_over():
    tokens = [f"token-{number}" for number in range(3000)] + [None]
    found = list(walk(tokens, lambda number: ["row"] if number % 900 == 0 else []))
    assert found == [["row"]] * 4
