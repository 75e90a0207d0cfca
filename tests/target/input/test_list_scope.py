"""A mirror of a whole list: everybody leaves who was on it before the input came and is named by no line of it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Thread

import httpx
import pytest

from target_mailing.delivery.errors import TooManyRemovalsError
from tests.target.conftest import COLUMNS, LIST, people, person, schema, state
from tests.totals import ENVIRONMENT

BOTH = {"streams": {"people": {}, "others": {"sync": "upsert", "whole_count": None, "mirror_scope": "stream"}}}
TOTAL = {"total": {"type": ["integer", "null"]}}


def table(stream="people", keys=("id",), **columns):
    return schema(stream, COLUMNS | TOTAL | columns, keys)


def rows(numbers, total=None, **columns):
    numbers = [*numbers]
    return people(numbers, total=len(numbers) if total is None else total, **columns)


def emails(numbers):
    return {f"person{number}@example.com" for number in numbers}


def guests(numbers):
    return {f"guest{number}@example.com" for number in numbers}


@pytest.fixture
def scope(mailjet):
    """A mirror of the list, after a run with persons 1 to 4; guests 1 to 3 were put there by others."""
    mailjet.config |= {"sync": "mirror", "whole_count": "total", "mirror_scope": "list"}
    assert mailjet.deliver([table(), *rows(range(1, 5)), state(1)]).error is None
    invite(mailjet, range(1, 4))
    return mailjet


def invite(mailjet, numbers, **more):
    mailjet.sandbox.mailjet.add_contacts(
        [{"email": one, "list": mailjet.list_id} | more for one in sorted(guests(numbers))]
    )


def test_everybody_leaves_who_was_there_and_is_not_named(scope):
    lines = [table(), *rows([1, 7], 3), person(20, email="GUEST2@example.com", total=3), state(2)]
    result = scope.deliver(lines)
    assert (result.error, result.outcomes["absent_delivered"]) == (None, 5)
    assert {*scope.members()} == emails([1, 7]) | guests([2])
    assert "It no longer names 3 contacts" in result.log
    assert "The list has 7 members before this run" in result.log
    assert "no line names 2 contacts whom others put on mailjet:" in result.log
    assert ": they leave" in result.log
    assert "others on mailjet:" not in result.log
    again = scope.deliver(lines)
    assert (again.error, again.outcomes["absent_delivered"], again.outcomes["batches"]) == (None, 0, 0)


def test_the_first_run_of_a_stream_takes_nobody_off(mailjet):
    """As that of a journal that was lost: it knows neither this stream's people nor those of others."""
    mailjet.config |= {"sync": "mirror", "whole_count": "total", "mirror_scope": "list"}
    invite(mailjet, range(30))
    first = mailjet.deliver([table(), *rows([1, 2]), state(1)])
    assert (first.error, {*mailjet.members()}) == (None, emails([1, 2]) | guests(range(30)))
    assert "no line names 30 contacts whom others put on mailjet:" in first.log
    assert (
        "They stay this time, because it is the first whole input of this stream with `mirror_scope: list`" in first.log
    )
    second = mailjet.deliver([table(), *rows([1, 2]), state(2)])
    assert isinstance(second.error, TooManyRemovalsError)
    assert (
        "30 contacts would be removed, 30 because the input of stream 'people' does not name them (30 of whom came "
        "otherwise: `mirror_scope: list`); the limit is 20"
    ) in str(second.error)
    assert {*mailjet.members()} == emails([1, 2]) | guests(range(30))
    third = mailjet.deliver([table(), *rows([1, 2]), state(3)], allow_removals_once=30)
    assert (third.error, {*mailjet.members()}) == (None, emails([1, 2]))


UNCERTAIN = {"settled by the next run": "after", "lost": "before"}


