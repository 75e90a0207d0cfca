"""Who may call: signatures, keys, regions, permissions."""

from __future__ import annotations

import datetime as dt

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.sandbox.ses.conftest import code

ACCOUNT = "/v2/email/account"


@pytest.fixture
def listed(sandbox):
    sandbox.ses.add_list("Newsletter", {"News": "OPT_IN"})
    odd = ["o'neil+a/b@example.com", "jürgen&co=x@example.com", "a%b#c?d@example.com"]
    sandbox.switches.change({"ses_slash_in_path": "accepted", "ses_ascii_addresses": False})
    sandbox.ses.add_contacts([{"email": email} for email in odd])
    sandbox.ses.add_suppressions([{"email": email} for email in odd])
    return odd


def test_odd_characters_in_path_query_and_body_are_signed_as_sent(ses, listed):
    for email in listed:
        assert ses.get_contact(ContactListName="Newsletter", EmailAddress=email)["EmailAddress"] == email
        ses.update_contact(ContactListName="Newsletter", EmailAddress=email, AttributesData='{"città": "Zürich +/"}')
    start, end = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
    page = ses.list_suppressed_destinations(Reasons=["COMPLAINT", "BOUNCE"], StartDate=start, EndDate=end, PageSize=2)
    rest = ses.list_suppressed_destinations(
        Reasons=["COMPLAINT", "BOUNCE"], StartDate=start, EndDate=end, PageSize=2, NextToken=page["NextToken"]
    )
    both = page["SuppressedDestinationSummaries"] + rest["SuppressedDestinationSummaries"]
    assert {row["EmailAddress"] for row in both} == {*listed}


def altered(sandbox, wire, **changes):
    """A signed request, changed on its way."""
    signed = wire("GET", f"{ACCOUNT}?b=2&a=1", headers={"content-type": "application/json"}).request
    headers = dict(signed.headers.items()) | changes.pop("headers", {})
    method, path = changes.get("method", "GET"), changes.get("path", f"{ACCOUNT}?b=2&a=1")
    with httpx.Client(base_url=sandbox.url, verify=False) as plain:
        return plain.request(method, path, headers=headers, content=changes.get("content"))


def test_a_request_as_signed_is_let_in(sandbox, wire):
    assert altered(sandbox, wire).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"path": f"{ACCOUNT}?b=2&a=2"},
        {"path": f"{ACCOUNT}?b=2&a=1&c=3"},
        {"path": "/v2/email/%61ccount?b=2&a=1"},
        {"method": "POST"},
        {"content": b"{}"},
        {"headers": {"content-type": "text/plain"}},
        {"headers": {"host": "email.us-east-1.amazonaws.com"}},
        {"headers": {"host": "[::"}},
        {"headers": {"x-amz-security-token": "not signed"}},
    ],
    ids=str,
)
def test_a_request_changed_on_its_way_is_refused(sandbox, wire, changes):
    answer = altered(sandbox, wire, **changes)
    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"] == "InvalidSignatureException"


def test_without_a_signature(sandbox):
    with httpx.Client(base_url=sandbox.url, verify=False) as plain:
        for headers in ({}, {"authorization": "Basic c2FuZGJveA=="}):
            answer = plain.get(ACCOUNT, headers=headers)
            assert answer.status_code == 403
            assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
        day = "Credential=sandbox-key/20250101/us-east-1/ses/aws4_request, SignedHeaders=host, Signature=0"
        undated = plain.get(ACCOUNT, headers={"authorization": f"AWS4-HMAC-SHA256 {day}"})
        assert undated.headers["x-amzn-errortype"] == "IncompleteSignatureException"
        misdated = {"authorization": f"AWS4-HMAC-SHA256 {day}", "x-amz-date": "20250102T000000Z"}
        assert plain.get(ACCOUNT, headers=misdated).headers["x-amzn-errortype"] == "InvalidSignatureException"
        for odd in ("AWS4-HMAC-SHA256 nonsense", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=0"):
            answer = plain.get(ACCOUNT, headers={"authorization": odd})
            assert answer.headers["x-amzn-errortype"] == "IncompleteSignatureException"


def test_an_unknown_key_and_a_wrong_secret(client):
    with pytest.raises(ClientError) as unknown:
        client(aws_access_key_id="AKIANOBODY").get_account()
    assert code(unknown) == "UnrecognizedClientException"
    with pytest.raises(ClientError) as wrong:
        client(aws_secret_access_key="wrong").get_account()
    assert code(wrong) == "InvalidSignatureException"


def test_the_code_of_a_wrong_signature_is_a_switch(sandbox, client):
    sandbox.switches.change({"ses_signature_error": "SignatureDoesNotMatch"})
    with pytest.raises(ClientError) as wrong:
        client(aws_secret_access_key="wrong").get_account()
    assert code(wrong) == "SignatureDoesNotMatch"
    assert wrong.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize(("minutes", "words"), [(-20, "Signature expired"), (20, "Signature not yet current")])
def test_a_signature_of_another_time_is_refused(wire, monkeypatch, sandbox, minutes, words):
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment.replace(tzinfo=None))
    answer = wire("GET", ACCOUNT)
    assert answer.headers["x-amzn-errortype"] == "InvalidSignatureException"
    assert words in answer.json()["message"]
    sandbox.switches.change({"ses_clock_skew_seconds": 0})
    assert wire("GET", ACCOUNT).status_code == 200


