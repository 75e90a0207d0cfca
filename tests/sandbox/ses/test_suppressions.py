"""The suppression list of the account and of tenants, and the account itself."""

from __future__ import annotations

import datetime as dt

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.ses.conftest import code, start

BASE = 1_750_000_000


def names(answer):
    return [row["EmailAddress"].partition("@")[0] for row in answer["SuppressedDestinationSummaries"]]


def moment(seconds):
    return dt.datetime.fromtimestamp(BASE + seconds, dt.UTC)


def test_putting_twice_changes_reason_and_date(sandbox, ses):
    ses.put_suppressed_destination(EmailAddress=" Gone@Example.COM ", Reason="BOUNCE")
    sandbox.clock.advance(60)
    ses.put_suppressed_destination(EmailAddress="Gone@EXAMPLE.com", Reason="COMPLAINT")
    [row] = ses.list_suppressed_destinations()["SuppressedDestinationSummaries"]
    assert (row["EmailAddress"], row["Reason"]) == ("Gone@example.com", "COMPLAINT")
    with pytest.raises(ClientError) as refused:
        ses.get_suppressed_destination(EmailAddress="gone@example.com")
    assert code(refused) == "NotFoundException"


@pytest.mark.parametrize(
    ("rule", "kept", "same"),
    [
        ("domain", "Gone@example.com", ["Gone@EXAMPLE.com"]),
        ("exact", "Gone@Example.com", []),
        ("lower", "gone@example.com", ["Gone@EXAMPLE.com", "gone@EXAMPLE.com"]),
    ],
)
def test_what_is_the_same_address_is_a_switch(sandbox, ses, rule, kept, same):
    sandbox.switches.change({"ses_suppression_case": rule})
    ses.put_suppressed_destination(EmailAddress="Gone@Example.com", Reason="BOUNCE")
    assert sandbox.ses.suppressions() == {kept: "BOUNCE"}
    found = [email for email in ("Gone@EXAMPLE.com", "gone@EXAMPLE.com") if is_there(ses, email)]
    assert found == same


def is_there(ses, email):
    try:
        return bool(ses.get_suppressed_destination(EmailAddress=email))
    except ses.exceptions.NotFoundException:
        return False


def test_deleting_twice_fails(ses):
    ses.put_suppressed_destination(EmailAddress="gone@example.com", Reason="BOUNCE")
    ses.delete_suppressed_destination(EmailAddress="gone@example.com")
    with pytest.raises(ClientError) as refused:
        ses.delete_suppressed_destination(EmailAddress="gone@example.com")
    assert code(refused) == "NotFoundException"


def test_only_the_single_call_shows_attributes(sandbox, ses):
    sandbox.seed(100)
    rows = ses.list_suppressed_destinations()["SuppressedDestinationSummaries"]
    assert {key for row in rows for key in row} == {"EmailAddress", "Reason", "LastUpdateTime"}
    found = ses.get_suppressed_destination(EmailAddress=rows[1]["EmailAddress"])["SuppressedDestination"]
    assert found["Attributes"].keys() == {"MessageId", "FeedbackId"}


def test_reasons_and_dates(sandbox, ses):
    sandbox.ses.add_suppressions([
        {"email": "a@example.com", "updated": BASE},
        {"email": "b@example.com", "updated": BASE + 10, "reason": "COMPLAINT"},
        {"email": "c@example.com", "updated": BASE + 20.5},
    ])  # fmt: skip
    listed = ses.list_suppressed_destinations
    assert names(listed(Reasons=["COMPLAINT"])) == ["b"]
    assert names(listed(Reasons=["COMPLAINT", "BOUNCE"])) == ["a", "b", "c"]
    assert names(listed(StartDate=moment(5))) == ["b", "c"]
    assert names(listed(EndDate=moment(15))) == ["a", "b"]
    assert names(listed(StartDate=moment(5), EndDate=moment(15))) == ["b"]


@pytest.mark.parametrize(("bounds", "found"), [("inclusive", ["a", "b"]), ("exclusive", [])])
def test_the_bounds_of_dates_are_a_switch(sandbox, ses, bounds, found):
    sandbox.switches.change({"ses_date_bounds": bounds})
    sandbox.ses.add_suppressions([{"email": "a@example.com", "updated": BASE}])
    sandbox.ses.add_suppressions([{"email": "b@example.com", "updated": BASE + 10.25}])
    assert names(ses.list_suppressed_destinations(StartDate=moment(0), EndDate=moment(10))) == found