@pytest.mark.slow
@pytest.mark.parametrize("when", UNCERTAIN.values(), ids=UNCERTAIN)
def test_whom_a_stopped_run_of_another_stream_put_there_stays(scope, when):
    """Its rows tell no stream when a run of this one follows their job, or finds that there is none."""
    lines = [table("others"), *rows([8], stream="others"), state(2)]
    scope.deliver(lines[:1], **BOTH)
    scope.sandbox.faults.add(kind="status", status=503, method="POST", path="*/managemanycontacts", when=when, times=1)
    scope.sandbox.faults.add(kind="status", status=401, method="GET", path="*/batchjob", times=None)
    scope.sandbox.faults.add(kind="status", status=401, method="GET", path="*/managemanycontacts/*", times=None)
    assert scope.deliver(lines, **BOTH).error is not None
    scope.sandbox.faults.clear()
    scope.sandbox.mailjet.add_contacts([{"email": "person8@example.com", "list": scope.list_id}])
    for _ in range(3):
        assert scope.deliver([table(), *rows([1, 2]), state(3)], **BOTH).error is None
    assert {*scope.members()} == emails([1, 2, 8])
    assert scope.deliver(lines, **BOTH).error is None
    assert {*scope.members()} == emails([1, 2, 8])


@pytest.mark.parametrize("sync", ["upsert", "mirror"])
def test_the_first_run_with_this_scope_takes_nobody_off_whatever_ran_before(mailjet, sync):
    before = {"sync": sync, "whole_count": "total" if sync == "mirror" else None}
    mailjet.deliver([table(), *rows([1, 2, 3]), state(1)], **before)
    invite(mailjet, [1, 2])
    mailjet.config |= {"sync": "mirror", "whole_count": "total", "mirror_scope": "list"}
    cut_off = mailjet.deliver([table(), *rows([1, 2], 3), state(2)])
    assert "nothing proves that the input is whole" in cut_off.log
    plan = mailjet.deliver([table(), *rows([1, 2]), state(2)], mode="plan")
    first = mailjet.deliver([table(), *rows([1, 2]), state(2)])
    assert plan.outcomes["absent_delivered"] == first.outcomes["absent_delivered"] == 1
    assert (first.error, {*mailjet.members()}) == (None, emails([1, 2]) | guests([1, 2]))
    assert "no line names 2 contacts whom others put on" in first.log
    assert mailjet.deliver([table(), *rows([1, 2]), state(3)]).error is None
    assert {*mailjet.members()} == emails([1, 2])


def test_a_first_run_that_its_guard_stops_is_none(mailjet):
    mailjet.config |= {"sync": "mirror", "whole_count": "total"}
    mailjet.deliver([table(), *rows(range(30)), state(1)])
    invite(mailjet, [1])
    mailjet.config["mirror_scope"] = "list"
    assert isinstance(mailjet.deliver([table(), *rows([1]), state(2)]).error, TooManyRemovalsError)
    mailjet.deliver([table(), *rows([1]), state(3)], allow_removals_once=29)
    assert {*mailjet.members()} == emails([1]) | guests([1])
    mailjet.deliver([table(), *rows([1]), state(4)])
    assert {*mailjet.members()} == emails([1])


def test_who_opted_out_stays_and_is_not_asked_about(scope):
    scope.opt_out("guest1@example.com")
    before = {**scope.sandbox.counters.calls}
    result = scope.deliver([table(), *rows(range(1, 5)), state(2)])
    assert (result.error, result.outcomes["absent_delivered"], result.outcomes["absent_withheld"]) == (None, 2, 1)
    calls = {name: count - before.get(name, 0) for name, count in scope.sandbox.counters.calls.items()}
    assert calls["GET /v3/REST/contact/{contact}/getcontactslists"] == 2
    assert scope.statuses()["guest1@example.com"] == "unsubscribed"
    later = scope.deliver([table(), *rows(range(1, 5)), state(3)])
    assert (later.error, later.outcomes["absent_withheld"], later.outcomes["batches"]) == (None, 1, 0)


