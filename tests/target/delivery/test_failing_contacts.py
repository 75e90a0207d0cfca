"""One contact for which the provider always fails ends its row, once others went through; and jobs that count less."""

from __future__ import annotations

import json

import pytest

from mailing_api.errors import ProviderFault
from mailing_api.http import client as http_client
from mailing_api.http.retry import RetryPolicy
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.ses import account as ses_account
from tests.target.conftest import person, reader, readers, schema, state
from tests.target.postgrid.conftest import household, households, postgrid  # noqa: F401 - a fixture
from tests.target.ses.conftest import _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
ODD = "odd@example.com"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    """Calls are tried again without a rest."""
    monkeypatch.setattr(http_client, "RetryPolicy", lambda: RetryPolicy(fault_base=0.001))
    monkeypatch.setattr(ses_account, "PATIENCE", RetryPolicy(fault_base=0.001))


@pytest.mark.parametrize("place", range(3))
def test_a_contact_that_always_fails_is_the_only_reject_contact_by_contact(mailjet, place):
    mailjet.sandbox.faults.add(kind="status", status=500, path="*odd*", times=None)
    rows = [person(1, name=None), person(2, name=None)]
    rows.insert(place, person(9, name=None, email=ODD))
    result = mailjet.deliver([schema(), *rows, state(1)], route="contact")
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == {"unconfirmed": 1}
    assert mailjet.statuses().keys() == {"person1@example.com", "person2@example.com"}


@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_neither_does_one_stop_the_removals_of_others(mailjet, route):
    mailjet.sandbox.faults.add(kind="status", status=503, path="*odd*", times=None)
    emails = ["person1@example.com", ODD, "person3@example.com"]
    mailjet.sandbox.mailjet.add_contacts([{"email": email, "list": mailjet.list_id} for email in emails])
    rows = [person(number, email=email, **GONE) for number, email in enumerate(emails)]
    result = mailjet.deliver([schema(), *rows, state(1)], route=route)
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == {"unconfirmed" if route == "contact" else "refused_by_provider": 1}
    assert set(mailjet.statuses()) == {ODD}


@pytest.mark.parametrize("route", ["json", "contact"])
def test_p5_whoever_cannot_be_asked_about_at_a_former_address_is_not_added_under_the_new_one(mailjet, route):
    mailjet.deliver([schema(), person(1, email=ODD), person(2, email="old@example.com")], route=route)
    mailjet.sandbox.faults.add(kind="status", status=500, path="*odd*", times=None)
    news = [person(1, email=f"new{at}@example.com") for at in range(3)]
    result = mailjet.deliver([schema(), *news, person(2), state(1)], route=route)
    assert (result.error, result.states) == (None, [1])
    assert not any(mailjet.statuses().get(one["record"]["email"]) == "subscribed" for one in news)
    assert mailjet.statuses()["person2@example.com"] == "subscribed"


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("route", ["json", "contact"])
def test_where_mailjet_answers_about_nobody_the_run_ends(mailjet, route, rows):
    mailjet.sandbox.faults.add(kind="status", status=500, path="/v3/REST/contact/*", times=None)
    result = mailjet.deliver([schema(), *(person(n, **GONE) for n in range(rows)), state(1)], route=route)
    assert isinstance(result.error, ProviderFault)
    assert (result.states, result.rejects) == ([], [])


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize(("route", "extra"), [("contact", {}), ("contact", GONE), ("json", GONE), ("csv", GONE)])
def test_the_only_row_of_a_run_is_a_reject_if_mailjet_answers_about_others(mailjet, route, extra, status):
    mailjet.sandbox.mailjet.add_contacts([{"email": ODD, "list": mailjet.list_id}])
    mailjet.sandbox.faults.add(kind="status", status=status, path="*odd*", times=None)
    result = mailjet.deliver([schema(), person(9, name=None, email=ODD, **extra), state(1)], route=route)
    assert (result.error, result.states, result.counts()) == (None, [1], {"rejected": 1})
    assert mailjet.statuses() == {ODD: "subscribed"}


@pytest.mark.parametrize(("status", "is_reject"), [(500, True), (503, False), (504, False)])
def test_a_write_of_the_only_row_is_not_judged_by_reads_where_writes_may_be_unavailable(mailjet, status, is_reject):
    path = "*managecontactslists"
    mailjet.sandbox.faults.add(kind="status", status=status, method="POST", path=path, times=None)
    result = mailjet.deliver([schema(), person(1), state(1)], route="contact")
    assert (result.states == [1]) is is_reject
    assert isinstance(result.error, ProviderFault) is not is_reject


