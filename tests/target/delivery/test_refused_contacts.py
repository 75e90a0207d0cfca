"""A refusal that is about one contact ends its row, and nothing else; one that is about everything ends the run."""

from __future__ import annotations

import json

import pytest

from mailing_api.errors import AuthenticationError, MailingError, PermissionDenied, RequestRefused
from mailing_api.http import client as http_client
from mailing_api.http.retry import RetryPolicy
from tests.target.conftest import person, schema, state

ROUTES = ["json", "csv", "contact"]
GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
ODD = "odd@example.com"
NO_ADDRESS = f'Unexpected error during GET: Invalid email address "{ODD}", reason: "Invalid characters in mail"'


def envelope(status, message):
    info = "EFPWebError" if message.startswith("Could not") else ""
    return json.dumps({"ErrorInfo": info, "ErrorMessage": message, "StatusCode": status})


def refuse_odd(mailjet, status=400, message=NO_ADDRESS, **fault):
    content = envelope(status, message)
    return mailjet.sandbox.faults.add(kind="status", status=status, content=content, path="*odd*", times=None, **fault)


def members(mailjet, *emails):
    mailjet.sandbox.mailjet.add_contacts([{"email": email, "list": mailjet.list_id} for email in emails])


def removals():
    return [person(1, **GONE), person(2, email=ODD, **GONE), person(3, **GONE)]


REFUSALS = {
    "no address": (400, NO_ADDRESS),
    "bad request": (400, "Something is odd"),
    "conflict": (409, "Conflict"),
    "unprocessable": (422, "Unprocessable"),
    "long": (414, "URI too long"),
    "forbidden": (403, "Forbidden"),
    "unauthorised": (401, "Operation not allowed"),
    "unknown path": (500, 'Could not determine HTTP module for request "x"'),
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_one_contact_that_cannot_be_asked_for_does_not_stop_the_removals_of_others(mailjet, route, refusal):
    members(mailjet, "person1@example.com", "person3@example.com")
    refuse_odd(mailjet, *REFUSALS[refusal])
    result = mailjet.deliver([schema(), *removals(), state(1)], route=route)
    assert result.error is None
    assert result.states == [1]
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert [reject["record"]["email"] for reject in result.rejects] == [ODD]
    assert mailjet.statuses() == {}
    assert "odd" not in result.log


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthenticationError), (403, PermissionDenied), (500, RequestRefused)],
)
def test_a_refusal_of_every_contact_ends_the_run(mailjet, route, status, error):
    message = "Could not determine HTTP module for request" if status == 500 else "No"
    content = envelope(status, message)
    mailjet.sandbox.faults.add(kind="status", status=status, content=content, path="/v3/REST/contact/*", times=None)
    result = mailjet.deliver([schema(), *removals(), state(1)], route=route)
    assert isinstance(result.error, error)
    assert (result.states, result.rejects) == ([], [])


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_missing_right_to_write_ends_the_run_contact_by_contact(mailjet, method):
    mailjet.sandbox.faults.add(kind="status", status=403, method=method, path="/v3/REST/contact*", times=None)
    result = mailjet.deliver([schema(), person(1), state(1)], route="contact")
    assert isinstance(result.error, PermissionDenied)
    assert result.rejects == []


def test_an_address_whose_path_is_unknown_is_rejected_and_the_others_go(mailjet):
    refuse_odd(mailjet, *REFUSALS["unknown path"])
    result = mailjet.deliver([schema(), person(1), person(2, email=ODD), person(3), state(1)], route="contact")
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert mailjet.statuses().keys() == {"person1@example.com", "person3@example.com"}
    assert mailjet.deliver([schema(), person(2, email=ODD)], route="contact").counts() == {"rejected": 1}


@pytest.mark.parametrize("route", ROUTES)
def test_somebody_whose_former_address_was_none_comes_under_the_new_one(mailjet, route):
    mailjet.deliver([schema(), person(1, email=ODD)], route=route)
    refuse_odd(mailjet)
    result = mailjet.deliver([schema(), person(1), state(1)], route=route)
    assert result.error is None
    assert mailjet.statuses()["person1@example.com"] == "subscribed"


