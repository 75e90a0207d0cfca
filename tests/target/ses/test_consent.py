"""Whoever opted out at Amazon SES, of everything or of a topic, is not subscribed again; nothing is forgotten (P5)."""

from __future__ import annotations

import threading

import pytest

from target_mailing.journal.journal import Journal, JournalError
from tests.target.conftest import COLUMNS, people, person, schema, state
from tests.target.ses.conftest import GONE

ADA = "person1@example.com"
BOB = "person2@example.com"
NEW = "new@example.com"
TOPIC = {"type": ["string", "null"]}


def table(**columns):
    return schema(columns=COLUMNS | {"topic_News": TOPIC, "topic_Offers": TOPIC} | columns)


def test_p5_opt_outs_at_the_provider_stay(either):
    either.add({"email": ADA, "unsubscribed": True}, {"email": BOB, "topics": {"News": "OPT_OUT", "Offers": "OPT_IN"}})
    result = either.deliver([table(), *people((1, 2, 3), topic_News="OPT_IN")])
    assert result.counts() == {"delivered": 3}
    assert either.seen(ADA)[:2] == (True, {"News": "OPT_IN"})
    assert either.seen(BOB)[:2] == (False, {"News": "OPT_OUT", "Offers": "OPT_IN"})
    assert either.seen("person3@example.com")[:2] == (False, {"News": "OPT_IN"})


@pytest.mark.slow
@pytest.mark.parametrize("rows", [2, 50])
def test_p5_opt_outs_stay_whether_people_are_asked_about_or_listed(ses, rows):
    ses.ses.change(ses_max_page=7, ses_empty_pages="between")
    ses.add(*({"email": f"person{n}@example.com", "unsubscribed": True} for n in range(0, 600, 2)))
    assert ses.deliver([schema(), *people(range(rows))]).counts() == {"delivered": rows}
    for n in range(rows):
        assert ses.seen(f"person{n}@example.com")[0] is (n % 2 == 0)


@pytest.mark.slow
def test_p5_only_addforce_with_consent_force_undoes_an_opt_out(either):
    either.add({"email": ADA, "unsubscribed": True, "topics": {"News": "OPT_OUT", "Offers": "OPT_OUT"}})
    either.deliver([table(), person(1, topic_News="OPT_IN")], action="addforce")
    assert either.seen(ADA)[0] is True
    either.deliver([table(), person(1, topic_News="OPT_IN")], action="addforce", consent="force")
    assert either.seen(ADA)[:2] == (False, {"News": "OPT_IN", "Offers": "OPT_OUT"})


@pytest.mark.parametrize("how", ["remove", "keep"])
def test_p5_somebody_whose_former_address_cannot_be_asked_about_is_not_added(either, how):
    either.deliver([schema(), *people((1, 2))])
    either.add({"email": ADA, "unsubscribed": True})
    content = '{"message": "Odd", "__type": "BadRequestException"}'
    headers = {"x-amzn-ErrorType": "BadRequestException"}
    fault = either.sandbox.faults.add(
        kind="status", status=400, content=content, headers=headers, method="GET", path="*person1@*", times=None
    )
    moved = [person(1, email=BOB), person(1, email=NEW), person(1, email=NEW, city="Nice")]
    result = either.deliver([schema(), *moved, state(1)], on_key_change=how, batch_rows=1)
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == {"refused_by_provider": 3}
    assert sorted(one["record"]["email"] for one in result.rejects) == [NEW, NEW, BOB]
    assert (fault.hits > 0, either.seen(BOB)[0], NEW in either.contacts()) == (True, False, False)


def test_p5_opt_outs_at_the_source_arrive_and_the_excluded_are_withheld(either):
    either.add({"email": ADA, "topics": {"News": "OPT_IN"}, "attributes": {"a": 1}})
    rows = [
        person(1, subscription_status="unsubscribed"),
        person(2, subscription_status="unsubscribed"),
        person(3, subscription_status="excluded"),
        person(4, subscription_status="pending"),
    ]
    result = either.deliver([schema(), *rows, state(1)])
    assert result.counts() == {"delivered": 2, "withheld": 2}
    assert either.seen(ADA)[:2] == (True, {"News": "OPT_IN"})
    assert either.seen(BOB)[0] is True
    assert either.contacts().keys() == {ADA, BOB}


def test_p5_removing_somebody_who_opted_out_is_withheld(either):
    either.add({"email": ADA, "unsubscribed": True}, {"email": BOB}, {"email": "person3@example.com"})
    result = either.deliver([schema(), *people((1, 2), **GONE), state(1)])
    assert result.counts() == {"withheld": 1, "delivered": 1}
    assert result.outcomes["reasons"] == {"opted_out_at_provider": 1}
    assert either.contacts().keys() == {ADA, "person3@example.com"}
    assert result.states == [1]


