"""What becomes of rows: delivered, unchanged, superseded, withheld, skipped, rejected."""

from __future__ import annotations

import pytest

from mailing_sandbox.server import Sandbox
from tests.target.conftest import people, person, schema, state


def test_p1_rows_are_delivered_and_state_leaves_after_them(mailjet):
    result = mailjet.deliver([schema(), *people(range(10)), state({"bookmark": 1})])
    assert result.error is None
    assert result.states == [{"bookmark": 1}]
    assert result.counts() == {"delivered": 10}
    assert mailjet.members()["person3@example.com"] == {
        "status": "subscribed", "name": "Person 3", "properties": {"city": "Lyon"}, "excluded": False,
    }  # fmt: skip


@pytest.mark.slow
def test_rows_confirmed_before_are_unchanged_and_cause_no_bulk_call(mailjet):
    mailjet.deliver([schema(), *people(range(10)), state(1)])
    mailjet.sandbox.counters.reset()
    again = mailjet.deliver([schema(), *people(range(9)), person(9, city="Nice"), state(2)])
    assert again.counts() == {"unchanged": 9, "delivered": 1}
    assert again.states == [2]
    assert mailjet.sandbox.counters.rows_received == {"contactslist/managemanycontacts": 1}
    nothing = mailjet.deliver([schema(), *people(range(9)), state(3)])
    assert nothing.counts() == {"unchanged": 9}
    assert nothing.outcomes["batches"] == 0


def test_send_all_sends_unchanged_rows_too(mailjet):
    mailjet.deliver([schema(), *people(range(3))])
    assert mailjet.deliver([schema(), *people(range(3))], send="all").counts() == {"delivered": 3}


def test_after_the_resend_window_a_row_goes_again(mailjet):
    mailjet.deliver([schema(), *people(range(3))])
    assert mailjet.deliver([schema(), *people(range(3))], resend_window=0).counts() == {"delivered": 3}


def test_a_later_row_of_the_same_address_supersedes_and_its_content_is_laid_over(mailjet):
    rows = [person(1, visits=5), person(2, email="Person1@EXAMPLE.com", name="Later", city="Nice", visits=None)]
    result = mailjet.deliver([schema(), *rows, state(1)])
    assert result.counts() == {"superseded": 1, "delivered": 1}
    (member,) = mailjet.members().values()
    assert (member["name"], member["properties"]) == ("Later", {"city": "Nice", "visits": "5"})
    again = mailjet.deliver([schema(), *rows, state(2)])
    assert again.counts() == {"superseded": 1, "unchanged": 1}
    assert again.outcomes["batches"] == 0


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"email": "nobody"}, "bad_address"),
        ({"email": None}, "bad_address"),
        ({"visits": "many"}, "wrong_type"),
        ({"properties": {"birthday": "soon"}}, "wrong_type"),
        ({"properties": {"shoe_size": 44}}, "unknown_property"),
        ({"city": 7}, "schema_invalid"),
        ({"id": None}, "missing_key"),
        ({"subscription_status": "perhaps"}, "bad_subscription_status"),
    ],
)
def test_p9_a_bad_row_is_rejected_and_the_others_are_delivered(mailjet, columns, code):
    result = mailjet.deliver([schema(), person(1), person(2, **columns), person(3), state(1)])
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert result.outcomes["reasons"] == {code: 1}
    assert result.states == [1]
    (reject,) = result.rejects
    assert reject["stream"] == "people"
    assert reject["record"]["_reject_code"] == code
    assert reject["record"]["_reject_attempt"] == 1
    assert columns.items() <= reject["record"].items()


def test_types_are_converted_where_that_is_exact(mailjet):
    properties = {"city": 69001, "visits": "12", "score": "1.5", "vip": "TRUE", "birthday": "1990-02-03T04:05:06+02:00"}
    result = mailjet.deliver([schema(), person(1, city=None, properties=properties)])
    assert result.counts() == {"delivered": 1}
    assert mailjet.members()["person1@example.com"]["properties"] == {
        "city": "69001", "visits": "12", "score": "1.5", "vip": "true", "birthday": "1990-02-03T02:05:06Z",
    }  # fmt: skip


@pytest.mark.slow
def test_nulls_clear_unassigns(mailjet):
    mailjet.deliver([schema(), person(1, visits=3)])
    mailjet.deliver([schema(), person(1, visits=None)])
    assert mailjet.members()["person1@example.com"]["properties"] == {"city": "Lyon", "visits": "3"}
    mailjet.deliver([schema(), person(1, visits=None)], nulls="clear")
    assert mailjet.members()["person1@example.com"]["properties"] == {"city": "Lyon"}


