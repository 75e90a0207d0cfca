"""URLs of settings: read by the parser that connects, whatever their spelling; never unencrypted to elsewhere."""

from __future__ import annotations

import httpx
import pytest

from mailing_api.aws.session import AwsSession
from mailing_api.errors import ConfigurationError
from mailing_api.http.urls import canonical, check_url, is_loopback
from tests.api.clients import CLIENTS, KEYS, REGION, sts

#: The setting that each client names.
SETTINGS = {
    "mailjet": "mailjet_base_url",
    "postgrid": "postgrid_base_url",
    "mpdx": "mpdx_base_url",
    "ses": "ses_endpoint_url",
    "s3": "ses_s3_endpoint_url",
}

ELSEWHERE = [
    "http://api.provider.example",
    "HTTP://api.provider.example",
    "http://127.0.0.1.provider.example",
    "http://localhost.provider.example",
    "http://127.0.0.1@api.provider.example",
    "http://10.0.0.5:8025",
    "http://0.0.0.0:8025",
    "http://[fe80::1]:8025",
    "http://[::7f00:1]:8025",
    "http://[64:ff9b::7f00:1]:8025",
    "http://[2002:7f00:1::]:8025",
]

HERE = ["localhost", "LOCALHOST.", "api.localhost", "127.0.0.1", "127.5.6.7", "::1", "::ffff:127.0.0.1"]


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize("url", ELSEWHERE)
@pytest.mark.parametrize("client", SETTINGS)
def test_http_to_another_machine_is_refused_before_anything_is_sent(client, url):
    with pytest.raises(
        ConfigurationError, match=rf"`{SETTINGS[client]}` (begins with http://.*`allow_http: true`|has a )"
    ):
        CLIENTS[client](url)


def test_http_to_another_machine_is_refused_for_sts(monkeypatch):
    with pytest.raises(ConfigurationError, match=r"AWS_ENDPOINT_URL.*begins with http://.*`allow_http: true`"):
        sts("http://sts.provider.example", monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("service", ["sesv2", "s3"])
def test_http_to_another_machine_is_refused_for_endpoints_of_the_environment(monkeypatch, service):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws.provider.example")
    assert AwsSession(region=REGION, **KEYS).endpoints(service, [REGION]) == {REGION: "http://aws.provider.example"}
    client = {"sesv2": "ses", "s3": "s3"}[service]
    with pytest.raises(ConfigurationError, match="begins with http://"):
        CLIENTS[client](None)


@pytest.mark.parametrize("host", HERE)
def test_this_machine_is_known_by_every_name(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "example.com", "ftp://example.com", "https://", "https:///v3", "https://[::1", "https://exa mple.com", "https://\n",
        "//example.com", 5, None, ["https://example.com"], "https://example.com\x00", "https://" + "a" * 70_000,
    ],
)  # fmt: skip
def test_p9_what_is_no_url_is_told_by_its_setting(value):
    with pytest.raises(ConfigurationError, match=r"`x` is not a URL .* such as https://api\.example\.com"):
        check_url("x", value, "https://api.example.com")


@pytest.mark.parametrize(
    "value", ["https://user:canary@example.com", "https://example.com?key=canary", "https://example.com#canary"]
)
def test_p7_a_url_with_more_than_scheme_host_and_path_is_refused_without_quoting_it(value):
    with pytest.raises(ConfigurationError, match=r"`x` has a ") as raised:
        check_url("x", value, "https://api.example.com")
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("url", ["https://api.example.com/v3", "HTTPS://API.EXAMPLE.COM", "http://127.0.0.1:8025/v3"])
def test_urls_are_accepted(url):
    assert check_url("x", url, "https://api.example.com").host in {"api.example.com", "127.0.0.1"}


NO_HOSTS = [
    "https://xn--", "https://xn--a", "https://a..b", "https://.a", "https://a..", f"https://{'a' * 64}.example",
    f"https://{'a.' * 130}b", "https://host:0", "https://host:99999", "https://host:65536", "https://%6cocalhost",
    "https://local%00host", "https://[::1", "https://[v1.x]", "https://\u200bhost", "https://①②⑦.0.0.1", "https://",
    "https://2130706433", "https://127.1", "https://0x7f.0.0.1", "https://0x7f000001", "https://0177.0.0.1", "https://a.1",
    "https://127.0.0.1.", "https://256.0.0.1", "https://a.0x",
    "https:/host", "https:\\\\host", "https://ho\nst", "https://ho st", "//host", "host:9", "ftp://host",
]  # fmt: skip


@pytest.mark.parametrize("url", NO_HOSTS)
def test_p9_what_names_no_host_is_no_url(url):
    with pytest.raises(ConfigurationError, match="`x_url` is not a URL with scheme and host"):
        check_url("x_url", url, "https://x.example")


@pytest.mark.parametrize(
    "url",
    [
        "https://host.",
        "https://host:65535",
        "https://a_b.example",
        "https://例え.example",
        "https://[::1]:1",
        "https://1.2.a1",
    ],
)
def test_what_names_a_host_is_a_url(url):
    assert check_url("x_url", url, "https://x.example").host


@pytest.mark.slow
@pytest.mark.parametrize(
    "url", ["https://u:canary@h.example", "https://h.example/?x=canary", "https://h.example/#canary"]
)
def test_p9_an_endpoint_of_the_environment_holds_no_more_than_one_of_a_setting(monkeypatch, url):
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL") as raised:
        AwsSession(region=REGION).endpoints("sesv2", [REGION])
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://bücher.example", "https://XN--BCHER-KVA.example:443/"),
        ("http://host.example:80//", "HTTP://host.example."),
        ("http://[::1]:8025", "http://[0:0:0:0:0:0:0:1]:8025/"),
        ("https://host.example/a%20b/", "https://host.example/a b"),
    ],
)
def test_an_endpoint_has_one_text_whatever_its_spelling(one, other):
    assert canonical(httpx.URL(one)) == canonical(httpx.URL(other))


def test_endpoints_that_differ_have_texts_that_differ():
    host = "host.example"
    urls = [f"https://{host}", f"http://{host}", f"https://{host}:80", f"https://{host}/v1", f"https://{host}/V1"]
    assert len({canonical(httpx.URL(url)) for url in [*urls, "https://other.example", "http://[::1]:80"]}) == 7
