"""What the settings do, each shown by what the provider holds and which STATE leaves."""

from __future__ import annotations

import time

import pytest

from target_mailing.run.run import TooManyRejectsError
from tests.target.conftest import people, person, schema, state


def bad(numbers):
    return people(numbers, email="nobody")


# max_rejected


@pytest.mark.parametrize(
    ("limit", "exceeded"), [(29, True), (30, False), ("20%", True), ("30%", False), ("0%", True), (0, True)]
)
def test_max_rejected_is_judged_before_anything_that_is_in_hand_is_sent(mailjet, limit, exceeded):
    result = mailjet.deliver([schema(), *people(range(70)), *bad(range(70, 100)), state(1)], max_rejected=limit)
    assert isinstance(result.error, TooManyRejectsError) is exceeded
    assert result.states == ([] if exceeded else [1])
    assert result.counts() == ({"rejected": 30} if exceeded else {"delivered": 70, "rejected": 30})
    assert len(mailjet.statuses()) == (0 if exceeded else 70)


@pytest.mark.parametrize("limit", [29, "20%"])
def test_max_rejected_rerun_judges_the_rejected_again_and_leaves_what_was_delivered(mailjet, limit):
    rows = [*people(range(70)), *bad(range(70, 100))]
    mailjet.deliver([schema(), *people(range(70)), state(0)], max_rejected=limit)
    mailjet.sandbox.counters.reset()
    for _ in range(2):
        still = mailjet.deliver([schema(), *rows, state(1)], max_rejected=limit)
        assert isinstance(still.error, TooManyRejectsError)
        assert still.counts() == {"unchanged": 70, "rejected": 30}
    mended = mailjet.deliver([schema(), *people(range(90)), *bad(range(90, 100)), state(1)], max_rejected=limit)
    assert mended.error is None
    assert mended.counts() == {"unchanged": 70, "delivered": 20, "rejected": 10}
    assert mended.states == [1]
    assert mailjet.sandbox.counters.rows_received == {"contactslist/managemanycontacts": 20}


def test_max_rejected_counts_what_the_provider_refused(mailjet):
    refused = [f"person{number}@example.com" for number in range(30)]
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": refused}])
    result = mailjet.deliver([schema(), *people(range(100)), state(1)], max_rejected="20%")
    assert isinstance(result.error, TooManyRejectsError)
    assert result.states == []
    again = mailjet.deliver([schema(), *people(range(100)), state(1)], max_rejected="20%")
    assert again.counts() == {"unchanged": 70, "delivered": 30}
    assert again.states == [1]


def test_max_rejected_once_exceeded_nothing_more_is_sent(mailjet):
    rows = [*bad(range(1000)), *people(range(1000, 1500)), state(1)]
    result = mailjet.deliver([schema(), *rows], max_rejected="50%", batch_rows=100)
    assert isinstance(result.error, TooManyRejectsError)
    assert result.states == []
    assert len(mailjet.received()) < 500


# resend_window and send


@pytest.mark.slow
def test_resend_window_is_counted_from_the_confirmation(mailjet):
    mailjet.deliver([schema(), *people(range(3))], resend_window="PT1H")
    assert mailjet.deliver([schema(), *people(range(3))], resend_window="PT1H").counts() == {"unchanged": 3}
    time.sleep(0.2)
    assert mailjet.deliver([schema(), *people(range(3))], resend_window=0.1).counts() == {"delivered": 3}
    assert mailjet.deliver([schema(), *people(range(3))], resend_window="PT1H").counts() == {"unchanged": 3}


def test_send_all_puts_right_what_was_changed_at_the_provider(mailjet):
    mailjet.deliver([schema(), *people(range(3))])
    mailjet.sandbox.mailjet.add_contacts([{"email": "person1@example.com", "name": "Somebody"}])
    assert mailjet.deliver([schema(), *people(range(3))]).counts() == {"unchanged": 3}
    assert mailjet.members()["person1@example.com"]["name"] == "Somebody"
    assert mailjet.deliver([schema(), *people(range(3))], send="all").counts() == {"delivered": 3}
    assert mailjet.members()["person1@example.com"]["name"] == "Person 1"
    assert mailjet.deliver([schema(), *people(range(3))]).counts() == {"unchanged": 3}


