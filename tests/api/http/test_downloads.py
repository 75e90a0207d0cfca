"""Files at URLs that a provider names: which are fetched, and with what."""

from __future__ import annotations

import ipaddress
import ssl

import httpx
import pytest

from mailing_api.errors import MailingError, RequestRefused
from mailing_api.http.downloads import Downloads
from mailing_api.http.network import Network
from mailing_api.http.retry import RetryPolicy
from mailing_api.http.urls import reach
from tests.raw import answer, raw_server, saying

PUBLIC = "https://api.provider.example"

NAMES = {
    "api.provider.example": ["93.184.216.34"],
    "files.example": ["93.184.216.35", "2606:2800:220:1::1"],
    "metadata.example": ["169.254.169.254"],
    "mixed.example": ["93.184.216.35", "10.0.0.5"],
    "intranet.example": ["10.0.0.5"],
    "vpc.example": ["10.0.0.9"],
    "localhost": ["127.0.0.1", "::1"],
}


def resolver(host, _):
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    if host not in NAMES:
        raise OSError("unknown")
    return [ipaddress.ip_address(address) for address in NAMES[host]]


def downloads(requests, base_url=PUBLIC, status=200, **options):
    def told(request):
        requests.append(request)
        return httpx.Response(status, headers={"Location": "https://files.example/other"}, content=b"rows")

    options = {"transport": httpx.MockTransport(told), "resolver": resolver} | options
    return Downloads(
        provider="Test", account="default", base_url=base_url, retry=RetryPolicy(fault_tries=1),
        read_error=lambda asked, response: MailingError(f"{asked}: HTTP {response.status_code}"), **options,
    )  # fmt: skip


REFUSED = [
    "http://files.example/report",
    "HTTP://files.example/report",
    "ftp://files.example/report",
    "file:///etc/passwd",
    "//files.example/report",
    "files.example/report",
    "",
    "https://",
    "https://[",
    "https://\x00/",
    "https://169.254.169.254/latest/meta-data",
    "HTTPS://169.254.169.254/latest/meta-data",
    "https://metadata.example/latest",
    "https://mixed.example/report",
    "https://intranet.example/report",
    "https://localhost/report",
    "https://127.0.0.1/report",
    "https://127.1/report",
    "https://2130706433/report",
    "https://0x7f.1/report",
    "https://0x7F000001/report",
    "https://0177.0.0.1/report",
    "https://134744072/report",
    "https://8.8.8.010/report",
    "https://[::7f00:1]/report",
    "https://0.0.0.0/report",
    "https://10.1.2.3/report",
    "https://172.16.0.1/report",
    "https://192.168.1.1/report",
    "https://100.100.100.200/latest",
    "https://[::1]/report",
    "https://[::]/report",
    "https://[fe80::1]/report",
    "https://[fd00:ec2::254]/latest",
    "https://[::ffff:169.254.169.254]/latest",
    "https://[::ffff:7f00:1]/report",
    "https://[2002:7f00:1::]/report",
    "https://[64:ff9b::a9fe:a9fe]/latest",
    "https://224.0.0.1/report",
    "https://user:password@10.1.2.3/report",
    "https://files.example@10.1.2.3/report",
]


@pytest.mark.parametrize("url", REFUSED)
def test_only_public_hosts_are_asked_and_only_by_https(url):
    requests = []
    with pytest.raises(RequestRefused, match="not downloaded") as raised:
        downloads(requests).fetch(url, what="a report")
    assert requests == []
    assert len(url) < 10 or url not in str(raised.value)


@pytest.mark.parametrize("url", ["https://files.example/report?s=1%2F2", "HTTPS://FILES.example:8443/report"])
def test_public_files_are_fetched_without_credentials(url):
    requests = []
    assert downloads(requests).fetch(url, what="a report") == b"rows"
    (request,) = requests
    assert str(request.url) == str(httpx.URL(url))
    assert not {"authorization", "x-api-key", "cookie"} & set(request.headers)


def test_a_user_in_the_url_is_not_sent_as_a_credential():
    requests = []
    downloads(requests).fetch("https://user:canary@files.example/report", what="a report")
    assert "authorization" not in requests[0].headers


def test_redirections_are_not_followed():
    requests = []
    with pytest.raises(MailingError):
        downloads(requests, status=302).fetch("https://files.example/report", what="a report")
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("base_url", "url", "is_fetched"),
    [
        ("http://127.0.0.1:8025", "http://127.0.0.1:8025/report", True),
        ("http://localhost:8025", "http://127.0.0.1:9000/report", True),
        ("http://127.0.0.1:8025", "https://169.254.169.254/latest", False),
        ("http://127.0.0.1:8025", "https://10.0.0.5/report", False),
        ("https://vpc.example", "https://intranet.example/report", True),
        ("https://vpc.example", "https://169.254.169.254/latest", False),
        ("https://vpc.example", "https://127.0.0.1/report", False),
        ("https://vpc.example", "https://[fd00:ec2::254]/latest", False),
        ("https://vpc.example", "http://intranet.example/report", False),
        ("https://unknown.example", "https://10.0.0.5/report", False),
    ],
)
def test_a_private_provider_may_have_private_files_of_the_same_sort(base_url, url, is_fetched):
    requests = []
    files = downloads(requests, base_url)
    if is_fetched:
        assert files.fetch(url, what="a report") == b"rows"
    else:
        with pytest.raises(RequestRefused):
            files.fetch(url, what="a report")
    assert bool(requests) is is_fetched