def test_absent_people_of_the_stream_who_opted_out_are_neither_counted_nor_asked(scope):
    for number in (2, 3, 4):
        scope.opt_out(f"person{number}@example.com")
    call = "GET /v3/REST/contact/{contact}/getcontactslists"
    before = scope.sandbox.counters.calls.get(call, 0)
    result = scope.deliver([table(), *rows([1]), state(2)], max_removals=3)
    assert (result.error, result.outcomes["absent_delivered"], result.outcomes["absent_withheld"]) == (None, 3, 3)
    assert scope.sandbox.counters.calls[call] - before == 3
    assert "It no longer names 3 contacts, of whom 3 stay because they opted out: " in result.log
    later = scope.deliver([table(), *rows([1]), state(3)])
    assert (later.error, later.outcomes["absent_withheld"], later.outcomes["batches"]) == (None, 3, 0)
    assert {*scope.members()} == emails([1, 2, 3, 4])


def test_who_may_be_unsubscribed_instead(scope):
    scope.config["mirror_action"] = "unsubscribe"
    result = scope.deliver([table(), *rows(range(1, 5)), state(2)])
    assert ": they are unsubscribed" in result.log
    assert {email for email, status in scope.statuses().items() if status == "unsubscribed"} == guests([1, 2, 3])
    later = scope.deliver([table(), *rows(range(1, 5)), state(3)])
    assert (later.outcomes["batches"], later.outcomes["absent_withheld"]) == (0, 3)


def test_whom_another_stream_put_there_stays(scope):
    assert scope.deliver([table("others"), *rows([8, 9], stream="others"), state(2)], **BOTH).error is None
    result = scope.deliver([table(), *rows([1, 2]), state(3)], **BOTH)
    assert (result.error, {*scope.members()}) == (None, emails([1, 2, 8, 9]))
    assert "who stay: 2 because another stream put them there" in result.log


def test_whom_a_line_of_another_stream_names_in_this_input_stays(scope):
    rejected = person(20, stream="others", email="guest1@example.com", visits={})
    after = person(21, stream="others", email="guest2@example.com", visits={})
    lines = [table("others"), rejected, table(), *rows([1]), table("others"), after, state(2)]
    assert scope.deliver(lines, **BOTH).error is None
    assert {*scope.members()} == emails([1]) | guests([1, 2])


def test_who_joins_while_the_input_is_read_stays(scope):
    fault = scope.sandbox.faults.add(kind="hold", method="POST", path="*/managemanycontacts", when="before")
    results = []
    run = Thread(target=lambda: results.append(scope.deliver([table(), *rows([1, 50]), state(2)])))
    run.start()
    fault.wait_until_held()
    invite(scope, [77])
    scope.sandbox.faults.clear()
    run.join(30)
    assert results[0].error is None
    assert {*scope.members()} == emails([1, 50]) | guests([77])


def test_a_former_address_leaves_once(scope):
    result = scope.deliver([table(), person(1, email="new@example.com", total=4), *rows([2, 3, 4], 4), state(2)])
    assert result.error is None
    assert (result.outcomes["former_removed"], result.outcomes["absent_delivered"]) == (1, 3)
    assert {*scope.members()} == {"new@example.com", *emails([2, 3, 4])}


NOT_WHOLE = {
    "a new key without a readable address": person(20, email="guest1 at example.com", total=3),
    "a new key without an address": person(20, email=None, total=3),
    "a known key with a doubtful address": person(3, email="guest1@@example.com", total=3),
}


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_a_row_that_may_mean_anybody_on_the_list_makes_it_not_whole(scope, name):
    before = {*scope.members()}
    result = scope.deliver([table(), *rows([1, 2], 3), NOT_WHOLE[name], state(2)])
    assert (result.error, {*scope.members()}) == (None, before)
    assert "they may mean anybody on the list" in result.log