def test_p5_opt_outs_at_the_source_arrive_and_the_excluded_are_withheld(mailjet):
    rows = [
        person(1),
        person(2, subscription_status="unsubscribed"),
        person(3, subscription_status="excluded"),
        person(4, subscription_status="pending"),
        person(5, subscription_status="subscribed"),
    ]
    result = mailjet.deliver([schema(), *rows, state(1)])
    assert result.counts() == {"delivered": 3, "withheld": 2}
    assert result.outcomes["reasons"] == {"excluded": 1, "pending": 1}
    assert mailjet.statuses() == {
        "person1@example.com": "subscribed",
        "person2@example.com": "unsubscribed",
        "person5@example.com": "subscribed",
    }


@pytest.mark.parametrize("config", [{}, {"action": "addforce"}])
def test_p5_opt_outs_at_the_provider_stay(mailjet, config):
    mailjet.sandbox.mailjet.add_contacts(
        [{"email": "person1@example.com", "list": mailjet.list_id, "unsubscribed": True}]
    )
    mailjet.deliver([schema(), *people(range(3))], **config)
    assert mailjet.statuses()["person1@example.com"] == "unsubscribed"
    assert mailjet.statuses()["person2@example.com"] == "subscribed"


def test_addforce_with_consent_force_subscribes_again(mailjet):
    mailjet.sandbox.mailjet.add_contacts(
        [{"email": "person1@example.com", "list": mailjet.list_id, "unsubscribed": True}]
    )
    mailjet.deliver([schema(), *people(range(3))], action="addforce", consent="force")
    assert mailjet.statuses()["person1@example.com"] == "subscribed"


def test_actions_by_a_column(mailjet):
    columns = schema()["schema"]["properties"] | {"verb": {"type": ["string", "null"]}}
    mailjet.deliver([schema(), *people([2, 3])])
    rows = [person(1, verb=None), person(2, verb="unsub"), person(3, verb="remove"), person(4, verb="dance")]
    result = mailjet.deliver([schema(columns=columns), *rows, state(1)], action_column="verb")
    assert result.counts() == {"delivered": 3, "rejected": 1}
    assert result.outcomes["reasons"] == {"unknown_action": 1}
    assert mailjet.statuses() == {"person1@example.com": "subscribed", "person2@example.com": "unsubscribed"}


@pytest.mark.slow
def test_deletes_remove_also_when_they_carry_only_the_key(mailjet):
    mailjet.deliver([schema(), *people(range(4))])
    gone = "2026-01-01T00:00:00Z"
    deletes = [
        person(1, _sdc_deleted_at=gone),
        {"type": "RECORD", "stream": "people", "record": {"id": 2, "_sdc_deleted_at": gone}},
        {"type": "RECORD", "stream": "people", "record": {"id": 77, "_sdc_deleted_at": gone}},
    ]
    result = mailjet.deliver([schema(), *deletes, state(1)])
    assert result.counts() == {"delivered": 2, "rejected": 1}
    assert result.outcomes["reasons"] == {"unknown_key": 1}
    assert mailjet.statuses().keys() == {"person0@example.com", "person3@example.com"}
    again = mailjet.deliver([schema(), person(1)])
    assert again.counts() == {"delivered": 1}
    assert "person1@example.com" in mailjet.statuses()


@pytest.mark.slow
def test_p5_removing_an_opted_out_member_is_withheld_so_that_the_opt_out_is_kept(mailjet):
    mailjet.deliver([schema(), *people([1, 2])])
    mailjet.sandbox.mailjet.add_contacts(
        [{"email": "person1@example.com", "list": mailjet.list_id, "unsubscribed": True}]
    )
    gone = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}
    result = mailjet.deliver([schema(), person(1, **gone), person(2, **gone), state(1)])
    assert result.counts() == {"delivered": 1, "withheld": 1}
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed"}
    mailjet.deliver([schema(), *people([1, 2])])
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed", "person2@example.com": "subscribed"}


@pytest.mark.slow
def test_a_changed_address_adds_the_new_and_removes_the_old(mailjet):
    mailjet.deliver([schema(), *people([1, 2])])
    result = mailjet.deliver([schema(), person(1, email="new1@example.com"), person(2), state(1)])
    assert result.counts() == {"delivered": 1, "unchanged": 1}
    assert mailjet.statuses().keys() == {"new1@example.com", "person2@example.com"}
    kept = mailjet.deliver([schema(), person(2, email="new2@example.com")], on_key_change="keep")
    assert kept.counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == {"new1@example.com", "person2@example.com", "new2@example.com"}