def test_a_name_that_changes_its_address_meanwhile_is_not_connected_to():
    addresses = iter([[ipaddress.ip_address("93.184.216.35")]])
    loopback = [ipaddress.ip_address("127.0.0.1")]

    def changing(host, port):
        if host == "api.provider.example":
            return [ipaddress.ip_address("93.184.216.34")]
        return next(addresses, loopback)

    with raw_server(saying(answer(b"rows"))) as server:
        port = int(server.url.rpartition(":")[2])
        files = downloads([], transport=None, resolver=changing, timeout=2)
        with pytest.raises(MailingError, match=r"files\.example"):
            files.fetch(f"https://files.example:{port}/report", what="a report")
        assert server.heads == []


def test_the_addresses_that_were_looked_at_are_those_that_are_connected_to():
    with raw_server(saying(answer(b"rows"))) as server:
        port = int(server.url.rpartition(":")[2])
        loopback = ipaddress.ip_address("127.0.0.1")
        files = downloads([], "http://127.0.0.1:1", transport=None, resolver=lambda *_: [loopback], allow_http=True)
        assert files.fetch(f"http://no-such-name.example:{port}/report", what="a report") == b"rows"
        assert b"Host: no-such-name.example" in server.heads[0]


PUBLIC_ADDRESSES = [
    "93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822",
    "2606:2800:220:1:0:5efe:5db8:d822",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_public_addresses_are_public(address):
    assert reach(ipaddress.ip_address(address)) == "public"


#: How an IPv6 address holds an IPv4 address, given as two groups.
EMBEDDED = {
    "IPv4-mapped": "::ffff:{}", "IPv4-compatible": "::{}", "translated": "::ffff:0:{}", "NAT64": "64:ff9b::{}",
    "NAT64, local": "64:ff9b:1::{}", "6to4": "2002:{}::1", "ISATAP": "2606:2800:220:1:0:5efe:{}",
    "ISATAP, global": "2606:2800:220:1:200:5efe:{}",
}  # fmt: skip


@pytest.mark.parametrize("form", EMBEDDED)
def test_an_ipv6_address_is_no_more_public_than_the_ipv4_address_in_it(form):
    for inner in ["127.0.0.1", "127.9.9.9", "10.0.0.5", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"]:
        packed = ipaddress.ip_address(inner).packed.hex()
        place = reach(ipaddress.ip_address(EMBEDDED[form].format(f"{packed[:4]}:{packed[4:]}")))
        assert place != "public"
        assert place != "loopback" or form == "IPv4-mapped"  # a gateway is another machine


@pytest.mark.parametrize(
    "address",
    [
        "fec0::1", "5f00::1", "4000::1", "100::1", "2001:0:1:2::", "2001:1::1", "2001:20::1", "2001:db8::1", "3fff::1",
        "2002:5db8:d822::1", "64:ff9b:1::5db8:d822", "::8.8.8.8", "ff0e::1", "192.0.0.8", "192.0.0.9", "192.0.2.1",
        "192.88.99.1", "198.18.0.1", "100.64.0.1", "0.1.2.3", "240.0.0.1", "255.255.255.255",
    ],
)  # fmt: skip
def test_what_is_no_address_of_the_internet_is_special_in_every_version_of_python(address):
    assert reach(ipaddress.ip_address(address)) == "special"


@pytest.mark.parametrize("address", ["10.1.2.3", "172.16.0.1", "192.168.1.1", "fc00::1", "fd00::1"])
def test_networks_of_somebodys_own_are_private(address):
    place = ipaddress.ip_address(address)
    assert reach(place) == f"private IPv{place.version}"


def test_a_network_tries_every_address():
    with raw_server(saying(answer(b"rows"))) as server:
        port = int(server.url.rpartition(":")[2])
        places = [ipaddress.ip_address("127.0.0.3"), ipaddress.ip_address("127.0.0.1")]
        network = Network(
            certificates=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), timeout=2, connections=1, addresses=lambda *_: places
        )
        with httpx.Client(transport=network) as client:
            assert client.get(f"http://files.example:{port}/").content == b"rows"


def test_a_connection_that_is_made_while_the_client_is_closed_does_not_stay_open():
    with raw_server(saying(answer(b"rows"))) as server:
        port = int(server.url.rpartition(":")[2])

        def look_up(*_):
            network.close()  # as another thread may
            return [ipaddress.ip_address("127.0.0.1")]

        network = Network(
            certificates=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), timeout=2, connections=1, addresses=look_up
        )
        with httpx.Client(transport=network) as client, pytest.raises(httpx.ConnectError, match="client was closed"):
            client.get(f"http://files.example:{port}/")
