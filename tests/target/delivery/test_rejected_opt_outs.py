"""An opt-out is obeyed whatever else is wrong with its row: the row is a reject, and nobody is added by it (P5)."""

from __future__ import annotations

import json

import pytest

from tests.target.conftest import COLUMNS, LIST, Mailjet, person, schema, state
from tests.target.postgrid.conftest import household, households, postgrid  # noqa: F401 - a fixture
from tests.target.ses.conftest import REGION, TOPICS, _no_aws_of_this_machine, bare, ses  # noqa: F401 - fixtures

ANY = {**COLUMNS, "subscription_status": {}, "op": {}, "lists": {}, "_sdc_deleted_at": {}, "id": {}}
NUMBERS = ANY | {"visits": {"type": ["integer", "null"]}, "city": {"type": ["string", "null"]}}
OPT_OUT = {"subscription_status": "unsubscribed"}

#: What is wrong with a row, and the code of its reject.
WRONG = {
    "wrong_type": {"visits": "many"},
    "unknown_property": {"properties": {"shoe_size": 1}},
    "bad_deletion_mark": {"_sdc_deleted_at": "perhaps"},
    "missing_key": {"id": ""},
    "unknown_action": {"op": 7},
}


def rejected(extra):
    return [
        person(number, name=None, **{"email": f"person{number}@example.com"} | wrong | extra)
        for number, wrong in enumerate(WRONG.values())
    ]


@pytest.mark.parametrize("route", ["json", "csv", "contact"])
@pytest.mark.parametrize("told_by", ["status", "column", "setting"])
def test_p5_an_opt_out_of_a_row_that_is_rejected_for_anything_reaches_mailjet(mailjet: Mailjet, route, told_by):
    emails = [f"person{number}@example.com" for number in range(len(WRONG))]
    mailjet.sandbox.mailjet.add_contacts([{"email": one, "list": mailjet.list_id} for one in emails])
    extra = {"status": OPT_OUT, "column": {"op": "Opt-out"}, "setting": {}}[told_by]
    rows = rejected(extra)
    if told_by != "status":
        rows.pop()  # its own action cannot be read
    options = {"action": "unsub"} if told_by == "setting" else {}
    result = mailjet.deliver([schema(columns=ANY), *rows, state(1)], route=route, action_column="op", **options)
    assert (result.error, result.states) == (None, [1])
    assert result.outcomes["reasons"] == dict.fromkeys(list(WRONG)[: len(rows)], 1)
    assert result.outcomes["opt_outs_obeyed"] == len(rows) == result.counts()["rejected"]
    assert f"; {len(rows)} opt-outs of rejected rows obeyed" in result.log
    told = {email: mailjet.statuses()[email] for email in emails[: len(rows)]}
    assert told == dict.fromkeys(told, "unsubscribed")


@pytest.mark.parametrize("setting", ["unsub", "remove", "excludemarketing"])
def test_the_settings_action_is_none_of_a_row_whose_own_cannot_be_read(mailjet: Mailjet, setting):
    """It may have asked to be added. What else the row tells of an opt-out counts all the same."""
    actions = [5, "addnoforc", "addnoforce\ud800", float("nan"), ["remove"], True]
    rows = [person(number, op=action) for number, action in enumerate(actions)]
    leaver = person(9, op=5, **OPT_OUT)
    emails = [one["record"]["email"] for one in (*rows, leaver)]
    mailjet.sandbox.mailjet.add_contacts([{"email": one, "list": mailjet.list_id} for one in emails])
    columns = COLUMNS | {"op": {"type": ["string", "null"]}}
    messages = "".join(json.dumps(one) + "\n" for one in (schema(columns=columns), *rows, leaver, state(1)))
    result = mailjet.deliver(messages, action=setting, action_column="op")
    assert (result.error, result.counts()) == (None, {"rejected": len(emails)})
    statuses = mailjet.statuses()
    assert {statuses[one] for one in emails[:-1]} == {"subscribed"}
    assert not any(member["excluded"] for member in mailjet.members().values())
    assert statuses[emails[-1]] == "unsubscribed"


@pytest.mark.parametrize("wrong", [{"visits": "many"}, {"city": float("nan")}], ids=["schema_invalid", "unreadable"])
def test_p5_so_does_that_of_a_row_that_cannot_be_read_or_does_not_fit_its_schema(mailjet: Mailjet, wrong):
    mailjet.sandbox.mailjet.add_contacts([{"email": "person1@example.com", "list": mailjet.list_id}])
    messages = [schema(columns=NUMBERS), person(1, **wrong), state(1)]
    result = mailjet.deliver("".join(json.dumps(one) + "\n" for one in messages), action="unsub")
    assert (result.counts(), result.states) == ({"rejected": 1}, [1])
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed"}