# nulls


@pytest.mark.parametrize(("nulls", "left"), [("skip", {"city": "Lyon", "visits": "3", "score": "1.5"}), ("clear", {})])
def test_nulls_in_columns_and_in_the_properties_object(mailjet, nulls, left):
    mailjet.deliver([schema(), person(1, visits=3, properties={"score": 1.5})])
    row = person(1, city=None, visits=None, properties={"score": None}, name=None)
    assert mailjet.deliver([schema(), row], nulls=nulls).counts() == {"delivered": 1}
    member = mailjet.members()["person1@example.com"]
    assert (member["name"], member["properties"]) == ("Person 1", left)


def test_a_column_that_is_absent_clears_nothing(mailjet):
    mailjet.deliver([schema(), person(1, visits=3)])
    mailjet.deliver([schema(), person(1, name="Ada")], nulls="clear")
    assert mailjet.members()["person1@example.com"]["properties"] == {"city": "Lyon", "visits": "3"}


# on_key_change


@pytest.mark.slow
def test_on_key_change_keep_leaves_the_old_address_for_good(mailjet):
    mailjet.deliver([schema(), person(1)])
    moved = person(1, email="new@example.com")
    assert mailjet.deliver([schema(), moved], on_key_change="keep").counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == {"person1@example.com", "new@example.com"}
    assert mailjet.deliver([schema(), moved], on_key_change="remove").counts() == {"unchanged": 1}
    assert mailjet.deliver([schema(), person(1, email="third@example.com")]).counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == {"person1@example.com", "third@example.com"}


# on_unknown_stream and streams

ORDERS = {"id": {"type": "integer"}, "total": {"type": "number"}}


def test_on_unknown_stream_may_differ_by_pattern(mailjet):
    order = {"type": "RECORD", "stream": "shop-orders", "record": {"id": 1, "total": 9.5}}
    rows = [schema(), schema("shop-orders", ORDERS), order, person(1), state(1)]
    failed = mailjet.deliver(rows)
    assert "'shop-orders'" in str(failed.error)
    assert failed.states == []
    skipped = mailjet.deliver(rows, on_unknown_stream="skip")
    assert skipped.counts() == {"skipped": 1, "delivered": 1}
    assert skipped.states == [1]


@pytest.mark.parametrize(
    "entry", [{"action": "remove"}, {"action_column": "city"}, {"consent": "force"}, {"list": 1}, {"scope": "account"}]
)
def test_p5_an_entry_of_streams_that_fits_no_stream_fails_the_run_at_its_end(mailjet, entry):
    result = mailjet.deliver([schema(), person(1), state(1)], streams={"peple": entry})
    assert (result.counts(), result.states) == ({"delivered": 1}, [1])
    assert "`streams`: no stream matched 'peple'; the input has 'people'." in str(result.error)
    (told,) = [line for line in result.log.splitlines() if "no entry matches stream" in line]
    assert "'people'" in told
    assert "'peple'" in told


@pytest.mark.parametrize(
    "streams",
    [
        {"peple": {"nulls": "clear"}},
        {"peple": {"action": "remove"}, "people": {}},
        {"x-*": {"action": "remove"}, "pe*": {}},
    ],
)
def test_an_entry_of_streams_that_fits_no_stream_and_is_not_missed_is_told_only(mailjet, streams):
    result = mailjet.deliver([schema(), person(1), state(1)], streams=streams)
    assert (result.error, result.states) == (None, [1])
    assert f"no stream matched {next(iter(streams))!r}; the input has 'people'" in result.log


def test_entries_of_streams_are_not_missed_where_no_stream_came(mailjet):
    result = mailjet.deliver([state(1)], streams={"leavers": {"action": "remove"}})
    assert (result.error, result.states) == (None, [1])
    assert "no stream matched" not in result.log