def test_many_contacts_that_fail_are_rejects_unless_too_many_come_in_a_row(mailjet):
    mailjet.sandbox.faults.add(kind="status", status=500, path="*odd*", times=None)
    odd = [person(number, name=None, email=f"odd{number}@example.com") for number in range(10, 17)]
    others = [person(number, name=None) for number in range(3)]
    rows = [*odd[:3], others[0], *odd[3:5], others[1], *odd[5:], others[2]]
    result = mailjet.deliver([schema(), *rows, state(1)], route="contact")
    assert (result.error, result.counts()) == (None, {"delivered": 3, "rejected": 7})
    rows = [person(4, name=None), *odd[:4], person(5, name=None)]
    result = mailjet.deliver([schema(), *rows, state(2)], route="contact")
    assert isinstance(result.error, ProviderFault)


def test_whoever_fails_last_is_a_reject_only_if_somebody_else_goes_through_after_that(mailjet):
    mailjet.sandbox.faults.add(kind="status", status=500, path="*odd*", times=None)
    tries = RetryPolicy().fault_tries
    rows = [person(1, name=None), person(9, name=None, email=ODD)]
    mailjet.sandbox.faults.add(kind="status", status=500, path="/v3/REST/contact/*", skip=3, times=tries)
    result = mailjet.deliver([schema(), *rows, state(1)], route="contact")
    assert isinstance(result.error, ProviderFault)
    mailjet.sandbox.faults.add(kind="status", status=500, path="/v3/REST/contact/*", skip=3, times=tries - 1)
    result = mailjet.deliver([schema(), *rows, state(1)], route="contact")
    assert (result.error, result.outcomes["reasons"]) == (None, {"unconfirmed": 1})


# Bulk jobs


def test_a_row_whose_submission_always_fails_is_a_reject_once_another_was_taken(mailjet):
    path = "*managemanycontacts"
    mailjet.sandbox.faults.add(kind="status", status=500, method="POST", path=path, times=6)
    mailjet.sandbox.faults.add(kind="status", status=500, method="POST", path=path, skip=1, times=None)
    result = mailjet.deliver([schema(), *readers(range(2)), state(1)], route="json", jobs_in_flight=1)
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == {"unconfirmed": 1}
    assert mailjet.statuses().keys() == {"person1@example.com"}


@pytest.mark.parametrize("taken", [0, 1])
def test_where_no_submission_is_taken_any_more_the_run_ends(mailjet, taken):
    path = "*managemanycontacts"
    mailjet.sandbox.faults.add(kind="status", status=500, method="POST", path=path, skip=taken, times=None)
    options = {"batch_rows": 1 if taken else 100, "jobs_in_flight": 1}
    result = mailjet.deliver([schema(), *readers(range(2)), state(1)], route="json", **options)
    assert isinstance(result.error, DeliveryFailed)
    assert (result.counts(), result.states, result.rejects) == ({"delivered": 1} if taken else {}, [], [])


def test_a_row_that_mailjet_fails_to_be_asked_for_stays_in_doubt(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"end": "error"}] * 40)
    mailjet.sandbox.faults.add(kind="status", status=500, method="GET", path="*person1@*", times=None)
    result = mailjet.deliver([schema(), *readers(range(3)), state(1)], route="json")
    assert (result.error, result.states) == (None, [1])
    assert {one["record"]["email"] for one in result.rejects} >= {"person1@example.com"}


# Amazon SES


@pytest.mark.parametrize("extra", [{}, GONE], ids=["add", "remove"])
def test_a_contact_that_always_fails_at_ses_is_the_only_reject(bare, extra):  # noqa: F811
    bare.add({"email": "Odd@example.com"}, {"email": "person1@example.com"})
    bare.sandbox.faults.add(kind="status", status=500, path="*odd@*", times=None)
    rows = [person(number, **extra) for number in (1, 2)]
    rows.insert(1, person(9, email="Odd@example.com", **extra))
    result = bare.deliver([schema(), *rows, state(1)], route="direct")
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == {"unconfirmed": 1}


LOOK_UPS = [
    *(
        (others, extra)
        for others in (0, 2)
        for extra in ({}, {"visits": 3}, GONE, {"subscription_status": "unsubscribed"})
    ),
    (30, {}),  # the listing shows it, without its attributes
    (30, GONE),  # likewise, and it is to be unsubscribed from everything
]


