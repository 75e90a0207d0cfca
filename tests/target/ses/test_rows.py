"""Rows to the contact list, by both routes: what Amazon SES holds then, and what each row's outcome is."""

from __future__ import annotations

import pytest

from tests.target.conftest import COLUMNS, people, person, schema, state
from tests.target.ses.conftest import GONE

ADA = "person1@example.com"
BOB = "person2@example.com"
ANY = {"type": ["object", "array", "string", "boolean", "null"]}


def table(**columns):
    return schema(columns=COLUMNS | columns)


def test_p1_rows_are_delivered_and_state_leaves_after_them(either):
    result = either.deliver([schema(), *people(range(3)), state(1)])
    assert result.error is None
    assert result.counts() == {"delivered": 3}
    assert result.states == [1]
    assert either.seen(ADA) == (False, {}, {"name": "Person 1", "city": "Lyon"})
    assert either.objects() == []


def test_attributes_are_one_json_object_of_canonical_columns_and_properties(either):
    columns = {"company": {"type": "string"}, "address_city": {"type": "string"}, "tags": ANY}
    row = person(1, company="Zoë & Co", address_city="Oslo", visits=3, tags=["a"], properties={"vip": True, "n": None})
    result = either.deliver([table(**columns), row], properties=["visits", "tags"])
    assert result.counts() == {"delivered": 1}
    expected = {
        "name": "Person 1", "company": "Zoë & Co", "address_city": "Oslo", "visits": 3, "tags": ["a"], "vip": True
    }  # fmt: skip
    assert either.seen(ADA)[2] == expected


@pytest.mark.slow
def test_a_row_with_attributes_replaces_those_there_and_one_without_leaves_them(either):
    either.add({"email": ADA, "attributes": {"old": 1}}, {"email": BOB, "attributes": {"old": 2}})
    nothing = {"name": None, "city": None}
    either.deliver([schema(), person(1, name=None), person(2, **nothing)])
    assert either.seen(ADA)[2] == {"city": "Lyon"}
    assert either.seen(BOB)[2] == {"old": 2}


def test_nulls_clear_writes_a_null(either):
    either.deliver([schema(), person(1, name=None, city=None)], nulls="clear")
    assert either.seen(ADA)[2] == {"city": None}


def test_topics_come_from_columns_of_their_own_whatever_their_case(either):
    columns = {"topic_News": ANY, "topic_offers": ANY}
    rows = [
        person(1, topic_News="OPT_OUT", topic_offers=True),
        person(2, topic_News=False, topic_offers=None),
        person(3, topic_News="opt_in", topic_offers="perhaps"),
    ]
    result = either.deliver([table(**columns), *rows])
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert result.outcomes["reasons"] == {"wrong_type": 1}
    assert either.seen(ADA)[1] == {"News": "OPT_OUT", "Offers": "OPT_IN"}
    assert either.seen(BOB)[1] == {"News": "OPT_OUT"}


def test_p5_topics_come_from_preferences_as_the_tap_writes_them_and_of_two_for_one_topic_the_opt_out_counts(either):
    def preference(status, topic="News"):
        return {"topic_name": topic, "subscription_status": status}

    columns = {"topic_preferences": ANY, "topic_default_preferences": ANY, "id": {"type": "string"}}
    rows = [
        person(
            1, topic_preferences=[preference("OPT_IN", "Offers")], topic_default_preferences=[{"topic_name": "News"}]
        ),
        person(2, topic_preferences={"News": "OPT_OUT"}),
        person(3, topic_preferences={"Nobody's": "OPT_IN"}),
        person(4, topic_preferences=[preference("OPT_OUT"), preference("OPT_IN")]),
        person(5, topic_preferences=[preference("OPT_IN"), preference("OPT_OUT")]),
    ]
    for row in rows:
        row["record"]["id"] = row["record"]["email"]
    result = either.deliver([table(**columns), *rows])
    assert result.counts() == {"delivered": 4, "rejected": 1}
    assert either.seen(ADA)[1] == {"Offers": "OPT_IN"}
    assert either.seen(BOB)[1] == {"News": "OPT_OUT"}
    assert {either.seen(f"person{n}@example.com")[1]["News"] for n in (4, 5)} == {"OPT_OUT"}


def test_a_topic_may_be_mapped(either):
    columns = {"wants_news": {"type": "boolean"}}
    either.deliver([table(**columns), person(1, wants_news=False)], mapping={"topic_News": "wants_news"})
    assert either.seen(ADA)[1] == {"News": "OPT_OUT"}


@pytest.mark.parametrize(
    ("columns", "config"),
    [({"topic_Nws": ANY}, {}), ({"news": ANY}, {"mapping": {"topic_Nws": "news"}})],
)
def test_p9_a_missing_topic_is_named_before_anything_is_written(either, columns, config):
    result = either.deliver([table(**columns), person(1), state(1)], **config)
    assert "topic_Nws" in str(result.error)
    assert "News" in str(result.error)
    assert result.states == []
    assert either.contacts() == {}
    assert either.objects() == []


@pytest.mark.slow
def test_rows_are_unchanged_until_their_content_changes(either):
    either.deliver([schema(), *people(range(2))])
    either.sandbox.counters.reset()
    assert either.deliver([schema(), *people(range(2)), state(1)]).counts() == {"unchanged": 2}
    assert not either.calls().keys() & {"create", "update", "list", "submit"}
    assert either.deliver([schema(), *people(range(2), city="Nice")]).counts() == {"delivered": 2}
    assert either.seen(ADA)[2]["city"] == "Nice"