def test_a_deleted_key_without_an_address_names_nobody(scope):
    gone = person(3, total=4, _sdc_deleted_at="2026-01-01T00:00:00Z")
    assert scope.deliver([table(), *rows([1, 2, 4], 4), gone, state(2)]).error is None
    before = {*scope.members()}
    result = scope.deliver([table(), *rows([1, 2], 3), person(3, email=None, total=3), state(3)])
    assert "they may mean anybody on the list" in result.log
    assert {*scope.members()} == before


def test_whom_a_rejected_row_names_by_a_known_key_stays(scope):
    result = scope.deliver([table(), *rows([1, 2], 3), person(3, email=None, total=3), state(2)])
    assert (result.error, {*scope.members()}) == (None, emails([1, 2, 3]))


def test_a_failing_listing_ends_the_run_before_anything_is_written(scope):
    before = {*scope.members()}
    scope.sandbox.faults.add(kind="status", status=401, method="GET", path="*/listrecipient")
    result = scope.deliver([table(), *rows([1, 50]), state(2)])
    assert result.error is not None
    assert (result.states, {*scope.members()}) == ([], before)


def test_who_was_removed_by_a_run_and_added_by_hand_leaves_again(scope):
    scope.deliver([table(), *rows([1, 2]), state(2)])
    assert {*scope.members()} == emails([1, 2])
    invite(scope, [1])
    scope.sandbox.mailjet.add_contacts([{"email": "person3@example.com", "list": scope.list_id}])
    scope.deliver([table(), *rows([1, 2]), state(3)])
    assert {*scope.members()} == emails([1, 2])


@pytest.mark.slow
def test_by_the_users_word_a_stranger_leaves_who_is_absent_twice(scope):
    scope.config |= {"whole_count": None, "whole": True}
    everybody = [table(), *people(range(1, 5)), state(2)]
    noted = scope.deliver(everybody)
    assert {*scope.members()} == emails(range(1, 5)) | guests([1, 2, 3])
    assert "no line names 3 contacts whom others put on" in noted.log
    assert "for the first time; they leave if the next whole input does not name them, either" in noted.log
    scope.deliver([table(), *people(range(1, 5)), person(9, email="guest1@example.com"), state(3)])
    assert {*scope.members()} == emails(range(1, 5)) | guests([1])
    invite(scope, [5])
    scope.deliver(everybody)
    scope.deliver([*everybody, *people([1])])  # not whole
    scope.deliver(everybody)
    assert {*scope.members()} == emails(range(1, 5)) | guests([1, 5])
    scope.deliver(everybody)
    assert {*scope.members()} == emails(range(1, 5))
    with closing(sqlite3.connect(scope.config["journal"])) as database:
        scope.deliver(everybody)
        assert database.execute("SELECT count(*) FROM strangers").fetchone() == (0,)


def test_p9_strangers_of_several_runs_do_not_add_up_past_the_limit(scope):
    invite(scope, range(10, 25))
    assert scope.deliver([table(), *rows(range(1, 5)), state(2)], max_removals=18).error is None
    assert {*scope.members()} == emails(range(1, 5))
    invite(scope, range(30, 34))
    held = scope.deliver([table(), *rows(range(1, 5)), state(3)], max_removals=18)
    assert "4 contacts would be removed" in str(held.error)
    assert "(18 more left within the last 24 hours)" in str(held.error)
    assert {*scope.members()} == emails(range(1, 5)) | guests(range(30, 34))


def test_who_came_before_the_mirror_without_a_key_leaves_by_the_list(mailjet):
    keyless = table(keys=())
    mailjet.deliver([keyless, *rows([1, 2]), state(1)])
    mailjet.config |= {"sync": "mirror", "whole_count": "total", "mirror_scope": "list"}
    first = mailjet.deliver([keyless, *rows([1]), state(2)])
    assert (first.error, {*mailjet.members()}) == (None, emails([1, 2]))
    assert "no line names 1 contact whom others put on" in first.log
    result = mailjet.deliver([keyless, *rows([1]), state(3)])
    assert (result.error, {*mailjet.members()}) == (None, emails([1]))
    assert "has no address of theirs" not in result.log