def test_p5_removing_somebody_who_declined_a_topic_unsubscribes_them_and_keeps_the_choice(either):
    either.add({"email": ADA, "topics": {"Offers": "OPT_OUT"}, "attributes": {"a": 1}}, {"email": BOB})
    result = either.deliver([schema(), *people((1, 2), **GONE)])
    assert result.counts() == {"withheld": 1, "delivered": 1}
    assert either.seen(ADA) == (True, {"Offers": "OPT_OUT"}, {"a": 1})
    assert either.contacts().keys() == {ADA}


@pytest.mark.slow
def test_a_deleted_row_that_tells_of_an_opt_out_records_it(either):
    either.add({"email": ADA, "attributes": {"a": 1}})
    assert either.deliver([schema(), person(1, subscription_status="unsubscribed", **GONE)]).counts() == {
        "delivered": 1
    }
    assert either.seen(ADA) == (True, {}, {"a": 1})


@pytest.mark.slow
@pytest.mark.parametrize("on_key_change", ["remove", "keep"])
def test_p5_an_opt_out_follows_to_a_changed_address(either, on_key_change):
    either.deliver([schema(), person(1)])
    either.add({"email": ADA, "unsubscribed": True})
    result = either.deliver([schema(), person(1, email=NEW)], on_key_change=on_key_change)
    assert result.counts() == {"withheld": 1}
    assert either.seen(ADA)[0] is True
    assert either.seen(NEW)[0] is True


def test_opt_outs_are_overwritten_only_where_two_settings_say_so(either):
    either.add({"email": ADA, "unsubscribed": True, "topics": {"News": "OPT_OUT"}, "attributes": {"a": 1}})
    result = either.deliver([schema(), person(1)], ses_preserve_unsubscribes=False)
    assert "`consent: force`" in str(result.error)
    assert either.seen(ADA)[0] is True
    either.deliver([schema(), person(1)], ses_preserve_unsubscribes=False, consent="force")
    # One call for one contact writes the topics that it names, as Amazon SES merges them; an import writes all.
    topics = {"News": "OPT_OUT"} if either.config["route"] == "direct" else {}
    assert either.seen(ADA) == (False, topics, {"name": "Person 1", "city": "Lyon"})
    assert either.calls().keys() <= {"put", "submit", "create", "update"}


def test_p5_a_declined_topic_reaches_a_known_contact_by_an_unchanged_row_if_the_run_before_could_not_send_it(
    ses, monkeypatch
):
    plain = [table(), person(1), state(1)]
    assert ses.deliver(plain, route="direct").counts() == {"delivered": 1}

    def full(*_, **__):
        raise JournalError("Setting `journal`: the disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "begin_batch", full)
        declined = person(1, topic_News="no", topic_Offers="perhaps")
        assert "the disk is full" in str(ses.deliver([table(), declined, state(2)], route="direct").error)
    assert ses.seen(ADA)[1] == {}
    assert ses.deliver(plain, route="direct").counts() == {"delivered": 1}
    assert ses.seen(ADA)[1] == {"News": "OPT_OUT"}


@pytest.mark.slow
def test_p5_an_address_of_another_case_that_opted_out_counts(ses):
    ses.ses.change(ses_contact_case="exact")
    ses.add({"email": "person1@example.com", "unsubscribed": True, "topics": {"News": "OPT_OUT"}})
    for route in ("import", "direct"):
        ses.deliver([schema(), person(1, email="Person1@example.com")], route=route, send="all")
        assert all(contact["unsubscribed"] for contact in ses.contacts().values())


@pytest.mark.slow
def test_p5_an_opt_out_while_a_job_slot_is_waited_for_is_seen(ses):
    ses.ses.change(ses_jobs_at_once=1)
    foreign = ses.occupy_a_slot()
    ses.add({"email": ADA})
    refused = ses.sandbox.faults.add(kind="hold", method="POST", path="/v2/email/import-jobs", when="after")
    results = []
    rows = [schema(), *people(range(3)), state(1)]
    run = threading.Thread(target=lambda: results.append(ses.deliver(rows)))
    run.start()
    refused.wait_until_held()
    ses.add({"email": ADA, "unsubscribed": True})
    refused.release()
    ses.ses.finish_job(foreign)
    run.join(60)
    assert results[0].counts() == {"delivered": 3}
    assert results[0].states == [1]
    assert results[0].outcomes["resubmitted"] == 0
    assert ses.seen(ADA)[0] is True
    assert ses.objects() == []