def test_a_stream_that_is_named_must_have_an_address(mailjet):
    order = {"type": "RECORD", "stream": "shop-orders", "record": {"id": 1, "total": 9.5}}
    result = mailjet.deliver([schema("shop-orders", ORDERS), order], properties=None, streams={"shop-*": {}})
    assert "no column `email`" in str(result.error)


def test_streams_overrides_by_pattern_apply_to_names_after_stream_maps(mailjet):
    mailjet.sandbox.mailjet.add_list("Firms")
    columns = {"id": {"type": "integer"}, "mail": {"type": "string"}, "town": {"type": ["string", "null"]}}
    config = {
        "properties": None,
        "stream_maps": {"raw": {"__alias__": "crm-firms"}, "people": {"__alias__": "crm-people"}},
        "streams": {
            "crm-*": {"nulls": "clear", "properties": ["city"]},
            "crm-firms": {"list": "Firms", "mapping": {"email": "mail", "city": "town"}, "properties": []},
            "raw": {"action": "unsub"},
            "leavers": {"action": "unsub", "properties": []},
        },
    }
    leaver = {"type": "RECORD", "stream": "leavers", "record": {"email": "person1@example.com"}}
    firm = {"type": "RECORD", "stream": "raw", "record": {"id": 1, "mail": "office@example.com", "town": "Graz"}}
    rows = [
        schema(),
        schema("raw", columns),
        schema("leavers", {"email": {"type": "string"}}, []),
        *people([1, 2]),
        firm,
        leaver,
        person(2, city=None),
    ]
    result = mailjet.deliver(rows, **config, batch_rows=1)
    assert result.error is None
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed", "person2@example.com": "subscribed"}
    assert mailjet.members()["person2@example.com"]["properties"] == {}
    assert mailjet.members()["person1@example.com"]["properties"] == {"city": "Lyon"}
    assert mailjet.statuses("Firms") == {"office@example.com": "subscribed"}
    assert mailjet.members("Firms")["office@example.com"]["properties"] == {"city": "Graz"}


@pytest.mark.parametrize(
    ("override", "named"),
    [({"send": "all"}, "`streams`"), ({"max_rejected": 1}, "`streams.others`"), ({"batch_rows": 7}, "`streams`")],
)
def test_p9_streams_to_one_list_cannot_be_served_in_different_ways(mailjet, override, named):
    rows = [schema(), schema("others"), person(1), person(2, stream="others")]
    assert named in str(mailjet.deliver(rows, streams={"others": override}).error)


def test_p5_force_for_one_stream_holds_for_that_stream_only(mailjet):
    for number in (1, 2):
        mailjet.opt_out(f"person{number}@example.com")
    forced = {"again": {"action": "addforce", "consent": "force"}}
    rows = [schema(), schema("again"), person(1), person(2, stream="again")]
    assert mailjet.deliver(rows, action="addforce", streams=forced).error is None
    assert mailjet.statuses() == {"person1@example.com": "unsubscribed", "person2@example.com": "subscribed"}


def test_p5_addforce_that_is_not_forced_is_told_and_the_list_is_named_as_it_was_given(mailjet):
    log = mailjet.deliver([schema(), person(1)], action="addforce").log
    assert "Stream 'people': without `consent: force`, setting `action: addforce` is treated as 'addnoforce'" in log
    (told,) = [line for line in log.splitlines() if line.startswith("Stream 'people' goes to mailjet:")]
    assert told.endswith(f":list:{mailjet.list_id}, 'Spring readers' (addnoforce)")
    log = mailjet.deliver([schema(), person(1)], action="addforce", consent="force", list=mailjet.list_id).log
    assert "is treated as" not in log
    (told,) = [line for line in log.splitlines() if line.startswith("Stream 'people' goes to mailjet:")]
    assert told.endswith(f":list:{mailjet.list_id} (addforce)")