def test_a_plan_shows_the_same_people_and_writes_nothing(scope):
    scope.opt_out("guest1@example.com")
    lines = [table(), *rows([1, 7]), state(2)]
    before = (scope.members(), Path(scope.config["journal"]).read_bytes())
    plan = scope.deliver(lines, mode="plan")
    assert (plan.error, plan.states) == (None, [])
    assert (scope.members(), Path(scope.config["journal"]).read_bytes()) == before
    run = scope.deliver(lines)
    names = ("absent_delivered", "absent_withheld", "absent_rejected")
    assert [plan.outcomes[name] for name in names] == [run.outcomes[name] for name in names] == [5, 1, 0]


def test_a_plan_for_a_list_that_is_to_be_made_has_no_members(mailjet):
    mailjet.config |= {"sync": "mirror", "whole_count": "total", "mirror_scope": "list"}
    plan = mailjet.deliver([table(), *rows([1]), state(1)], mode="plan", list="New readers", create_list=True)
    assert plan.error is None


ODD = ["ada lovelace@example.com", "\\x6a@domain.invalid", "ada@example.com\n", "no address", "e\u0301ve@example.com"]


@pytest.mark.parametrize("email", ODD)
def test_an_address_that_is_not_valid_stays_and_is_counted(scope, email):
    scope.sandbox.mailjet.add_contacts([{"email": email, "list": scope.list_id}])
    there = {*scope.members()} - guests([1, 2, 3])
    assert len(there) == 5
    result = scope.deliver([table(), *rows(range(1, 5)), state(2)])
    assert (result.error, {*scope.members()}) == (None, there)
    assert "who stay: 1 because their addresses are not valid" in result.log


def test_a_name_in_another_spelling_is_the_same_mailbox(scope):
    spelled = ["ada@xn--bcher-kva.example", "eve@xn--bcher-kva.example"]
    scope.sandbox.mailjet.add_contacts([{"email": one, "list": scope.list_id} for one in spelled])
    named = person(20, email="ada@b\u00fccher.example", visits={}, total=5)
    assert scope.deliver([table(), *rows(range(1, 5), 5), named, state(2)]).error is None
    assert {*scope.members()} == emails(range(1, 5)) | {spelled[0]}


def test_two_mirrors_of_one_list_take_off_whom_neither_names(scope):
    both = {"streams": {"people": {}, "others": {}}}
    lines = [table(), *rows([1, 2]), table("others"), *rows([8], stream="others"), state(2)]
    first = scope.deliver(lines, **both)
    assert first.error is None
    assert {*scope.members()} == emails([1, 2, 8])
    invite(scope, [1])
    part = [table(), *rows([1, 2]), table("others"), *rows([8], 3, stream="others"), state(3)]
    result = scope.deliver(part, **both)
    assert (
        "They stay, because the input of stream 'others', which is to equal that list, too, is not whole" in result.log
    )
    assert {*scope.members()} == emails([1, 2, 8]) | guests([1])
    second = scope.deliver(lines, **both)
    assert (second.error, second.outcomes["absent_delivered"]) == (None, 1)
    assert {*scope.members()} == emails([1, 2, 8])


def test_two_mirrors_of_one_list_count_each_stranger_once(scope):
    both = {"streams": {"people": {}, "others": {}}}
    lines = [table(), *rows(range(1, 5)), table("others"), *rows([8], stream="others"), state(2)]
    assert scope.deliver(lines, **both).error is None
    invite(scope, range(40, 70))
    held = scope.deliver(lines, **both)
    assert "30 contacts would be removed, 30 because the input of stream 'people' does not name them" in str(held.error)
    assert "stream 'others'" not in str(held.error)