@pytest.mark.slow
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("on_key_change", ["remove", "keep"])
def test_p5_somebody_of_whom_nobody_can_tell_whether_they_opted_out_before_is_not_subscribed(
    mailjet, route, on_key_change
):
    """The row is rejected; nor does anybody opt out by it. Given again it is delivered."""
    mailjet.deliver([schema(), person(1, email=ODD), person(2), person(3, email=ODD)], route=route)
    before = mailjet.statuses()
    refuse_odd(mailjet, 400, "Something is odd")
    # To somebody else's address, to an own one twice; and whoever opts out does, whatever is known of them.
    out = person(3, subscription_status="unsubscribed")
    rows = [person(1, email="person2@example.com"), person(1), person(1, city="Nice"), out]
    config = {"route": route, "on_key_change": on_key_change, "batch_rows": 2}
    result = mailjet.deliver([schema(), *rows, state(1)], **config)
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == {"refused_by_provider": 4}
    rejected = sorted((one["record"]["id"], one["record"]["city"]) for one in result.rejects)
    assert rejected == [(1, "Lyon"), (1, "Lyon"), (1, "Nice"), (3, "Lyon")]
    assert mailjet.statuses() == before | {"person3@example.com": "unsubscribed"}
    mailjet.sandbox.faults.clear()
    assert mailjet.deliver([schema(), *rows, state(2)], **config).counts().keys() <= {
        "delivered",
        "superseded",
        "unchanged",
    }
    assert mailjet.statuses()["person1@example.com"] == "subscribed"
    assert (ODD in mailjet.statuses()) is (on_key_change == "keep")


@pytest.mark.parametrize("route", ROUTES)
def test_p5_an_opt_out_on_a_list_beyond_the_tenth_is_kept(mailjet, route):
    others = [mailjet.sandbox.mailjet.add_list(f"List {number}") for number in range(12)]
    entries = [{"email": "person1@example.com", "list": number} for number in others]
    mailjet.sandbox.mailjet.add_contacts(
        [*entries, {"email": "person1@example.com", "list": others[-1], "unsubscribed": True}]
    )
    result = mailjet.deliver([schema(), person(1, **GONE)], route=route, list="List 11")
    assert result.counts() == {"withheld": 1}
    assert mailjet.statuses("List 11") == {"person1@example.com": "unsubscribed"}


# Rows that are too large


BIG = "x" * 6000


@pytest.fixture
def hasty(monkeypatch):
    """Calls are tried again without a rest."""
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: RetryPolicy(fault_base=0.001))


def limited(mailjet, most=4000):
    mailjet.sandbox.switches.change({"max_body_bytes": most, "max_csv_bytes": most})


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("place", [0, 1, 2, None])
def test_a_row_too_large_for_any_call_is_rejected_for_its_size_and_the_others_go(mailjet, route, place):
    limited(mailjet)
    rows = [] if place is None else [person(1, name=None), person(2, name=None)]
    rows.insert(place or 0, person(9, name=None, city=BIG))
    result = mailjet.deliver([schema(), *rows, state(1)], route=route)
    assert result.error is None
    assert result.states == [1]
    assert result.outcomes["reasons"] == {"too_large": 1}
    assert "bytes" in result.rejects[0]["record"]["_reject_reason"]
    assert mailjet.statuses().keys() == {row["record"]["email"] for row in rows if row["record"]["id"] != 9}


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("route", ROUTES)
def test_a_row_is_not_blamed_where_nothing_is_answered_or_it_is_small(mailjet, route):
    paths = {"json": "*managemanycontacts", "csv": "*CSVData*", "contact": "/v3/REST/contactdata/*"}
    mailjet.sandbox.faults.add(kind="reset", path=paths[route], times=None)
    result = mailjet.deliver([schema(), person(1, name=None), state(1)], route=route)
    assert result.error is not None
    assert (result.states, result.rejects) == ([], [])