@pytest.mark.parametrize(("others", "extra"), LOOK_UPS)
def test_a_contact_that_ses_fails_to_look_up_before_an_import_is_the_only_reject(ses, extra, others):  # noqa: F811
    ses.add({"email": ODD, "topics": {"News": "OPT_OUT"}, "attributes": {"city": "Bonn"}})
    ses.sandbox.faults.add(kind="status", status=500, path="*odd@*", times=None)
    rows = [person(number, name=None, city=None, **extra) for number in range(others)]
    rows.insert(1, person(99, name=None, city=None, email=ODD, **extra))
    before = ses.contacts()[ODD]
    result = ses.deliver([schema(), *rows, state(1)], max_removals="100%")
    assert (result.error, result.states, ses.objects()) == (None, [1], [])
    assert len(ses.jobs()) <= 1
    assert result.outcomes["reasons"] == {"refused_by_provider": 1}
    assert [one["record"]["email"] for one in result.rejects] == [ODD]
    assert ses.contacts()[ODD] == before
    assert len(ses.contacts()) == (1 if extra is GONE else others + 1)


def test_where_ses_answers_about_nobody_the_run_ends(ses):  # noqa: F811
    ses.sandbox.faults.add(kind="status", status=500, method="GET", path="*/contacts/*", times=None)
    result = ses.deliver([schema(), person(1), state(1)])
    assert isinstance(result.error, ProviderFault)
    assert (result.states, result.rejects, ses.contacts()) == ([], [], {})


@pytest.mark.parametrize("route", ["import", "direct"])
def test_an_address_that_ses_fails_to_look_up_stays_suppressed(ses, route):  # noqa: F811
    ses.suppress(ODD, "person1@example.com")
    ses.sandbox.faults.add(kind="status", status=500, path="*odd@*", times=None)
    config = {"ses_target": "suppression_list", "ses_allow_unsuppress": True, "list": None, "properties": None}
    rows = [person(1, **GONE), person(9, email=ODD, **GONE)]
    result = ses.deliver([schema(), *rows, state(1)], route=route, **config)
    assert (result.error, result.states, result.counts()) == (None, [1], {"delivered": 1, "rejected": 1})
    assert ses.suppressed().keys() == {ODD}


# PostGrid


@pytest.mark.parametrize(("status", "is_reject"), [(500, True), (503, False)])
def test_the_only_household_is_a_reject_if_its_call_fails_while_postgrid_answers(postgrid, status, is_reject):  # noqa: F811
    path = "/print-mail/v1/contacts"
    postgrid.sandbox.faults.add(kind="status", status=status, method="POST", path=path, times=None)
    result = postgrid.deliver([households(), household(1), state(1)])
    assert (result.states == [1]) is is_reject
    assert isinstance(result.error, ProviderFault) is not is_reject


def test_a_household_whose_calls_fail_for_a_while_goes_after_the_others(postgrid):  # noqa: F811
    tries = RetryPolicy().fault_tries
    path = "/print-mail/v1/contacts"
    postgrid.sandbox.faults.add(kind="status", status=500, method="POST", path=path, skip=1, times=tries)
    result = postgrid.deliver([households(), *map(household, range(3)), state(1)])
    assert (result.error, result.counts()) == (None, {"delivered": 3})
    assert len(postgrid.streets()) == 3


# Jobs that tell of fewer contacts than they were given


def count_as(mailjet, count, times=None):
    """Let jobs complete, each with this count."""
    told = {"Status": "Completed", "Count": count, "Error": "", "ErrorFile": "", "Errcount": 0}
    content = json.dumps({"Data": [told], "Count": 1, "Total": 1})
    for path in ("*managemanycontacts/*", "*/csvimport/*"):
        mailjet.sandbox.faults.add(kind="status", status=200, method="GET", content=content, path=path, times=times)


@pytest.mark.parametrize("rows", [2, 30])
@pytest.mark.parametrize("route", ["json", "csv"])
def test_rows_that_a_completed_job_left_out_without_a_word_are_sent_again(mailjet, rows, route):
    mailjet.sandbox.mailjet.plan_jobs([{"end": "short"}])
    result = mailjet.deliver([schema(), *readers(range(rows)), state(1)], route=route)
    assert (result.counts(), result.states) == ({"delivered": rows}, [1])
    assert len(mailjet.statuses()) == rows