def test_if_one_of_two_mirrors_is_whole_by_word_a_stranger_leaves_who_is_absent_twice(scope):
    both = {"streams": {"people": {}, "others": {"whole_count": None, "whole": True}}}
    lines = [table(), *rows(range(1, 5)), table("others"), *rows([8], stream="others"), state(2)]
    scope.deliver(lines, **both)
    assert {*scope.members()} == emails([1, 2, 3, 4, 8]) | guests([1, 2, 3])
    scope.deliver(lines, **both)
    assert {*scope.members()} == emails([1, 2, 3, 4, 8])


def test_an_input_of_which_one_mirror_is_not_whole_is_none_of_two(scope):
    both = {"streams": {"people": {"whole_count": None, "whole": True}, "others": {"whole_count": None, "whole": True}}}
    whole = [table(), *people(range(1, 5)), table("others"), *people([8], stream="others"), state(2)]
    replicated = [*whole[:-1], state({"bookmarks": {"others": {"lsn": 5}}})]
    for lines, strangers in ((replicated, [1, 2, 3]), (whole, [1, 2, 3]), (whole, [])):
        assert scope.deliver(lines, **both).error is None
        assert {*scope.members()} == emails([1, 2, 3, 4, 8]) | guests(strangers)


def test_who_opted_out_counts_once_for_two_mirrors(scope):
    both = {"streams": {"people": {}, "others": {}}}
    scope.opt_out("guest1@example.com")
    lines = [table(), *rows(range(1, 5)), table("others"), *rows([8], stream="others"), state(2)]
    assert [scope.deliver(lines, **both).outcomes["absent_withheld"] for _ in range(2)] == [1, 1]


def test_a_run_that_fails_between_two_whole_ones_starts_the_count_of_strangers_again(scope):
    scope.config |= {"whole_count": None, "whole": True}
    everybody = [table(), *people(range(1, 5)), state(2)]
    scope.deliver(everybody)
    assert scope.deliver(scope.text([table(), *people([1])]) + "{").error is not None
    scope.deliver(everybody)
    assert {*scope.members()} == emails(range(1, 5)) | guests([1, 2, 3])
    scope.deliver(everybody)
    assert {*scope.members()} == emails(range(1, 5))


@pytest.mark.parametrize("stream", ["people", "too"])
def test_a_stream_that_goes_there_in_two_ways_has_the_scope_of_the_list_only_in_both(scope, stream):
    streams = {"people": {}, "too": {}} | {stream: {"mirror_scope": "stream"}}
    both = {"stream_maps": {"people": {}, "too": {"__source__": "people"}}, "streams": streams}
    assert scope.deliver([table(), *rows([1, 2]), state(2)], **both).error is None
    assert {*scope.members()} == emails([1, 2]) | guests([1, 2, 3])


@pytest.mark.parametrize("others", [[], [table("others"), *rows([8], stream="others")]], ids=["alone", "with others"])
def test_who_opted_out_once_and_opts_in_again_leaves_where_no_other_stream_may_have_put_them_there(scope, others):
    scope.opt_out("person4@example.com")
    scope.deliver([table(), *rows(range(1, 4)), *others, state(2)], mirror_scope="stream", **BOTH)
    assert scope.statuses()["person4@example.com"] == "unsubscribed"
    contact = "/v3/REST/contact/person4@example.com/managecontactslists"
    body = {"ContactsLists": [{"ListID": scope.list_id, "Action": "addforce"}]}
    key = (scope.config["mailjet_api_key"], scope.config["mailjet_secret_key"])
    assert httpx.post(f"{scope.config['mailjet_base_url']}{contact}", json=body, auth=key).status_code == 201
    result = scope.deliver([table(), *rows(range(1, 4)), *others, state(3)], **BOTH)
    assert ("person4@example.com" in scope.members()) == bool(others)
    assert ("because another stream put them there" in result.log) == bool(others)