def test_p5_an_opt_out_from_one_of_a_rows_lists_is_obeyed_though_another_is_unknown(mailjet: Mailjet):
    mailjet.sandbox.mailjet.add_contacts([{"email": "person1@example.com", "list": mailjet.list_id}])
    lists = [{"list": LIST, "action": "unsub"}, {"list": "Nowhere"}]
    result = mailjet.deliver([schema(columns=ANY), person(1, lists=lists), state(1)], route="contact")
    assert (result.counts(), result.outcomes["reasons"]) == ({"rejected": 1}, {"unknown_list": 1})
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed"}


# Topics of Amazon SES

DECLINED = {
    "topic_News": {"topic_News": "no"},
    "preferences": {"topic_preferences": {"News": "OPT_OUT", "Gossip": "OPT_IN"}},
}


@pytest.mark.parametrize("route", ["import", "direct"])
@pytest.mark.parametrize("told_by", DECLINED)
def test_p5_a_declined_topic_of_a_rejected_row_is_kept_and_nobody_is_added_for_it(ses, route, told_by):  # noqa: F811
    columns = ANY | {f"topic_{name}": {} for name in TOPICS} | {"topic_preferences": {}}
    ses.add({"email": "person0@example.com", "attributes": {"a": 1}}, {"email": "person1@example.com"})
    rows = [person(number, topic_Offers="perhaps", **DECLINED[told_by]) for number in range(3)]
    result = ses.deliver([schema(columns=columns), *rows, state(1)], route=route)
    assert (result.error, result.states, result.counts()) == (None, [1], {"rejected": 3})
    assert result.outcomes["opt_outs_obeyed"] == 3
    assert ses.seen("person0@example.com") == (False, {"News": "OPT_OUT"}, {"a": 1})
    assert ses.seen("person1@example.com")[1] == {"News": "OPT_OUT"}
    assert len(ses.contacts()) == 2
    again = ses.deliver([schema(columns=columns), person(2), state(2)], route=route)
    assert again.counts() == {"delivered": 1}
    assert ses.seen("person2@example.com")[:2] == (False, {"News": "OPT_OUT"})


@pytest.mark.parametrize("route", ["import", "direct"])
def test_p5_a_topic_that_a_rejected_row_declined_is_declined_by_whoever_adds_the_contact_in_this_run(ses, route):  # noqa: F811
    columns = ANY | {"topic_News": {}, "topic_Offers": {}}
    rows = [
        person(1, topic_News="no", topic_Offers="perhaps"),
        person(2, email="PERSON1@example.com", topic_News="yes"),
        person(3, topic_News="yes"),
    ]
    result = ses.deliver([schema(columns=columns), *rows, state(1)], route=route)
    assert result.counts() == {"rejected": 1, "delivered": 2}
    found = {email.lower(): one["topics"] for email, one in ses.contacts().items()}
    assert found == {"person1@example.com": {"News": "OPT_OUT"}, "person3@example.com": {"News": "OPT_IN"}}


@pytest.mark.parametrize("route", ["import", "direct"])
def test_p5_what_somebody_declined_is_remembered_until_they_are_added_by_any_row_of_a_later_run(ses, route):  # noqa: F811
    columns = ANY | {"topic_News": {}, "topic_Offers": {}}
    there, absent, excluded, forced, gone, silent, late = range(7)
    ses.add({"email": "person0@example.com"}, {"email": "person5@example.com", "unsubscribed": True})
    rows = [
        *(
            person(number, topic_News="no", topic_Offers="perhaps")
            for number in (there, absent, forced, gone, silent, late)
        ),
        person(excluded, topic_News="no", subscription_status="excluded"),
    ]
    result = ses.deliver([schema(columns=columns), *rows, state(1)], route=route)
    assert (result.counts(), result.states) == ({"rejected": 6, "withheld": 1}, [1])
    assert result.outcomes["opt_outs_obeyed"] == 6
    ses.add({"email": "person6@example.com"})
    again = [rows[absent], rows[absent], person(late, topic_News="perhaps", topic_Offers="no")]
    result = ses.deliver([schema(columns=columns), *again, state(1)], route=route)
    assert (result.error, result.counts(), result.outcomes["opt_outs_obeyed"]) == (None, {"rejected": 3}, 3)
    assert {email: one["topics"] for email, one in ses.contacts().items()} == {
        "person0@example.com": {"News": "OPT_OUT"}, "person5@example.com": {"News": "OPT_OUT"},
        "person6@example.com": {"Offers": "OPT_OUT"},
    }  # fmt: skip

    for email in ("person0@example.com", "person5@example.com"):  # who change their minds
        ses.add({"email": email, "unsubscribed": False, "topics": {"News": "OPT_IN"}})
    rows = [
        person(silent), person(late),
        person(there), person(absent, topic_News="yes"), person(excluded, email="PERSON2@example.com"), person(forced),
        person(gone, _sdc_deleted_at="2026-01-01"),
    ]  # fmt: skip
    result = ses.deliver(
        [schema(columns=columns), *rows, state(2)],
        route=route,
        action="addforce",
        consent="force",
        on_key_change="keep",
    )
    assert (result.error, result.states) == (None, [2])
    topics = {email.lower(): one["topics"].get("News") for email, one in ses.contacts().items()}
    assert topics == {
        "person0@example.com": "OPT_IN", "person5@example.com": "OPT_IN", "person1@example.com": "OPT_IN",  # by force
        "person2@example.com": "OPT_OUT", "person3@example.com": "OPT_OUT", "person6@example.com": "OPT_OUT",
    }  # fmt: skip

    del ses.ses._account.region(REGION).contact_list.topics["News"]  # which nobody can decline any more
    result = ses.deliver([schema(columns=ANY), person(gone), state(3)], route=route)
    assert (result.counts(), ses.seen("person4@example.com")[1]) == ({"delivered": 1}, {})