def test_a_job_that_counts_too_few_while_all_are_there_is_believed_with_a_warning(mailjet):
    mailjet.sandbox.mailjet.add_contacts(
        [{"email": f"person{n}@example.com", "list": mailjet.list_id} for n in range(4)]
    )
    mailjet.sandbox.mailjet.plan_jobs([{"end": "short"}])
    result = mailjet.deliver([schema(), *readers(range(4)), state(1)], properties=None)
    assert result.counts() == {"delivered": 4}
    assert "counts 2 of 4 contacts. A sample of 4 was checked and has arrived completely" in result.log
    assert "person1@" not in result.log


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("route", ["json", "csv"])
def test_a_job_that_counts_nobody_is_believed_only_where_they_are_there(mailjet, route, there):
    if there:
        mailjet.sandbox.mailjet.add_contacts(
            [{"email": f"person{n}@example.com", "list": mailjet.list_id} for n in range(3)]
        )
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}] * 40)
    count_as(mailjet, 0)
    result = mailjet.deliver([schema(), *readers(range(3)), state(1)], route=route, properties=None)
    assert (result.error, result.counts()) == (None, {"delivered": 3} if there else {"rejected": 3})


@pytest.mark.parametrize("route", ["json", "csv"])
def test_a_job_that_may_have_left_out_few_of_many_is_split(mailjet, route):
    count_as(mailjet, 59, times=1)
    result = mailjet.deliver([schema(), *readers(range(60)), state(1)], route=route)
    assert (result.counts(), len(mailjet.statuses())) == ({"delivered": 60}, 60)
    assert len(mailjet.sandbox.mailjet.jobs()) == 3


def test_p3_a_job_of_an_earlier_run_that_counts_too_few_has_its_rows_sent_again(mailjet):
    """They have no content by then, so that nothing can be compared with the contacts."""
    mailjet.sandbox.mailjet.add_contacts([{"email": "person1@example.com", "list": mailjet.list_id}])
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    mailjet.deliver([schema(), reader(1), state(1)], job_timeout=0.1)
    count_as(mailjet, 0, times=1)
    result = mailjet.deliver([schema(), reader(1), state(1)])
    assert (result.error, result.states, result.counts()) == (None, [1], {"delivered": 1})
    assert (result.outcomes["resumed"], result.outcomes["resubmitted"]) == (1, 1)


@pytest.mark.parametrize("there", [True, False])
def test_exclusions_that_a_job_does_not_count_are_looked_for(mailjet, there):
    mailjet.sandbox.mailjet.add_contacts([{"email": f"person{n}@example.com", "excluded": there} for n in range(3)])
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}] * 40)
    count_as(mailjet, 0)
    result = mailjet.deliver([schema(), *readers(range(3)), state(1)], route="csv", action="excludemarketing")
    assert result.counts() == ({"delivered": 3} if there else {"rejected": 3})


# Properties that are unknown for a moment

UNKNOWN = 'Invalid key name: "city"'


@pytest.mark.parametrize("path", ["*managemanycontacts", "*CSVData*", "*csvimport"])
def test_a_batch_that_is_refused_for_an_unknown_property_goes_again(mailjet, path):
    mailjet.sandbox.faults.add(kind="status", status=400, message=UNKNOWN, method="POST", path=path, times=2)
    route = "json" if path.startswith("*manage") else "csv"
    result = mailjet.deliver([schema(), *readers(range(3)), state(1)], route=route)
    assert result.counts() == {"delivered": 3}
    assert {member["properties"]["city"] for member in mailjet.members().values()} == {"Lyon"}
    assert sum(call.startswith("POST") for call in mailjet.sandbox.counters.calls) <= 3


@pytest.mark.parametrize("status", ["Completed", "Error"])
def test_rows_of_a_file_that_is_said_to_have_an_unknown_property_go_again(mailjet, status):
    content = f"person1@example.com,Lyon, ###{UNKNOWN}\nperson2@example.com,Lyon, ###Something else\n".replace('"', "'")
    mailjet.sandbox.mailjet.plan_jobs(
        [{"bad_rows": ["person1@example.com", "person2@example.com"], "end": status.lower()}]
    )
    mailjet.sandbox.faults.add(kind="status", status=200, content=content, path="*CSVError*", times=1)
    result = mailjet.deliver([schema(), *readers(range(4)), state(1)], route="csv")
    assert result.counts() == {"delivered": 3, "rejected": 1}
    assert [one["record"]["email"] for one in result.rejects] == ["person2@example.com"]
    assert mailjet.members()["person1@example.com"]["properties"]["city"] == "Lyon"