def test_the_emulated_time_does_not_age_signatures(sandbox, ses):
    sandbox.clock.advance(86_400)
    assert ses.get_account()["SendingEnabled"]


def test_a_temporary_key_needs_its_token_and_expires(sandbox, client):
    sandbox.ses.add_key("ASIATEMP", "its-secret", "its-token", seconds=900)
    keys = {"aws_access_key_id": "ASIATEMP", "aws_secret_access_key": "its-secret"}
    assert client(**keys, aws_session_token="its-token").get_account()
    for token in (None, "another"):
        with pytest.raises(ClientError) as refused:
            client(**keys, aws_session_token=token).get_account()
        assert code(refused) == "UnrecognizedClientException"
    sandbox.clock.advance(901)
    with pytest.raises(ClientError) as refused:
        client(**keys, aws_session_token="its-token").get_account()
    assert code(refused) == "ExpiredTokenException"


def test_the_signing_name_is_ses(wire):
    assert wire("GET", ACCOUNT).status_code == 200
    for service in ("sesv2", "email"):
        answer = wire("GET", ACCOUNT, service=service)
        assert answer.status_code == 403
        assert "correct service: 'ses'" in answer.json()["message"]


def test_a_region_that_is_none_or_is_switched_off(sandbox, client):
    with pytest.raises(ClientError, match="scoped to a valid region, not 'xx-nowhere-1'") as refused:
        client(region="xx-nowhere-1").get_account()
    assert code(refused) == "InvalidSignatureException"
    sandbox.switches.change({"ses_regions": "eu-west-1, eu-central-1"})
    assert client(region="eu-central-1").get_account()
    with pytest.raises(ClientError, match="not 'us-east-1'"):
        client(region="us-east-1").get_account()


def test_every_region_has_data_of_its_own(sandbox, client):
    sandbox.ses.add_list("American", region="us-east-1")
    sandbox.ses.add_list("European", region="eu-west-1")
    sandbox.ses.add_suppressions([{"email": "gone@example.com"}], region="eu-west-1")
    sandbox.ses.profile(region="eu-west-1", production_access=False)
    for region, name, suppressed, production in (
        ("us-east-1", "American", 0, True),
        ("eu-west-1", "European", 1, False),
    ):
        ses = client(region=region)
        assert [row["ContactListName"] for row in ses.list_contact_lists()["ContactLists"]] == [name]
        assert len(ses.list_suppressed_destinations()["SuppressedDestinationSummaries"]) == suppressed
        assert ses.get_account()["ProductionAccessEnabled"] is production


def test_a_token_of_another_region_is_refused(sandbox, client):
    for region in ("us-east-1", "eu-west-1"):
        sandbox.ses.add_suppressions([{"email": f"{n}@example.com"} for n in range(3)], region=region)
    token = client().list_suppressed_destinations(PageSize=1)["NextToken"]
    with pytest.raises(ClientError) as refused:
        client(region="eu-west-1").list_suppressed_destinations(PageSize=1, NextToken=token)
    assert code(refused) == "InvalidNextTokenException"


@pytest.mark.parametrize(("style", "header", "body"), [
    ("header", "NotFoundException", None),
    ("suffixed", "NotFoundException:http://internal.amazon.com/coral/com.amazonaws.ses.v2/", None),
    ("body", None, "com.amazonaws.sesv2#NotFoundException"),
])  # fmt: skip
@pytest.mark.parametrize("key", ["message", "Message"])
def test_where_an_error_tells_its_type_is_a_switch(sandbox, wire, ses, style, header, body, key):  # noqa: PLR0917
    sandbox.switches.change({"ses_error_type": style, "ses_message_key": key})
    answer = wire("GET", "/v2/email/import-jobs/none")
    assert answer.status_code == 404
    assert answer.headers.get("x-amzn-errortype") == header
    assert answer.json().get("__type") == body
    assert "none" in answer.json()[key]
    with pytest.raises(ClientError) as refused:
        ses.get_import_job(JobId="none")
    assert code(refused) == "NotFoundException"
