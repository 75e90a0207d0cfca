"""Every client checks the server's certificate before it sends anything, however the URL is spelled."""

from __future__ import annotations

import datetime as dt

import pytest

from mailing_api.errors import ConfigurationError, MailingError, UntrustedCertificate
from tests.api.clients import CLIENTS, SECRET, sts
from tests.tls import Authority, tls_server

DAY = dt.timedelta(days=1)

WRONG = {
    "self-signed": {"self_signed": True},
    "other-name": {"names": ["provider.example"]},
    "expired": {"starts": -2 * DAY, "ends": -DAY},
    "not-yet": {"starts": DAY, "ends": 2 * DAY},
}

VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in (*VARIABLES, "AWS_PROFILE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def servers(authority):
    """A server for each wrong certificate."""
    with (
        tls_server(authority.certificate(**WRONG["self-signed"])) as self_signed,
        tls_server(authority.certificate(**WRONG["other-name"])) as other,
        tls_server(authority.certificate(**WRONG["expired"])) as expired,
        tls_server(authority.certificate(**WRONG["not-yet"])) as early,
    ):
        yield {"self-signed": self_signed, "other-name": other, "expired": expired, "not-yet": early}


@pytest.fixture
def trusting(monkeypatch, authority):
    """The authority is trusted, so that nothing but its fault is wrong with a certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("scheme", ["https", "HTTPS", "hTTpS"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_certificate_is_refused_once_and_before_anything_is_sent(servers, client, scheme, wrong):
    server = servers[wrong]
    before = server.connections
    with pytest.raises(UntrustedCertificate, match="certificate of localhost:") as raised:
        CLIENTS[client](f"{scheme}://localhost:{server.port}")
    assert "nothing was sent" in str(raised.value)
    assert SECRET not in str(raised.value)
    assert server.received == b""
    assert server.connections == before + 1


@pytest.mark.slow
@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("wrong", WRONG)
def test_sts_is_refused_in_the_same_way(monkeypatch, servers, wrong):
    server = servers[wrong]
    before = server.connections
    with pytest.raises(UntrustedCertificate, match="certificate of localhost:"):
        sts(f"HTTPS://localhost:{server.port}", monkeypatch)
    assert server.received == b""
    assert server.connections == before + 1


def ask(client, server):
    """Call a client; an empty object is no answer for every one of them."""
    try:
        client(f"HTTPS://localhost:{server.port}")
    except (UntrustedCertificate, ConfigurationError):
        raise
    except MailingError:
        pass


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", None])
@pytest.mark.parametrize("client", CLIENTS)
def test_authorities_of_the_environment_are_trusted(monkeypatch, authority, client, variable):
    if variable is not None:
        monkeypatch.setenv(variable, str(authority.file))
    with tls_server(authority.certificate()) as server:
        if variable is None:
            with pytest.raises(UntrustedCertificate, match="SSL_CERT_FILE"):
                CLIENTS[client](f"https://localhost:{server.port}")
            assert server.received == b""
        else:
            ask(CLIENTS[client], server)
            assert server.received.startswith((b"GET ", b"DELETE "))


@pytest.mark.parametrize("source", ["variable", "profile"])
@pytest.mark.parametrize("client", ["ses", "s3", "sts"])
def test_authorities_of_aws_are_trusted_by_its_clients(monkeypatch, tmp_path, authority, client, source):
    if source == "variable":
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.file))
    else:
        (tmp_path / "config").write_text(f"[default]\nca_bundle = {authority.file}\n")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")  # AWS's own goes before it
    with tls_server(authority.certificate()) as server:
        ask(CLIENTS.get(client) or (lambda url: sts(url, monkeypatch)), server)
        assert server.received


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_file_of_authorities_that_is_not_there_is_named(monkeypatch, variable):
    monkeypatch.setenv(variable, "/nowhere/authorities.pem")
    with pytest.raises(ConfigurationError) as raised:
        CLIENTS["ses"]("https://localhost:1")
    assert variable in str(raised.value)
    assert "/nowhere/authorities.pem" in str(raised.value)
    assert "No such file" in str(raised.value)


def test_a_file_of_authorities_without_certificates_is_named(monkeypatch, tmp_path):
    (tmp_path / "empty.pem").write_text("nothing\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE, holds no certificates"):
        CLIENTS["mailjet"]("https://localhost:1")
