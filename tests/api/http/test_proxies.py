"""Proxies of the environment: used, passed by, and named when they fail."""

from __future__ import annotations

import pytest

from mailing_api.errors import ConfigurationError, MailingError, ProviderFault, Unreachable
from mailing_api.http.retry import RetryPolicy
from tests.api.clients import CLIENTS, SECRET, sts
from tests.raw import answer, raw_server, saying

DEAD = "http://user:canary-secret@127.0.0.1:9"
ELSEWHERE = "https://api.provider.example"

#: The file's host would be looked up by name before.
ASKED = [client for client in CLIENTS if client != "file"]

each_client = pytest.mark.parametrize("client", ASKED)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@each_client
def test_p9_a_proxy_that_is_not_there_is_named_and_not_the_base_url(monkeypatch, client, variable):
    monkeypatch.setenv(variable, DEAD)
    with pytest.raises(
        Unreachable, match=rf"the proxy 127\.0\.0\.1:9, named by the environment variable {variable}, cannot be"
    ) as raised:
        CLIENTS[client](ELSEWHERE)
    assert "base_url`" not in str(raised.value)
    assert SECRET not in str(raised.value)


def test_p9_a_proxy_that_is_not_there_is_named_for_sts(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", DEAD)
    with pytest.raises(ProviderFault, match="HTTPS_PROXY") as raised:
        sts("https://sts.provider.example", monkeypatch)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (b"407 Proxy Authentication Required", ConfigurationError, "user name and a password"),
        (b"403 Forbidden", ConfigurationError, "HTTP 403"),
        (b"502 Bad Gateway", ProviderFault, "HTTP 502"),
    ],
)
def test_p9_a_proxy_that_refuses_is_named(monkeypatch, status, kind, told):
    with raw_server(saying(answer(b"canary", status=status))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", "http://user:canary-secret@"))
        with pytest.raises(kind, match=told) as raised:
            CLIENTS["mailjet"](ELSEWHERE, retry=RetryPolicy(fault_tries=1))
        assert proxy.heads[0].startswith(b"CONNECT api.provider.example:443 ")
        assert b"Proxy-Authorization: Basic" in proxy.heads[0]
        assert len(proxy.heads) == 1
    assert "HTTPS_PROXY" in str(raised.value)
    assert "canary" not in str(raised.value)


def test_p9_a_proxy_that_wants_a_login_for_plain_http_is_named(monkeypatch):
    with raw_server(saying(answer(b"", status=b"407 Proxy Authentication Required"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(ConfigurationError, match="HTTP_PROXY requires a user name"):
            CLIENTS["mailjet"]("http://127.0.0.1:9")


@pytest.mark.parametrize("value", ["nonsense://x", "http://", "http://[", "ftp://proxy.example:21"])
def test_p9_a_variable_that_is_no_proxy_is_named(monkeypatch, value):
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY is not a URL"):
        CLIENTS["mailjet"](ELSEWHERE)


@pytest.mark.parametrize("excepted", ["127.0.0.1", "*", "example.com,127.0.0.1"])
@each_client
def test_no_proxy_is_used_for_hosts_that_need_none(monkeypatch, client, excepted):
    monkeypatch.setenv("HTTP_PROXY", DEAD)
    monkeypatch.setenv("NO_PROXY", excepted)
    with raw_server(saying(answer(b"{}"))) as server:
        try:
            CLIENTS[client](server.url)
        except Unreachable:
            raise
        except MailingError:
            pass  # an empty object is no answer for every client
        assert server.heads