def test_whom_a_resumed_batch_takes_off_is_not_taken_off_twice(scope):
    gone = person(4, total=4, _sdc_deleted_at="2026-01-01T00:00:00Z")
    scope.sandbox.mailjet.plan_jobs([{"hold": True}])
    scope.sandbox.faults.add(kind="status", status=401, method="GET", path="*/managemanycontacts/*", times=1)
    assert scope.deliver([table(), *rows(range(1, 4), 4), gone, state(2)]).error is not None
    (job,) = [one["id"] for one in scope.sandbox.mailjet.jobs() if one["status"] != "Completed"]
    assert "person4@example.com" in scope.members()
    fault = scope.sandbox.faults.add(kind="hold", method="GET", path="*/managemanycontacts/*", when="before")
    results = []
    run = Thread(target=lambda: results.append(scope.deliver([table(), *rows(range(1, 4)), state(3)])))
    run.start()
    fault.wait_until_held()
    while not scope.sandbox.counters.calls["GET /v3/REST/listrecipient"] > 2:
        run.join(0.01)
    run.join(0.3)
    scope.sandbox.mailjet.finish_job(job)
    scope.sandbox.faults.clear()
    run.join(30)
    assert (results[0].error, results[0].outcomes["absent_delivered"]) == (None, 0)
    assert "contacts whom others put on" not in results[0].log
    assert {*scope.members()} == emails(range(1, 4))


def test_a_stream_that_goes_to_two_lists_by_maps_mirrors_each(scope):
    scope.sandbox.mailjet.add_list("Others")
    scope.sandbox.mailjet.add_contacts([{"email": "guest9@example.com", "list": scope.ids["Others"]}])
    config = {
        "stream_maps": {"people": {}, "too": {"__source__": "people"}},
        "streams": {"people": {}, "too": {"list": "Others"}},
    }
    lines = [table(), *rows([1, 2]), state(2)]
    assert scope.deliver(lines, **config).error is None
    assert scope.deliver(lines, **config).error is None
    assert {*scope.members()} == emails([1, 2])
    assert {*scope.members("Others")} == emails([1, 2])


def test_a_schema_that_comes_again_reads_the_list_once(scope):
    before = scope.sandbox.counters.calls["GET /v3/REST/listrecipient"]
    lines = [table(), *rows([1], 2), table(city2={"type": "string"}), *rows([2], 2), table(), state(2)]
    result = scope.deliver(lines)
    assert (result.error, {*scope.members()}) == (None, emails([1, 2]))
    assert scope.sandbox.counters.calls["GET /v3/REST/listrecipient"] - before <= 2


def test_addresses_of_members_are_in_no_table(scope):
    scope.deliver([table(), *rows([1], 2), state(2)])
    assert b"guest1@example.com" not in Path(scope.config["journal"]).read_bytes()
    assert "guest" not in json.dumps(scope.deliver([table(), *rows([1]), state(3)]).log)