@pytest.mark.parametrize("column", ["unsubscribed", "News opt-out", "do_not_send"])
def test_p5_yes_in_a_column_of_opt_outs_declines_the_topic_that_it_is_mapped_to(ses, column):  # noqa: F811
    values = {"yes": "OPT_OUT", True: "OPT_OUT", "2026-01-05": "OPT_OUT", "no": None, "": None, "subscribed": "OPT_IN"}
    rows = [person(at, name=None, **{column: one}) for at, one in enumerate(values)]
    messages = [schema(columns=ANY | {column: {}}), *rows, person(9, **{column: "perhaps"}), state(1)]
    result = ses.deliver(messages, route="direct", mapping={"topic_News": column}, properties=None)
    assert result.outcomes["reasons"] == {"wrong_type": 1}
    found = {email: one["topics"].get("News") for email, one in ses.contacts().items()}
    assert found == {f"person{at}@example.com": one for at, one in enumerate(values.values())}


def test_p5_a_rejected_row_that_opts_out_suppresses_and_none_takes_off_the_suppression_list(bare):  # noqa: F811
    bare.suppress("person4@example.com")
    columns = ANY | {"reason": {}}
    rows = [
        person(1, reason="perhaps"),
        person(2, reason="perhaps", **OPT_OUT),
        person(3, reason="perhaps", subscription_status="subscribed"),
        person(4, reason="perhaps", op="remove"),
    ]
    options = {"ses_target": "suppression_list", "list": None, "properties": None, "ses_allow_unsuppress": True}
    result = bare.deliver([schema(columns=columns), *rows, state(1)], action_column="op", **options)
    assert (result.error, result.counts()) == (None, {"rejected": 4})
    assert set(bare.suppressed()) == {"person2@example.com", "person4@example.com"}


def test_p5_a_household_that_opts_out_in_a_rejected_row_leaves(postgrid):  # noqa: F811
    message = households()
    message["schema"]["properties"] = message["schema"]["properties"] | {"skip_verification": {}, "_sdc_deleted_at": {}}
    postgrid.deliver([message, *map(household, range(3)), state(0)])
    rows = [
        household(0, skip_verification="perhaps", subscription_status="opted out"),
        household(1, _sdc_deleted_at="perhaps", subscription_status="unsubscribed"),
        household(2, _sdc_deleted_at="FALSCH"),
    ]
    result = postgrid.deliver([message, *rows, state(1)])
    assert result.counts() == {"rejected": 2, "unchanged": 1}
    assert postgrid.streets() == ["2 Mill Lane"]


#: Texts that hold one address, of which nobody can have the text itself.
HELD = ["{};", "{},", "{} (Ada)", "smtp:{}", "e-mail: {}", "{} / {}", "Ada, {}", "{}/", "{0}, {0}"]


@pytest.mark.parametrize("route", ["json", "csv", "contact"])
def test_p5_an_opt_out_is_that_of_the_one_address_in_its_text(mailjet: Mailjet, route):
    emails = [f"person{number}@example.com" for number in range(len(HELD))]
    mailjet.sandbox.mailjet.add_contacts(
        [{"email": one, "list": mailjet.list_id} for one in [*emails, "z@example.com"]]
    )
    rows = [
        person(number, name=None, email=text.format(email, email), **OPT_OUT)
        for number, (text, email) in enumerate(zip(HELD, emails, strict=True))
    ]
    several = person(98, name=None, email="z@example.com, y@example.com", **OPT_OUT)
    adding = person(99, name=None, email="new@example.com;")
    result = mailjet.deliver([schema(columns=ANY), *rows, several, adding, state(1)], route=route)
    assert (result.error, result.states) == (None, [1])
    assert mailjet.statuses() == dict.fromkeys(emails, "unsubscribed") | {"z@example.com": "subscribed"}
    assert "person1@" not in result.log