def test_the_date_compared_is_a_switch(sandbox, ses):
    sandbox.ses.add_suppressions([{"email": "a@example.com", "updated": BASE}])
    sandbox.ses.add_suppressions([{"email": "a@example.com", "updated": BASE + 100}])
    assert names(ses.list_suppressed_destinations(StartDate=moment(50))) == ["a"]
    sandbox.switches.change({"ses_dates_compare": "added"})
    assert names(ses.list_suppressed_destinations(StartDate=moment(50))) == []


@pytest.mark.parametrize("query", ["PageSize=many", "StartDate=yesterday"])
def test_a_query_of_the_wrong_type_is_refused(wire, query):
    answer = wire("GET", f"/v2/email/suppression/addresses?{query}")
    assert answer.headers["x-amzn-errortype"] == "SerializationException"


def test_a_tenant_has_a_list_of_its_own(sandbox, ses):
    sandbox.ses.add_suppressions([{"email": "account@example.com"}])
    sandbox.ses.add_suppressions([{"email": "tenant@example.com"}], tenant="acme")
    assert names(ses.list_suppressed_destinations()) == ["account"]
    assert names(ses.list_suppressed_destinations(TenantName="acme")) == ["tenant"]
    found = ses.get_suppressed_destination(EmailAddress="tenant@example.com", TenantName="acme")
    assert found["SuppressedDestination"]["TenantName"] == "acme"
    with pytest.raises(ClientError) as refused:
        ses.list_suppressed_destinations(TenantName="nobody")
    assert code(refused) == "NotFoundException"


@pytest.mark.parametrize("error", ["BadRequestException", "AccessDeniedException"])
def test_a_sandboxed_account_is_refused_three_operations(sandbox, ses, newsletter, error):
    sandbox.switches.change({"ses_production_access": False, "ses_sandbox_error": error})
    assert ses.get_account()["ProductionAccessEnabled"] is False
    for call in (
        lambda: start(ses, name=newsletter),
        ses.list_import_jobs,
        lambda: ses.put_suppressed_destination(EmailAddress="gone@example.com", Reason="BOUNCE"),
    ):
        with pytest.raises(ClientError, match="sandbox") as refused:
            call()
        assert code(refused) == error
    assert ses.list_contacts(ContactListName=newsletter)["Contacts"] == []
    assert ses.list_suppressed_destinations()


def test_what_the_account_says_can_be_set(sandbox, ses):
    sandbox.ses.profile(enforcement_status="PROBATION", sending_enabled=False, suppressed_reasons=["BOUNCE"])
    sandbox.switches.change({"ses_vdm": False})
    found = ses.get_account()
    assert (found["EnforcementStatus"], found["SendingEnabled"]) == ("PROBATION", False)
    assert found["SuppressionAttributes"] == {"SuppressedReasons": ["BOUNCE"]}
    assert found["SendQuota"].keys() == {"Max24HourSend", "MaxSendRate", "SentLast24Hours"}
    assert found["VdmAttributes"] == {"VdmEnabled": "DISABLED"}


def test_one_request_a_second(sandbox, client, ses):
    sandbox.clock.freeze()
    sandbox.switches.change({"ses_requests_per_second": 1})
    ses.get_account()
    with pytest.raises(ClientError) as refused:
        ses.get_account()
    assert code(refused) == "TooManyRequestsException"
    answer = refused.value.response["ResponseMetadata"]
    assert answer["HTTPStatusCode"] == 429
    assert "retry-after" not in answer["HTTPHeaders"]
    ses.list_contact_lists()
    client(region="eu-west-1").get_account()
    sandbox.clock.advance(1)
    ses.get_account()


def test_the_rate_may_count_all_operations_and_allow_bursts(sandbox, ses):
    sandbox.clock.freeze()
    sandbox.switches.change({"ses_requests_per_second": 1, "ses_rate_scope": "account", "ses_burst": 3})
    ses.get_account()
    ses.list_contact_lists()
    ses.get_account()
    with pytest.raises(ClientError) as refused:
        ses.list_contact_lists()
    assert code(refused) == "TooManyRequestsException"