def test_p4_superseded_rows_end_with_the_one_that_supersedes_them(either):
    rows = [
        person(1, topic_News="OPT_OUT"),
        person(2, email="Person1@Example.com", name=None, city=None, topic_News="OPT_IN", topic_Offers="OPT_IN"),
    ]
    result = either.deliver([table(topic_News=ANY, topic_Offers=ANY), *rows, state(1)])
    assert result.counts() == {"superseded": 1, "delivered": 1}
    (contact,) = either.contacts().values()
    assert contact["topics"] == {"News": "OPT_OUT", "Offers": "OPT_IN"}
    assert contact["attributes"] == '{"city":"Lyon","name":"Person 1"}'


def test_p9_a_bad_row_is_rejected_and_the_others_are_delivered(either):
    either.ses.refuse(["x@y.example"])
    result = either.deliver([schema(), person(1, email="nobody"), person(2), person(3, email="x@y.example"), state(1)])
    assert result.counts() == {"delivered": 1, "rejected": 2}
    assert result.outcomes["reasons"] == {"bad_address": 1, "refused_by_provider": 1}
    assert result.states == [1]
    assert [row["record"]["_reject_code"] for row in result.rejects] == ["bad_address", "refused_by_provider"]


@pytest.mark.slow
def test_deleted_rows_leave_the_list_also_by_their_key_alone(either):
    either.deliver([schema(), *people(range(4))])
    gone = [person(1, **GONE), {"type": "RECORD", "stream": "people", "record": {"id": 2, **GONE}}]
    result = either.deliver([schema(), *gone, person(9, **GONE), state(1)])
    assert result.counts() == {"delivered": 3}
    assert either.contacts().keys() == {"person0@example.com", "person3@example.com"}
    assert either.deliver([schema(), *gone]).counts() == {"unchanged": 2}


@pytest.mark.slow
def test_a_changed_address_is_added_and_the_old_one_leaves(either):
    either.deliver([schema(), person(1)])
    assert either.deliver([schema(), person(1, email="new@example.com")]).counts() == {"delivered": 1}
    assert either.contacts().keys() == {"new@example.com"}


def test_addresses_keep_the_spelling_that_amazon_ses_has(either):
    either.sandbox.ses.change(ses_contact_case="exact")
    either.add({"email": "Person1@example.com", "unsubscribed": True, "attributes": {"a": 1}})
    result = either.deliver([schema(), person(1, email="Person1@EXAMPLE.com"), state(1)])
    assert result.counts() == {"delivered": 1}
    assert either.seen("Person1@example.com")[0] is True
    assert either.contacts().keys() == {"Person1@example.com"}


@pytest.mark.slow
def test_an_address_with_a_slash_goes_by_import(ses):
    ses.add({"email": "a/b@example.com", "unsubscribed": True})
    result = ses.deliver([schema(), person(1, email="a/b@example.com"), person(2)], route="auto")
    assert result.counts() == {"delivered": 2}
    assert len(ses.jobs()) == 1
    assert ses.seen("a/b@example.com")[0] is True


@pytest.mark.parametrize(("rows", "jobs"), [(20, 0), (21, 1)])
def test_auto_takes_import_jobs_where_many_rows_go(ses, rows, jobs):
    result = ses.deliver([schema(), *people(range(rows))], route=None)
    assert result.counts() == {"delivered": rows}
    assert len(ses.jobs()) == jobs
    assert len(ses.contacts()) == rows


@pytest.mark.slow
def test_without_a_bucket_rows_go_one_by_one_in_small_batches(bare):
    result = bare.deliver([schema(), *people(range(130)), state(1)])
    assert result.counts() == {"delivered": 130}
    assert result.outcomes["batches"] == 2
    assert bare.calls() == {"create": 130, "list": 1}


@pytest.mark.slow
def test_both_routes_make_the_same_contacts(ses):
    there = [
        {"email": f"person{n}@example.com", "unsubscribed": n % 2 == 0, "topics": {"News": "OPT_OUT"}}
        | {"attributes": {"a": n}}
        for n in range(4)
    ]
    columns = {"topic_News": ANY, "topic_Offers": ANY}
    rows = [
        *people(range(3), topic_News="OPT_IN", topic_Offers="OPT_OUT"),
        person(3, name=None, city=None, subscription_status="unsubscribed"),
        *people(range(4, 6), topic_News="OPT_IN", subscription_status="unsubscribed"),
        *people(range(6, 30)),
    ]
    found = []
    for route in ("import", "direct"):
        ses.ses.remove_contacts(list(ses.contacts()), region="eu-west-1")
        ses.add(*there)
        assert ses.deliver([table(**columns), *rows], route=route, send="all").counts() == {"delivered": 30}
        found.append({email: ses.seen(email) for email in ses.contacts()})
    assert found[0] == found[1]
    assert found[0]["person3@example.com"] == (True, {"News": "OPT_OUT"}, {"a": 3})


def test_a_list_is_made_where_that_is_wanted(bare):
    bare.sandbox.ses._account.region("eu-west-1").contact_list = None
    assert bare.deliver([schema(), person(1)], create_list=True, list="Fresh").counts() == {"delivered": 1}
    assert bare.contacts().keys() == {ADA}
