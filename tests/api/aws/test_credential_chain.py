"""AWS's credential chain: whichever part has no usable credentials, one error names that part."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from botocore.utils import ContainerMetadataFetcher

from mailing_api.aws import credential_chain
from mailing_api.aws.session import AwsSession, _new_session
from mailing_api.errors import AuthenticationError, ConfigurationError, MailingError, PermissionDenied, ProviderFault
from tests.raw import answer, raw_server, saying

REGION = "eu-west-1"
ROLE = "arn:aws:iam::111111111111:role/r"
CANARY = "canary-secret"


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine without AWS: its home, for files."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "BOTO_"))]:
        monkeypatch.delenv(name)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
    return tmp_path


def profile(machine: Path, **options: str) -> None:
    lines = "".join(f"{name} = {value}\n" for name, value in options.items())
    (machine / "config").write_text(f"[default]\n{lines}")


def printing(machine: Path, output: str, code: int = 0) -> str:
    """A command for `credential_process` that prints this."""
    script = machine / "process.py"
    script.write_text(f"import sys\nsys.stdout.buffer.write({output!r}.encode('latin-1'))\nsys.exit({code})\n")
    return f'"{sys.executable}" "{script}"'


def keys(**more: object) -> str:
    return json.dumps({"Version": 1, "AccessKeyId": "AKIDX", "SecretAccessKey": CANARY, **more})


def failed(**options: object) -> MailingError:
    with pytest.raises(MailingError) as raised:
        AwsSession(region=REGION, prefix="ses_", **options).credentials()
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None
    return raised.value


WEB_IDENTITY = "AWS_WEB_IDENTITY_TOKEN_FILE"


@pytest.mark.parametrize(("path", "why"), [("missing", "No such file"), (".", "Is a directory")])
@pytest.mark.parametrize("source", ["variable", "profile"])
def test_p9_a_token_file_that_cannot_be_read_is_named(monkeypatch, machine, source, path, why):
    path = str(machine / path)
    if source == "variable":
        monkeypatch.setenv(WEB_IDENTITY, path)
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    else:
        profile(machine, web_identity_token_file=path, role_arn=ROLE)
    error = failed()
    assert isinstance(error, AuthenticationError)
    assert WEB_IDENTITY in str(error)
    assert f"{path}: {why}" in str(error)


def test_p9_a_token_that_sts_refuses_is_told(monkeypatch, machine):
    refusal = (
        b"<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>canary</Message></Error></ErrorResponse>"
    )
    (machine / "token").write_text(CANARY)
    monkeypatch.setenv(WEB_IDENTITY, str(machine / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    with raw_server(saying(answer(refusal, status=b"400 Bad Request"))) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        error = failed()
    assert isinstance(error, AuthenticationError)
    assert "InvalidIdentityToken" in str(error)
    assert WEB_IDENTITY in str(error)


PROCESSES = {
    "nothing there": ("/nowhere/command", "No such file"),
    "an empty command": ("''", ""),
    "half a quote": ('"', "form"),
    "exit code": (lambda machine: printing(machine, "", 3), "CredentialRetrievalError"),
    "no JSON": (lambda machine: printing(machine, CANARY), "not JSON"),
    "no text": (lambda machine: printing(machine, "\xff\xfe"), "not text"),
    "no object": (lambda machine: printing(machine, "[]"), "form"),
    "another version": (lambda machine: printing(machine, keys(Version=2)), "CredentialRetrievalError"),
    "half a key": (lambda machine: printing(machine, '{"Version": 1}'), "CredentialRetrievalError"),
    "expired": (lambda machine: printing(machine, keys(Expiration="2020-01-01T00:00:00Z")), "expired"),
    "no date": (lambda machine: printing(machine, keys(Expiration="soon")), "form"),
    "a key with a line break": (lambda machine: printing(machine, keys(SessionToken="a\n")), "ends with a line break"),
    "a key of another type": (lambda machine: printing(machine, keys(AccessKeyId=5)), ""),
}


@pytest.mark.parametrize("case", PROCESSES)
def test_p9_a_command_without_credentials_is_named(machine, case, caplog):
    caplog.set_level(logging.DEBUG)
    command, why = PROCESSES[case]
    profile(machine, credential_process=command if isinstance(command, str) else command(machine))
    error = failed()
    assert "`credential_process`" in str(error)
    assert why in str(error)
    assert CANARY not in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("nested", [False, True])
def test_p7_a_command_reads_nothing_of_standard_input(machine, nested):
    script = machine / "process.py"
    document = '{"Version": 1, "AccessKeyId": "AKID" + str(len(sys.stdin.read())), "SecretAccessKey": "x"}'
    script.write_text(f"import json, sys\nprint(json.dumps({document}))\n")
    command = f'"{sys.executable}" "{script}"'
    if nested:
        role = f"[default]\nrole_arn = {ROLE}\nsource_profile = inner\n"
        (machine / "config").write_text(f"{role}[profile inner]\ncredential_process = {command}\n")
    else:
        profile(machine, credential_process=command)
    refusal = b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
    with raw_server(saying(answer(refusal, status=b"403 Forbidden"))) as server:
        environment = {**os.environ, "AWS_ENDPOINT_URL_STS": server.url}
        asked = (
            "from mailing_api.aws.session import AwsSession; "
            f"print(AwsSession(region={REGION!r}).credentials().access_key)"
        )
        found = subprocess.run(
            [sys.executable, "-c", asked],
            input="a record\n",
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        heads = server.heads
    assert nested or found.stdout == "AKID0\n"
    assert not nested or b"Credential=AKID0/" in heads[0]


@pytest.mark.slow
@pytest.mark.parametrize("body", ["sleep 1000", "sleep 1000 & echo canary-secret; wait"])
def test_p9_a_command_that_does_not_end_is_killed_with_what_it_started(machine, monkeypatch, body):
    monkeypatch.setattr(credential_chain, "_COMMAND_TIME", 0.3)
    command = machine / "command"
    command.write_text(f"#!/bin/sh\nexec 9>'{machine}/held'\n{body}\n")
    command.chmod(0o755)
    profile(machine, credential_process=f"'{command}'")
    os.mkfifo(machine / "held")
    held = os.open(machine / "held", os.O_RDONLY | os.O_NONBLOCK)
    started = time.monotonic()
    error = failed()
    assert "`credential_process` of the AWS profile did not end within 0.3 s" in str(error)
    assert select.select([held], [], [], 5)[0]  # nobody has it open any more
    os.close(held)
    assert time.monotonic() - started < 10


def test_p9_a_role_that_aws_takes_for_none_is_named_and_not_the_keys():
    error = failed(access_key_id="AKIDX", secret_access_key=CANARY, assume_role_arn="x")
    assert "`ses_assume_role_arn`" in str(error)
    assert "neither" not in str(error)


CONTAINERS = {
    "an error": answer(b"canary-secret", status=b"500 Internal Server Error"),
    "no JSON": answer(b"canary-secret"),
    "no object": answer(b"[]"),
    "nothing": answer(b"{}"),
    "no date": answer(b'{"AccessKeyId": "A", "SecretAccessKey": "canary-secret", "Token": "t", "Expiration": "soon"}'),
    "expired": answer(
        b'{"AccessKeyId": "A", "SecretAccessKey": "canary-secret", "Token": "t", "Expiration": "2020-01-01T00:00:00Z"}'
    ),
}

CONTAINER = "AWS_CONTAINER_CREDENTIALS_FULL_URI"


@pytest.mark.parametrize("case", CONTAINERS)
def test_p9_a_container_endpoint_without_credentials_is_named(monkeypatch, case, caplog):
    caplog.set_level(logging.DEBUG)
    with raw_server(saying(CONTAINERS[case])) as server:
        monkeypatch.setenv(CONTAINER, f"{server.url}/role")
        assert CONTAINER in str(failed())
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    "variables",
    [
        {CONTAINER: "http://127.0.0.1:9/role"},
        {CONTAINER: "http://example.com/role"},
        {CONTAINER: "nonsense"},
        {CONTAINER: ""},
        {CONTAINER: "http://127.0.0.1:9/role", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere/token"},
        {CONTAINER: "http://127.0.0.1:9/role", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "canary-secret\n"},
    ],
)
def test_p9_a_container_endpoint_that_cannot_be_asked_is_named(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert CONTAINER in str(failed())


SSO = {"sso_start_url": "https://sso.example.com", "sso_region": REGION, "sso_account_id": "1", "sso_role_name": "r"}


@pytest.mark.parametrize(
    "cached", [None, "canary-secret", "[]", "{}", '{"accessToken": "canary-secret", "expiresAt": "soon"}']
)
def test_p9_single_sign_on_without_a_token_is_named(machine, cached):
    profile(machine, **SSO)
    if cached is not None:
        folder = machine / ".aws" / "sso" / "cache"
        folder.mkdir(parents=True)
        name = hashlib.sha1(SSO["sso_start_url"].encode()).hexdigest()
        (folder / f"{name}.json").write_text(cached)
    error = failed()
    assert "single sign-on" in str(error)
    assert "aws sso login" in str(error)


@pytest.mark.parametrize(
    "options",
    [
        {"role_arn": ROLE},
        {"role_arn": ROLE, "source_profile": "nobody"},
        {"role_arn": ROLE, "source_profile": "default"},
        {"role_arn": ROLE, "credential_source": "Nonsense"},
        {"role_arn": ROLE, "credential_source": "Environment"},
        {"role_arn": ROLE, "credential_source": "Environment", "source_profile": "default"},
    ],
)
def test_p9_a_profile_whose_role_has_no_source_is_named(machine, options):
    profile(machine, **options)
    assert "`role_arn`" in str(failed())


@pytest.mark.parametrize("where", ["config", "credentials"])
@pytest.mark.parametrize("content", [b"nonsense", b"\xff\xfe\x00", b"[default", b"[default]\nx\n[default]\n"])
def test_p9_a_broken_file_is_an_error_of_configuration(machine, where, content):
    (machine / where).write_bytes(content)
    assert isinstance(failed(), (ConfigurationError, AuthenticationError))


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIDX"}, "AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": "AKIDX\n", "AWS_SECRET_ACCESS_KEY": CANARY}, "AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "AKIDX", "AWS_SECRET_ACCESS_KEY": f"{CANARY} "}, "AWS_SECRET_ACCESS_KEY"),
        (
            {"AWS_ACCESS_KEY_ID": "AKIDX", "AWS_SECRET_ACCESS_KEY": CANARY, "AWS_SESSION_TOKEN": "\ufeffx"},
            "AWS_ACCESS_KEY_ID",
        ),
        (
            {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": CANARY, "AWS_CREDENTIAL_EXPIRATION": "soon"},
            "AWS_ACCESS_KEY_ID",
        ),
        (
            {
                "AWS_ACCESS_KEY_ID": "A",
                "AWS_SECRET_ACCESS_KEY": CANARY,
                "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
            },
            "AWS_ACCESS_KEY_ID",
        ),
        ({"AWS_PROFILE": "nobody"}, "AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, ""),
    ],
)
def test_p9_wrong_variables_are_named(monkeypatch, variables, named):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert named in str(failed(assume_role_arn=ROLE))


@pytest.mark.slow
@pytest.mark.parametrize("status", [b"403 Forbidden", b"500 Internal Server Error", b"400 Bad Request"])
def test_p9_a_role_that_sts_refuses_names_its_setting(monkeypatch, status):
    refusal = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>canary-secret</Message></Error></ErrorResponse>"
    with raw_server(saying(answer(refusal, status=status))) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        error = failed(access_key_id="AKIDX", secret_access_key=CANARY, assume_role_arn=ROLE)
    assert isinstance(error, PermissionDenied)
    assert "`ses_assume_role_arn`" in str(error)


def test_p9_an_sts_that_nobody_serves_names_the_role_and_the_host(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    error = failed(access_key_id="AKIDX", secret_access_key=CANARY, assume_role_arn=ROLE)
    assert isinstance(error, ProviderFault)
    assert "`ses_assume_role_arn`" in str(error)
    assert "127.0.0.1:9" in str(error)


# Nobody is asked for anything


@pytest.mark.parametrize("nested", [False, True])
def test_p7_a_profile_that_wants_an_mfa_code_reads_no_input_and_asks_nobody(monkeypatch, machine, nested):
    (machine / "credentials").write_text(f"[base]\naws_access_key_id = AKIDX\naws_secret_access_key = {CANARY}\n")
    mfa = f"role_arn = {ROLE}\nmfa_serial = arn:aws:iam::111111111111:mfa/me\nsource_profile = base\n"
    outer = f"[default]\nrole_arn = {ROLE}\nsource_profile = inner\n[profile inner]\n{mfa}"
    (machine / "config").write_text(outer if nested else f"[default]\n{mfa}")
    monkeypatch.setattr("getpass.getpass", lambda *_: pytest.fail("asked"))
    with raw_server(saying(answer(b""))) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        session = AwsSession(region=REGION)
        for _ in range(2):  # the streams of the tap ask one after the other
            with pytest.raises(ConfigurationError, match="`mfa_serial`"):
                session.credentials()
        assert server.heads == []


def test_what_one_session_listens_to_is_its_own():
    heard = []
    sessions = [_new_session(None) for _ in range(2)]
    for name, session in zip("ab", sessions, strict=True):
        session.register("said", lambda name=name, **_: heard.append(name))
    sessions[1].get_component("event_emitter").emit("said.to-one")
    assert heard == ["b"]