@pytest.mark.slow
def test_an_address_that_changes_twice_in_one_input_leaves_only_the_last(mailjet):
    mailjet.deliver([schema(), person(1)])
    result = mailjet.deliver([schema(), person(1, email="b@example.com"), person(1, email="c@example.com"), state(1)])
    assert result.counts() == {"delivered": 2}
    assert mailjet.statuses().keys() == {"c@example.com"}


@pytest.mark.slow
@pytest.mark.parametrize("deleted", [1, 2])
def test_an_address_that_another_key_still_has_is_not_removed(mailjet, deleted):
    both = {"email": "both@example.com"}
    mailjet.deliver([schema(), person(1, **both), person(2, **both), person(3)])
    gone = {"id": deleted, "_sdc_deleted_at": "2026-01-01T00:00:00Z"}
    result = mailjet.deliver([schema(), {"type": "RECORD", "stream": "people", "record": gone}, state(1)])
    assert result.counts() == {"unchanged": 1}
    assert "both@example.com" in mailjet.statuses()
    moved = mailjet.deliver([schema(), person(3 - deleted, email="new@example.com")])
    assert moved.counts() == {"delivered": 1}
    assert "new@example.com" in mailjet.statuses()


@pytest.mark.slow
def test_p5_somebody_who_opted_out_stays_so_under_a_new_address(mailjet):
    mailjet.deliver([schema(), *people([1, 2])])
    mailjet.opt_out("person1@example.com")
    moved = [person(1, email="new1@example.com"), person(2, email="new2@example.com")]
    result = mailjet.deliver([schema(), *moved, state(1)])
    assert result.counts() == {"delivered": 1, "withheld": 1}
    assert mailjet.statuses() == {
        "person1@example.com": "unsubscribed",
        "new1@example.com": "unsubscribed",
        "new2@example.com": "subscribed",
    }
    mailjet.deliver([schema(), *moved, state(2)])
    assert mailjet.statuses()["new1@example.com"] == "unsubscribed"


def test_streams_that_are_not_of_contacts_are_refused_before_any_call(mailjet):
    suppressions = schema("mailjet_suppressions", {"provider": {"type": "string"}, "email": {"type": "string"}}, [])
    result = mailjet.deliver([suppressions, state(1)])
    assert "mailjet_suppressions" in str(result.error)
    assert "on_unknown_stream" in str(result.error)
    assert result.states == []
    assert mailjet.sandbox.counters.total_calls == 0


@pytest.mark.slow
def test_unknown_streams_may_be_skipped_and_named_ones_are_accepted(mailjet):
    columns = {"provider": {"type": "string"}, "email": {"type": "string"}}
    rows = [
        schema("ses_suppressions", columns, []),
        {"type": "RECORD", "stream": "ses_suppressions", "record": {"provider": "ses", "email": "a@example.com"}},
        state(1),
    ]
    skipped = mailjet.deliver(rows, on_unknown_stream="skip", properties=None)
    assert skipped.counts() == {"skipped": 1}
    assert skipped.states == [1]
    named = mailjet.deliver(rows, properties=None, streams={"ses_*": {"action": "unsub"}})
    assert named.counts() == {"delivered": 1}
    assert mailjet.statuses() == {"a@example.com": "unsubscribed"}


def test_streams_may_go_to_different_lists(mailjet):
    mailjet.sandbox.mailjet.add_list("Firms")
    rows = [schema(), schema("firms"), person(1), person(2, stream="firms"), state(1)]
    result = mailjet.deliver(rows, streams={"firms": {"list": "Firms"}})
    assert result.counts() == {"delivered": 2}
    assert mailjet.statuses().keys() == {"person1@example.com"}
    assert mailjet.statuses("Firms").keys() == {"person2@example.com"}


def test_account_wide_with_several_lists_in_one_call(mailjet):
    mailjet.sandbox.mailjet.add_list("Firms")
    result = mailjet.deliver([schema(), *people(range(3))], scope="account", list=["Spring readers", "Firms"])
    assert result.counts() == {"delivered": 3}
    assert mailjet.statuses().keys() == mailjet.statuses("Firms").keys() == {f"person{n}@example.com" for n in range(3)}
    assert mailjet.sandbox.counters.calls["POST /v3/REST/contact/managemanycontacts"] == 1


