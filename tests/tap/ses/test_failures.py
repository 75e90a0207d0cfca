"""Bad input and bad days at Amazon SES: one clear line each, no traceback, no secret; and whose keys sign."""

from __future__ import annotations

import json
import logging
import time

import pytest

from mailing_api.errors import ConfigurationError
from tests.fork_server import FORKS

from .conftest import ACCOUNT, AWAY, CONTACT_DETAILS, CONTACTS, HOME, JOBS, LISTS, SUPPRESSIONS, TOPICS

ROLE = "arn:aws:iam::111122223333:role/reader"


def errors(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def signers(wire):
    return {request.headers["authorization"].split("Credential=")[1].split("/")[0] for request in wire.requests}


# Who must do what


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ses_aws_secret_access_key": "canary-secret"}, "The secret access key does not belong to the access key"),
        ({"ses_aws_access_key_id": "AKIDCANARY"}, "The access key or its session token is unknown"),
        ({"ses_regions": ["us-nowhere-1"]}, "`ses_regions` names a region that this endpoint does not serve"),
    ],
)
def test_wrong_credentials_and_regions_are_reported_once(people, wire, read, caplog, wrong, said):  # noqa: PLR0917
    people("ann")
    run = read(ACCOUNT, CONTACTS, SUPPRESSIONS, **wrong)
    assert "3 of 3 streams" in str(run.error)
    (line,) = errors(caplog)
    assert said in line
    assert "Traceback" not in caplog.text
    assert "canary" not in caplog.text.lower()
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("stream", "action"),
    [
        (ACCOUNT, "ses:GetAccount"),
        (JOBS, "ses:ListImportJobs"),
        (LISTS, "ses:GetContactList"),
        (LISTS, "ses:ListContactLists"),
        (CONTACTS, "ses:ListContacts"),
        (CONTACT_DETAILS, "ses:GetContact"),
        (SUPPRESSIONS, "ses:ListSuppressedDestinations"),
    ],
)
def test_a_missing_permission_is_reported_by_its_action_and_others_are_read(people, ses, read, caplog, stream, action):  # noqa: PLR0917
    people("ann")
    ses.deny(action)
    other = SUPPRESSIONS if stream == ACCOUNT else ACCOUNT
    run = read(stream, other)
    assert f"{stream} (PermissionDenied)" in str(run.error)
    (line,) = errors(caplog)
    assert f"The credentials have no permission for {action}." in line
    assert "Request access to this resource from" in line
    assert len(run.records(ACCOUNT)) == (stream != ACCOUNT)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["BadRequestException", "AccessDeniedException"])
def test_a_sandboxed_account_is_reported_with_its_region_and_what_to_do(sandbox, submit, read, caplog, code):
    submit()
    sandbox.ses.profile(region=AWAY, production_access=False)
    sandbox.switches.change({"ses_sandbox_error": code})
    run = read(JOBS, LISTS, ses_regions=[HOME, AWAY])
    assert "1 of 2 streams" in str(run.error)
    (line,) = errors(caplog)
    assert f"Amazon SES {AWAY} account 'default': ListImportJobs was refused" in line
    assert "request production access" in line
    assert run.records(LISTS)
    assert not run.state["bookmarks"][JOBS]


@pytest.mark.slow
def test_an_expired_session_token_is_reported_once_and_no_bookmark_moves(people, ses, sandbox, read, caplog):
    people("ann")
    ses.add_key("AKIDTEMPORARY", "canary-secret", "canary-token", seconds=60)
    keys = {
        "ses_aws_access_key_id": "AKIDTEMPORARY",
        "ses_aws_secret_access_key": "canary-secret",
        "ses_aws_session_token": "canary-token",
    }
    first = read(CONTACTS, SUPPRESSIONS, **keys)
    assert first.error is None
    sandbox.clock.advance(61)
    second = read(CONTACTS, SUPPRESSIONS, state=first.state, **keys)
    (line,) = errors(caplog)
    assert "The session token has expired: get new credentials" in line
    assert second.state == first.state
    assert "canary" not in caplog.text


def test_a_dead_server_is_reported(people, read, caplog):
    run = read(ACCOUNT, ses_endpoint_url="http://127.0.0.1:9")
    assert "ses_account (Unreachable)" in str(run.error)
    (line,) = errors(caplog)
    assert "no response (ConnectError)" in line
    assert "run again later" in line


def test_a_storm_of_faults_is_survived(people, sandbox, read, names):
    people("ann")
    for kind in ({"kind": "status", "status": 429}, {"kind": "status", "status": 503}, {"kind": "reset"}):
        sandbox.faults.add(path="*/contacts/list", **kind)
    sandbox.faults.add(kind="cut_body", path="*/contacts/list")
    run = read(CONTACTS)
    assert run.error is None
    assert names(run) == ["ann"]