@pytest.mark.parametrize("rows", [1, 2])
def test_a_row_refused_for_its_size_is_rejected_for_it(mailjet, rows):
    mailjet.sandbox.faults.add(kind="status", status=413, method="POST", path="*managemanycontacts", times=rows)
    result = mailjet.deliver([schema(), *[person(number) for number in range(rows)], state(1)])
    assert result.outcomes["reasons"] == {"too_large": 1}
    assert result.outcomes["delivered"] == rows - 1


# Properties that are unknown for a moment


UNKNOWN = 'Invalid key name: "city"'


def test_a_defined_property_that_is_unknown_for_a_moment_is_set_contact_by_contact(mailjet):
    mailjet.sandbox.faults.add(kind="status", status=400, message=UNKNOWN, path="/v3/REST/contactdata/*", times=2)
    assert mailjet.deliver([schema(), person(1), state(1)], route="contact").counts() == {"delivered": 1}
    assert mailjet.members()["person1@example.com"]["properties"]["city"] == "Lyon"


@pytest.mark.slow
@pytest.mark.parametrize("route", ["json", "contact"])
def test_rows_wait_for_properties_that_were_just_created(mailjet, route):
    mailjet.sandbox.switches.change({"property_delay_seconds": 0.4})
    columns = schema()["schema"]["properties"] | {"town": {"type": "string"}}
    rows = [person(number, town="Lyon") for number in range(3)]
    options = {"properties": ["town"], "create_properties": True, "route": route}
    result = mailjet.deliver([schema(columns=columns), *rows, state(1)], **options)
    assert result.counts() == {"delivered": 3}
    assert {member["properties"]["town"] for member in mailjet.members().values()} == {"Lyon"}


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["list", "nested", "text", "missing"])
def test_rows_of_a_job_that_does_not_know_a_property_for_a_moment_go_again(mailjet, shape):
    mailjet.sandbox.switches.change({"property_delay_seconds": 0.4, "error_file": shape, "max_value_bytes": 0})
    mailjet.sandbox.mailjet.add_property("town")
    columns = schema()["schema"]["properties"] | {"town": {"type": "string"}}
    result = mailjet.deliver([schema(columns=columns), person(1, town="Lyon"), state(1)], properties=["town"])
    assert result.error is None
    if shape != "missing":
        assert result.counts() == {"delivered": 1}
        assert mailjet.members()["person1@example.com"]["properties"]["town"] == "Lyon"


@pytest.mark.slow
@pytest.mark.parametrize("route", ["json", "contact"])
def test_rows_whose_property_stays_unknown_are_rejected_after_a_while_and_the_others_at_once(mailjet, route):
    mailjet.sandbox.switches.change({"property_delay_seconds": 3600})
    mailjet.sandbox.mailjet.add_property("town")
    columns = schema()["schema"]["properties"] | {"town": {"type": ["string", "null"]}}
    rows = [person(1, town="Lyon"), person(2, town="Lyon"), person(3, town=None)]
    result = mailjet.deliver([schema(columns=columns), *rows, state(1)], properties=["town"], route=route)
    assert result.error is None
    assert result.counts() == {"delivered": 1, "rejected": 2}
    assert result.outcomes["reasons"] == {"refused_by_provider": 2}


def test_an_error_is_the_runs_where_it_is_no_refusal(mailjet):
    mailjet.sandbox.faults.add(kind="status", status=405, path="*getcontactslists", times=None)
    result = mailjet.deliver([schema(), person(1, **GONE), state(1)])
    assert isinstance(result.error, MailingError)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["list", "nested", "text"])
def test_one_odd_address_among_thousands_costs_a_few_calls(mailjet, shape):
    odd, good = "o'person7@example.com", "person7@example.com"
    mailjet.sandbox.switches.change({"error_file": shape})
    mailjet.sandbox.mailjet.refuse([odd])
    rows = [person(number) for number in range(3019)]
    result = mailjet.deliver([schema(), *rows, person(9999, email=odd), state({"n": 1})])
    assert result.counts() == {"delivered": 3019, "rejected": 1}
    assert [reject["record"]["email"] for reject in result.rejects] == [odd]
    assert good not in result.rejects[0]["record"]["_reject_reason"].replace(odd, "")
    assert sum(mailjet.sandbox.counters.calls.values()) <= 12