REFUSED = {
    "sync": ({"sync": "upsert", "whole_count": None}, "`sync: mirror`"),
    "journal": ({"journal": "off"}, "only a journal knows"),
    "scope": ({"scope": "account"}, "scope"),
    "route": ({"route": "contact"}, "rows of this route name their own lists"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_p9_a_scope_without_a_meaning_is_refused(scope, name):
    config, words = REFUSED[name]
    error = scope.deliver([table(), *rows([1]), state(2)], **config).error
    assert words in str(error)


def test_a_stream_to_the_account_that_includes_the_list_makes_it_not_whole(scope):
    """Whom it puts there is known at another destination."""
    account = {"sync": "upsert", "whole_count": None, "mirror_scope": "stream", "scope": "account", "list": [LIST]}
    config = {"streams": {"people": {}, "others": account}}
    before = {*scope.members()}
    result = scope.deliver([table(), *rows([1]), table("others"), *rows([8], stream="others"), state(2)], **config)
    assert "delivers to this list, too, with `scope: account`" in result.log
    assert (result.error, {*scope.members()}) == (None, before | emails([8]))


@pytest.mark.parametrize("journal", ["file", pytest.param("PostgreSQL", marks=pytest.mark.slow)])
def test_whom_a_long_input_names_is_kept_on_disk(mailjet, request, monkeypatch, journal):
    monkeypatch.setattr("target_mailing.journal.run_contacts._RECENT", 3)
    monkeypatch.setattr("target_mailing.input.listed_members._TOGETHER", 2)
    monkeypatch.setattr("target_mailing.input.reader._CHUNK", 512)
    name = f"List of {mailjet.folder.name}"
    mailjet.sandbox.mailjet.add_list(name)
    mailjet.config |= {"list": name, "sync": "mirror", "whole_count": "total", "mirror_scope": "list"}
    if journal == "PostgreSQL":
        mailjet.config["journal"] = request.getfixturevalue("postgresql_url")
    mailjet.deliver([table(), *rows([1]), state(1)])
    everybody = [{"email": one, "list": mailjet.ids[name]} for one in sorted(guests(range(15)) | emails(range(30)))]
    mailjet.sandbox.mailjet.add_contacts(everybody)
    rejected = [person(number, visits={}, total=32) for number in range(2, 30)]
    again = [person(100 + number, email=f"guest{number}@example.com", total=32) for number in (3, 9)]
    result = mailjet.deliver([table(), *rows([0, 1], 32), *rejected, *again, state(2)])
    assert (result.error, result.outcomes["absent_delivered"]) == (None, 13)
    assert {*mailjet.members(name)} == emails(range(30)) | guests([3, 9])


def test_contacts_that_have_no_address_at_their_provider_name_nobody(scope):
    table_of_provider = table(provider={"type": "string"})
    lines = [table_of_provider, *rows([1, 2], 3), person(20, email=None, total=3), state(2)]
    result = scope.deliver(lines, streams={"people": {}})
    assert result.error is None
    assert result.counts() == {"unchanged": 2, "skipped": 1}
    assert {*scope.members()} == emails([1, 2])


def test_a_plan_counts_the_calls_of_the_listing(scope):
    """Two of each listing, and one for each of the three strangers, who are asked whether they opted out."""
    lines, calls = [table(), *rows([1, 2]), state(2)], {}
    for kind in ("stream", "list"):
        path = scope.folder / f"{kind}.json"
        plan = scope.deliver(lines, mode="plan", plan_path=str(path), plan_sample=0, mirror_scope=kind)
        assert plan.error is None
        calls[kind] = json.loads(path.read_text())["calls"]
    assert calls["list"] - calls["stream"] == 7


@pytest.mark.slow
@pytest.mark.parametrize("resource", ["listrecipient", "contact"])
def test_a_run_that_reads_a_list_ends_soon_after_a_signal(scope, resource):
    held = scope.sandbox.faults.add(kind="hold", method="GET", path=f"*/REST/{resource}", when="before", times=None)
    config = scope.folder / "config.json"
    config.write_text(json.dumps(scope.settings()))
    own = {"XDG_STATE_HOME": str(scope.folder / "state"), "HOME": str(scope.folder)}
    command = [sys.executable, "-m", "target_mailing", f"--config={config}"]
    with subprocess.Popen(command, env=os.environ | ENVIRONMENT | own, stdin=subprocess.PIPE) as process:
        process.stdin.write(scope.text([table(), *rows([1]), state(2)]).encode())
        process.stdin.flush()
        held.wait_until_held()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
    scope.sandbox.faults.clear()
    assert guests([1, 2, 3]) <= scope.members().keys()
    assert scope.deliver([table(), *rows([1]), state(2)]).error is None
    assert {*scope.members()} == emails([1])


def test_a_stranger_whom_the_provider_refuses_to_remove_stays_and_is_counted(scope):
    scope.sandbox.mailjet.refuse(["guest1@example.com"])
    result = scope.deliver([table(), *rows(range(1, 5)), state(2)])
    assert (result.error, result.states, result.rejects) == (None, [2], [])
    assert (result.outcomes["absent_delivered"], result.outcomes["absent_rejected"]) == (2, 1)
    assert {*scope.members()} == emails(range(1, 5)) | guests([1])
    assert "guest1" not in result.log