def test_a_quota_of_one_request_a_second_is_kept(people, sandbox, read):
    people("ann")
    sandbox.switches.change({"ses_requests_per_second": 1.0})
    started = time.monotonic()
    run = read(CONTACTS, LISTS, TOPICS, ses_requests_per_second=1)
    assert run.error is None
    assert time.monotonic() - started < 2, "each operation is called once"
    assert set(sandbox.counters.calls.values()) == {1}, "none was refused"


def test_p9_wrong_settings_are_reported_before_anything_is_written(settings, tap, wire):
    for wrong in ({"ses_regions": ["x"]}, {"ses_endpoint_url": "nowhere"}, {"ses_aws_access_key_id": None}):
        run = tap.run(settings(**wrong), CONTACTS, transport=wire)
        assert isinstance(run.error, ConfigurationError)
        assert run.messages == []
    assert wire.requests == []


# The program as a shell sees it


def run_command(tmp_path, config, *arguments):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    return FORKS.run("tap_mailing", f"--config={path}", *arguments, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("--test",)])
def test_p7_the_command_shows_no_secret_and_no_traceback(people, settings, tmp_path, monkeypatch, arguments):
    people("ann", "bob")
    monkeypatch.setenv("TAP_MAILING_LOGLEVEL", "DEBUG")
    good = run_command(tmp_path, settings(), *arguments)
    assert good.returncode == 0, good.stderr
    bad = run_command(tmp_path, settings(ses_aws_secret_access_key="canary-secret"), *arguments)
    assert bad.returncode == 1
    assert len([line for line in bad.stderr.splitlines() if "does not belong to the access key" in line]) == 1
    for log in (good.stderr, bad.stderr):
        assert "Traceback" not in log
        assert "example.com" not in log
        assert "secret" not in log.replace("The secret access key", "").replace("`ses_aws_secret_access_key`", "")
        assert "AWS4-HMAC-SHA256" not in log
        assert "DEBUG" in log


# Whose credentials


@pytest.mark.slow
def test_a_role_is_assumed_and_its_keys_sign(people, sandbox, wire, read, names, monkeypatch):  # noqa: PLR0917
    people("ann")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"{sandbox.url}/sts")
    run = read(CONTACTS, ses_assume_role_arn=ROLE, ses_assume_role_external_id="partner")
    assert run.error is None
    assert names(run) == ["ann"]
    assert sandbox.api_key not in signers(wire)
    assert all(request.headers["x-amz-security-token"] for request in wire.requests)


@pytest.mark.slow
def test_a_role_that_may_not_be_assumed_is_reported(people, ses, sandbox, read, caplog, monkeypatch):  # noqa: PLR0917
    ses.deny("sts:AssumeRole")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"{sandbox.url}/sts")
    run = read(CONTACTS, ses_assume_role_arn=ROLE)
    assert "ses_contacts (PermissionDenied)" in str(run.error)
    (line,) = errors(caplog)
    assert "have no permission for sts:AssumeRole" in line
    assert "111122223333" not in line


@pytest.mark.slow
def test_a_role_needs_right_credentials(sandbox, read, caplog, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"{sandbox.url}/sts")
    run = read(CONTACTS, LISTS, ses_assume_role_arn=ROLE, ses_aws_secret_access_key="canary-secret")
    assert "2 of 2 streams" in str(run.error)
    (line,) = errors(caplog)
    assert "a role could not be assumed (SignatureDoesNotMatch)" in line


def test_keys_of_a_profile_are_renewed_in_the_middle_of_a_run(people, ses, sandbox, wire, read, names, tmp_path):  # noqa: PLR0917
    people(*(f"name{number}" for number in range(30)))
    sandbox.switches.change({"ses_max_page": 10})

    def rotate(number):
        key = {
            "aws_access_key_id": f"AKID{number}",
            "aws_secret_access_key": "canary",
            "aws_session_token": f"t{number}",
        }
        lines = [f"{name} = {value}" for name, value in key.items()]
        (tmp_path / "credentials").write_text("\n".join(["[mailing]", *lines]))
        ses.add_key(*key.values(), seconds=100)

    def expire():
        sandbox.clock.advance(200)
        rotate(2)

    rotate(1)
    wire.before["contact-lists/Readers/contacts/list", 3] = expire
    profile = {"ses_aws_profile": "mailing", "ses_aws_access_key_id": None, "ses_aws_secret_access_key": None}
    run = read(CONTACTS, **profile)
    assert run.error is None
    assert sorted(names(run)) == sorted(f"name{number}" for number in range(30))
    assert signers(wire) == {"AKID1", "AKID2"}


def test_no_credentials_are_reported_once(ses, read, caplog):
    run = read(CONTACTS, LISTS, ses_aws_access_key_id=None, ses_aws_secret_access_key=None)
    assert "2 of 2 streams" in str(run.error)
    (line,) = errors(caplog)
    assert "No AWS credentials were found" in line