@pytest.mark.slow
def test_account_wide_without_a_list_only_adds_and_updates(mailjet):
    rows = [schema(), person(1), person(2, subscription_status="unsubscribed"), state(1)]
    result = mailjet.deliver(rows, scope="account", list=None)
    assert result.counts() == {"delivered": 1, "withheld": 1}
    assert mailjet.sandbox.mailjet.contacts().keys() == {"person1@example.com"}
    refused = mailjet.deliver([schema(), person(1)], scope="account", list=None, action="unsub")
    assert "`action`" in str(refused.error)


def test_a_list_is_created_and_properties_are_created_with_their_types(mailjet):
    columns = schema()["schema"]["properties"] | {"since": {"type": ["string", "null"], "format": "date-time"}}
    result = mailjet.deliver(
        [schema(columns=columns), person(1, since="2020-01-02T03:04:05Z"), state(1)],
        list="Brand new", create_list=True, properties=["city", "since"], create_properties=True,
    )  # fmt: skip
    assert result.error is None
    assert mailjet.members("Brand new")["person1@example.com"]["properties"] == {
        "city": "Lyon", "since": "2020-01-02T03:04:05Z",
    }  # fmt: skip


@pytest.mark.parametrize("how", ["id", "name", "address"])
def test_a_list_is_found_by_id_name_or_address(mailjet, how):
    (row,) = mailjet.sandbox.mailjet._account.store.lists.rows
    value = {"id": row.id, "name": row.name, "address": row.address}[how]
    assert mailjet.deliver([schema(), person(1)], list=value).counts() == {"delivered": 1}


def test_stream_maps_rename_filter_and_hash(mailjet):
    maps = {"people": {"email": "'x-' + email", "__filter__": "id > 1"}}
    result = mailjet.deliver([schema(), *people(range(4)), state(1)], stream_maps=maps)
    assert result.counts() == {"skipped": 2, "delivered": 2}
    assert mailjet.statuses().keys() == {"x-person2@example.com", "x-person3@example.com"}
    assert result.states == [1]


def test_p9_a_value_of_the_wrong_kind_in_a_deciding_column_is_a_reject(mailjet):
    columns = {"email": {"type": "string"}, "subscription_status": {}, "verb": {}}
    rows = [
        {"type": "RECORD", "stream": "people", "record": {"email": "a@b.test", "subscription_status": ["x"]}},
        {"type": "RECORD", "stream": "people", "record": {"email": "c@d.test", "verb": {"a": 1}}},
    ]
    result = mailjet.deliver([schema(columns=columns, keys=[]), *rows], properties=None, action_column="verb")
    assert result.outcomes["reasons"] == {"bad_subscription_status": 1, "unknown_action": 1}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("birthday", "12:00", None),
        ("birthday", "2024", None),
        ("birthday", 0, "1970-01-01T00:00:00Z"),
        ("birthday", "1990-02-03", "1990-02-03T00:00:00Z"),
        ("visits", "1_000", None),
        ("visits", 3.0, "3"),
        ("visits", 3.5, None),
        ("visits", True, None),
        ("score", "1_0.5", None),
        ("vip", 1, "true"),
        ("vip", "maybe", None),
        ("city", True, "true"),
        ("city", [], None),
    ],
)
def test_types_are_never_guessed(mailjet, name, value, expected):
    result = mailjet.deliver([schema(), person(1, city=None, properties={name: value})])
    if expected is None:
        assert result.outcomes["reasons"] == {"wrong_type": 1}
    else:
        assert mailjet.members()["person1@example.com"]["properties"] == {name: expected}


def test_accounts_with_the_same_label_are_told_apart(mailjet):
    mailjet.deliver([schema(), person(1)])
    with Sandbox(job_seconds=0.05, api_key="other-key") as other:
        other.mailjet.add_list("Spring readers")
        other.mailjet.add_property("city")
        other.mailjet.add_property("visits", "int")
        settings = {"mailjet_base_url": other.url, "mailjet_api_key": other.api_key}
        assert mailjet.deliver([schema(), person(1)], **settings).counts() == {"delivered": 1}
        assert other.mailjet.contacts().keys() == {"person1@example.com"}


def test_without_a_list_a_changed_address_removes_nothing(mailjet):
    account = {"scope": "account", "list": None}
    mailjet.deliver([schema(), person(1)], **account)
    result = mailjet.deliver([schema(), person(1, email="new@example.com")], **account)
    assert result.counts() == {"delivered": 1}
    assert result.outcomes["batches"] == 1
