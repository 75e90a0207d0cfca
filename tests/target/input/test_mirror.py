"""A list that equals its stream: who is absent from a whole input leaves, and nobody leaves otherwise."""

from __future__ import annotations

import re
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from target_mailing.contacts.contact import EncodedContact
from target_mailing.delivery.errors import TooManyRemovalsError
from target_mailing.journal import tables
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore
from target_mailing.rows.row import Row
from tests.target.conftest import COLUMNS, people, person, schema, state
from tests.target.past_runs import told as past_runs

TOTAL = {"total": {"type": ["integer", "null"]}}


def table(stream="people", keys=("id",), **columns):
    return schema(stream, COLUMNS | TOTAL | columns, keys)


def rows(numbers, total=None, **columns):
    numbers = [*numbers]
    return people(numbers, total=len(numbers) if total is None else total, **columns)


def emails(numbers):
    return {f"person{number}@example.com" for number in numbers}


@pytest.fixture
def mirror(mailjet):
    mailjet.config |= {"sync": "mirror", "whole_count": "total"}
    return mailjet


def test_who_is_absent_from_a_whole_input_leaves(mirror):
    first = mirror.deliver([table(), *rows(range(1, 6)), state(1)])
    assert (first.error, {*mirror.members()}) == (None, emails(range(1, 6)))
    second = mirror.deliver([table(), *rows([1, 3, 7]), state(2)])
    assert (second.error, second.states, second.counts()) == (None, [2], {"delivered": 1, "unchanged": 2})
    assert {*mirror.members()} == emails([1, 3, 7])
    third = mirror.deliver([table(), *rows([1, 3, 7]), state(3)])
    assert third.counts() == {"unchanged": 3}
    assert {*mirror.members()} == emails([1, 3, 7])


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([7, 8], "names none of the 5 contacts whom it put there: "),
        ([5, 8], "no longer names 4 contacts: "),
        ([*range(1, 6)], "names everybody whom it put there: "),
    ],
)
@pytest.mark.parametrize("city", ["Lyon", "Nice"])
def test_an_input_that_names_none_of_the_people_of_its_stream_is_another_table_perhaps(mirror, numbers, said, city):
    mirror.deliver([table(), *rows(range(1, 6)), state(1)])
    result = mirror.deliver([table(), *rows(numbers, city=city), state(2)])
    assert f"as many rows came as `whole_count` says. It {said}" in result.log
    assert {*mirror.members()} == emails(numbers)


LAST = [table(), *rows([1, 2]), state(2)]
BOOKMARKED = table() | {"bookmark_properties": ["updated_at"]}
UNREADABLE = '{"type": "RECORD", "stream": "people", "record": {"id": 9, "email": "\\ud800", "total": 3}}\n'
VERSIONED = {"type": "ACTIVATE_VERSION", "stream": "people", "version": 7}


def versioned(numbers, version=7):
    return [one | {"version": version} for one in people(numbers)]


def told(count, stream="people"):
    return state(2) | {"end_of_stream": {"stream": stream, "rows": count}}


NOT_WHOLE = {
    "truncated": [table(), *rows([1, 2], 3), state(2)],
    "more came": [table(), *rows([1, 2], 1), state(2)],
    "without a total": [table(), *rows([1]), *people([2]), state(2)],
    "a row twice, and one missing": [table(), *rows([1], 2), *rows([1], 2), state(2)],
    "several totals": [table(), *rows([1], 2), *rows([2], 3), state(2)],
    "empty": [],
    "without rows": [table(), state(2)],
    "without rows, but with a version": [table(), VERSIONED, state(2)],
    "bookmarked": [BOOKMARKED, *rows([1, 2]), state(2)],
    "replicated": [table(), *rows([1, 2]), state({"bookmarks": {"public-people": {"replication_key": "id"}}})],
    "replicated by a column": [table(), *rows([1, 2]), state({"bookmarks": {"people": {"visits": 5}}})],
    "replicated from the start": [state({"bookmarks": {"people": {"lsn": 5}}}), table(), *rows([1, 2])],
    "a row without key and address": [table(), *rows([1], 2), person(2, id=None, email="?", total=2), state(2)],
}
NOT_PROVEN = {
    "nothing": [table(), *rows([1, 2]), state(2)],
    "version before the rows": [table(), VERSIONED, *versioned([1, 2]), state(2)],
    "rows of another version": [table(), *versioned([1]), *versioned([2], 6), VERSIONED, state(2)],
    "rows without a version": [table(), *people([1, 2]), VERSIONED, state(2)],
    "another version": [table(), *versioned([1, 2], 8), VERSIONED, state(2)],
    "a row after the version": [table(), *versioned([1]), VERSIONED, *versioned([2]), state(2)],
    "version before the rows, too": [table(), VERSIONED, *versioned([1, 2]), VERSIONED, state(2)],
    "version before each part": [table(), VERSIONED, *versioned([1, 2]), table(), VERSIONED],
    "version of another stream": [table(), *versioned([1, 2]), VERSIONED | {"stream": "others"}, state(2)],
    "fewer rows than told": [table(), *people([1, 2]), told(3)],
    "a row after the end": [table(), *people([1]), told(1), *people([2])],
    "the end of another stream": [table(), *people([1, 2]), told(2, "others")],
    "no number": [table(), *people([1, 2]), told("many")],
}


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_an_input_that_is_not_whole_takes_nobody_off(mirror, name):
    mirror.deliver([table(), *rows(range(1, 5)), state(1)])
    result = mirror.deliver(NOT_WHOLE[name])
    assert (result.error, {*mirror.members()}) == (None, emails(range(1, 5)))
    assert name == "empty" or "nothing proves that the input is whole" in result.log


@pytest.mark.parametrize("name", NOT_PROVEN)
def test_nothing_else_proves_an_input_to_be_whole(mirror, name):
    mirror.config["whole_count"] = None
    mirror.deliver([table(), *versioned(range(1, 5), 5), VERSIONED | {"version": 5}, state(1)])
    result = mirror.deliver(NOT_PROVEN[name])
    assert (result.error, {*mirror.members()}) == (None, emails(range(1, 5)))
    assert "nothing proves that the input is whole" in result.log


def test_a_line_that_cannot_be_read_may_name_anybody(mirror):
    mirror.deliver([table(), *rows(range(1, 5)), state(1)])
    text = mirror.text([table(), *rows([1, 2], 3)]) + UNREADABLE
    assert "a line of the input cannot be read" in mirror.deliver(text, max_rejected="100%").log
    assert {*mirror.members()} == emails(range(1, 5))


def test_a_run_that_fails_takes_nobody_off(mirror):
    mirror.deliver([table(), *rows(range(1, 5)), state(1)])
    text = mirror.text([table(), *rows([1, 2]), state(2)])
    assert mirror.deliver(text + '{"type": "RECORD", "stream": "peo').error is not None
    assert mirror.deliver([table(), *rows([1, 2]), person(2, total=2, email="?")], max_rejected=0).error is not None
    assert {*mirror.members()} == emails(range(1, 5))


def test_a_version_after_the_last_row_proves_it_once(mirror):
    mirror.config["whole_count"] = None
    mirror.deliver([table(), VERSIONED, *versioned(range(1, 5)), VERSIONED, state(1)])
    again = mirror.deliver([table(), *versioned([1, 2]), VERSIONED, state(2)])
    assert "may be the rest of an interrupted one" in again.log
    assert {*mirror.members()} == emails(range(1, 5))
    result = mirror.deliver([table(), *versioned([1, 2], 8), VERSIONED | {"version": 8}, state(3)])
    assert (result.error, {*mirror.members()}) == (None, emails([1, 2]))


def test_a_version_that_an_interrupted_run_read_proves_nothing_later(mirror):
    mirror.config["whole_count"] = None
    mirror.deliver([table(), *versioned(range(1, 5), 3), VERSIONED | {"version": 3}, state(1)])
    text = mirror.text([table(), *versioned([1, 2])])
    assert mirror.deliver(text + "{").error is not None
    mirror.deliver([table(), *versioned([3]), VERSIONED, state(2)])
    assert {*mirror.members()} == emails(range(1, 5))


def test_the_end_that_our_own_tap_tells_proves_it(mirror):
    mirror.config["whole_count"] = None
    mirror.deliver([table(), *people(range(1, 5)), state(1)])
    result = mirror.deliver([table(), *people([1, 2]), told(2)])
    assert (result.error, result.states, {*mirror.members()}) == (None, [2], emails([1, 2]))
    assert mirror.deliver([table(), told(0)]).error is None
    assert not mirror.members()


def test_by_the_users_word_only_who_is_absent_twice_leaves(mirror):
    mirror.config |= {"whole_count": None, "whole": True}
    mirror.deliver([table(), *people(range(1, 6)), state(1)])
    noted = mirror.deliver([table(), *people([1, 2, 3]), state(2)])
    assert {*mirror.members()} == emails(range(1, 6))
    assert "It no longer names 2 for the first time: they leave if the next whole input does not" in noted.log
    cut_off = mirror.deliver([table(), *people([1]), state(3), *people([2])])
    assert "may have been cut off" in cut_off.log
    mirror.deliver([table(), *people([1, 2, 5]), state(4)])
    assert {*mirror.members()} == emails(range(1, 6))
    last = mirror.deliver([table(), *people([1, 2, 5]), state(5)])
    assert {*mirror.members()} == emails([1, 2, 5])
    assert "It no longer names 2 contacts: " in last.log
    both = mirror.deliver([table(), *people([1]), state(6)])
    assert "It no longer names 2 for the first time" in both.log
    assert "no longer names 2 contacts: " in mirror.deliver([table(), *people([1]), state(7)]).log


NAMED = {
    "rejected": [person(3, visits={}, total=3)],
    "rejected, with another key": [person(30, email="person3@example.com", visits={}, total=3)],
    "with an address that cannot be used": [person(3, email="person3", total=3)],
    "with one address among other words": [person(30, email="Person (person3@example.com)", total=3)],
    "without an address": [person(3, email=None, total=3)],
    "withheld": [person(3, subscription_status="excluded", total=3)],
    "opted out": [person(3, subscription_status="unsubscribed", total=3)],
}


@pytest.mark.parametrize("name", NAMED)
def test_whom_a_line_names_stays_whatever_becomes_of_it(mirror, name):
    mirror.deliver([table(), *rows(range(1, 5)), state(1)])
    result = mirror.deliver([table(), *rows([1, 2], 3), *NAMED[name], state(2)], max_rejected="100%")
    assert (result.error, {*mirror.members()}) == (None, emails([1, 2, 3]))


def test_whom_a_stream_map_omits_stays(mirror):
    mirror.deliver([table(), *rows(range(1, 5)), state(1)])
    maps = {"people": {"__filter__": "record['id'] != 3"}}
    mirror.deliver([table(), *rows([1, 2, 3]), state(2)], stream_maps=maps)
    assert {*mirror.members()} == emails([1, 2, 3])
    maps["people"]["email"] = "email.lower()"
    result = mirror.deliver([table(), *rows([1, 3]), state(3)], stream_maps=maps)
    assert "by neither key nor address" in result.log
    assert {*mirror.members()} == emails([1, 2, 3])


def test_an_address_that_changed_leaves_by_its_key_alone(mirror):
    mirror.deliver([table(), *rows([1, 2]), state(1)])
    result = mirror.deliver([table(), person(1, email="ada@example.com", total=1), state(2)])
    assert (result.error, {*mirror.members()}) == (None, {"ada@example.com"})


def test_whom_another_stream_put_there_stays(mirror):
    both = {"streams": {"people": {}, "others": {"sync": "upsert", "whole_count": None}}}
    first = [table(), *rows([1, 2, 3]), table("others"), *people([3, 4], stream="others"), state(1)]
    assert mirror.deliver(first, **both).error is None
    result = mirror.deliver([table(), *rows([1]), state(2)], **both)
    assert (result.error, {*mirror.members()}) == (None, emails([1, 3, 4]))


def test_whom_nobody_knows_stays(mirror):
    mirror.sandbox.mailjet.add_contacts([{"email": "ada@example.com", "list": mirror.list_id}])
    mirror.deliver([table(), *rows([1, 2]), state(1)])
    mirror.deliver([table(), *rows([1]), state(2)])
    assert {*mirror.members()} == {"ada@example.com", *emails([1])}


def test_p5_who_opted_out_stays_and_is_asked_about_once(mirror):
    mirror.deliver([table(), *rows([1, 2, 3]), state(1)])
    mirror.opt_out("person3@example.com")
    result = mirror.deliver([table(), *rows([1]), state(2)])
    assert (result.error, result.counts()) == (None, {"unchanged": 1})
    assert (result.outcomes["absent_delivered"], result.outcomes["absent_withheld"]) == (1, 1)
    assert mirror.statuses() == {"person1@example.com": "subscribed", "person3@example.com": "unsubscribed"}
    before = {**mirror.sandbox.counters.calls}
    later = mirror.deliver([table(), *rows([1]), state(3)])
    assert later.outcomes["absent_withheld"] == 0
    posts = {name for name, count in mirror.sandbox.counters.calls.items() if count != before.get(name)}
    assert not [name for name in posts if name.startswith("POST")]


def test_who_is_absent_may_be_unsubscribed_instead(mirror):
    mirror.config["mirror_action"] = "unsubscribe"
    mirror.deliver([table(), *rows([1, 2]), state(1)])
    plan = mirror.deliver([table(), *rows([1]), state(2)], mode="plan")
    result = mirror.deliver([table(), *rows([1]), state(2)])
    assert mirror.statuses() == {"person1@example.com": "subscribed", "person2@example.com": "unsubscribed"}
    assert (result.outcomes["absent_delivered"], result.outcomes["absent_unsubscribed"]) == (1, 1)
    assert re.search(r"absent contacts unsubscribed +1\n", result.log)
    assert "1 row: 1 unchanged; 1 absent contact unsubscribed\n" in result.log
    assert re.search(r"absent contacts unsubscribed, besides +1\n", plan.log)
    assert "taken off" not in result.log + plan.log
    assert re.search(r"absent contacts unsubscribed +1\n", past_runs.told(mirror, "last"))
    without = mirror.deliver([table(), *rows([1], 9), state(3)])
    assert "nobody is unsubscribed at mailjet:" in without.log


@pytest.mark.parametrize("keys", [(), ("email",)])
def test_a_stream_whose_key_is_the_address_or_nothing_is_mirrored_too(mirror, keys):
    mirror.deliver([table(keys=keys), *rows([1, 2, 3]), state(1)])
    mirror.deliver([table(keys=keys), *rows([1], email="PERSON1@example.com"), state(2)])
    assert {*mirror.members()} == emails([1])


def test_who_came_before_the_mirror_without_a_key_is_counted(mirror):
    keyless = table(keys=())
    mirror.deliver([keyless, *rows([1, 2]), state(1)], sync=None, whole_count=None)
    result = mirror.deliver([keyless, *rows([1]), state(2)])
    assert "the journal has no address of theirs" in result.log
    assert {*mirror.members()} == emails([1, 2])


def test_who_came_before_the_mirror_with_a_key_leaves(mirror):
    mirror.deliver([table(), *rows([1, 2]), state(1)], sync=None, whole_count=None)
    mirror.deliver([table(), *rows([1]), state(2)])
    assert {*mirror.members()} == emails([1])


def test_the_column_of_the_count_is_no_property(mirror):
    result = mirror.deliver([table(), *rows([1]), state(1)], properties="all")
    assert result.error is None
    assert "total" not in mirror.members()["person1@example.com"].get("properties", {})


@pytest.mark.parametrize("limit", ["10%", "100%"])
def test_people_leave_when_all_others_have_ended(mirror, limit):
    mirror.config["max_removals"] = limit
    mirror.deliver([table(), *rows([1, 2, 3]), state(1)])
    result = mirror.deliver([table(), *rows([1, 9]), state(2)])
    text = result.log
    assert text.index("(1 row, addnoforce) submitted") < text.index("1 row) ended: 1 delivered")
    assert text.index("1 row) ended: 1 delivered") < text.index("(2 rows, remove) submitted")
    assert result.outcomes["absent_delivered"] == 2


def test_more_people_leave_than_are_read_at_a_time(mirror, monkeypatch):
    monkeypatch.setattr("target_mailing.journal.absent._TOGETHER", 2)
    mirror.deliver([table(), *rows(range(1, 12)), state(1)])
    mirror.deliver([table(), *rows([4]), state(2)], batch_rows=3)
    assert {*mirror.members()} == emails([4])


def test_who_could_not_be_taken_off_is_taken_off_by_the_next_run(mirror):
    mirror.deliver([table(), *rows(range(1, 5)), state(1)])
    mirror.sandbox.faults.add(kind="status", status=401, method="POST", path="*/managemanycontacts")
    assert mirror.deliver([table(), *rows([1, 2]), state(2)]).error is not None
    assert {*mirror.members()} == emails(range(1, 5))
    assert mirror.deliver([table(), *rows([1, 2]), state(3)]).error is None
    assert {*mirror.members()} == emails([1, 2])


def test_rows_under_one_address_leave_together(mirror):
    shared = [person(number, email="ada@example.com", total=3) for number in (2, 3)]
    mirror.deliver([table(), *rows([1], 3), *shared, state(1)])
    mirror.deliver([table(), *rows([1], 2), person(2, email="ada@example.com", total=2), state(2)])
    assert {*mirror.members()} == {"ada@example.com", *emails([1])}
    mirror.deliver([table(), *rows([1]), state(3)])
    assert {*mirror.members()} == emails([1])


REFUSED = {
    "action": {"action": "remove"},
    "scope": {"scope": "account"},
    "journal": {"journal": "off"},
    "on_key_change": {"on_key_change": "keep"},
    "whole": {"whole": True},
}


@pytest.mark.parametrize("name", REFUSED)
def test_p9_a_mirror_that_cannot_be_kept_is_refused(mirror, name):
    error = mirror.deliver(LAST, **REFUSED[name]).error
    assert f"Setting `sync` is mirror, but `{name}` is" in str(error)
    assert not mirror.members()


@pytest.mark.parametrize("setting", [{"whole": True}, {"whole_count": "total"}])
def test_p9_what_proves_an_input_needs_a_mirror(mailjet, setting):
    assert "`sync: mirror`" in str(mailjet.deliver(LAST, **setting).error)


def test_p9_a_column_that_is_missing_is_named(mirror):
    assert "Did you mean 'total'?" in str(mirror.deliver(LAST, whole_count="totals").error)


def test_whom_another_stream_named_in_the_same_batch_stays(mirror):
    both = {"streams": {"people": {}, "others": {"sync": "upsert", "whole_count": None}}}
    first = [table("others"), *people([3, 4], stream="others"), table(), *rows([1, 2, 3]), state(1)]
    assert mirror.deliver(first, **both).counts() == {"delivered": 4, "superseded": 1}
    mirror.deliver([table(), *rows([1]), state(2)], **both)
    assert {*mirror.members()} == emails([1, 3, 4])


OTHERS = {
    "once": rows([3], stream="others"),
    "twice": rows([3], stream="others") * 2,
    "changed and back": [*rows([3], stream="others", city="Rome"), *rows([3], stream="others")],
}


@pytest.mark.parametrize("found", OTHERS.values(), ids=OTHERS)
def test_whom_another_stream_finds_there_stays(mirror, found):
    both = {"streams": {"people": {}, "others": {"sync": "upsert", "whole_count": None}}}
    mirror.deliver([table(), *rows([1, 2, 3]), state(1)], **both)
    assert mirror.deliver([table("others"), *found, state(2)], **both).counts().get("delivered") is None
    mirror.deliver([table(), *rows([1]), state(3)], **both)
    assert {*mirror.members()} == emails([1, 3])


def test_who_was_confirmed_long_ago_leaves_too(mirror):
    mirror.deliver([table(), *rows([1, 2]), state(1)])
    with closing(Journal(FileStore(Path(mirror.config["journal"])))) as journal:
        journal.retention.forget_before(time.time() + 1)
    mirror.deliver([table(), *rows([1]), state(2)])
    assert {*mirror.members()} == emails([1])


def test_p9_too_many_absent_people_stay_until_their_number_is_allowed_once(mirror):
    mirror.deliver([table(), *rows(range(40)), state(1)])
    held = mirror.deliver([table(), *rows([*range(10), 50]), state(2)])
    assert isinstance(held.error, TooManyRemovalsError)
    assert {*mirror.members()} == emails([*range(40), 50])
    assert (
        "30 contacts would be removed, 30 because the input of stream 'people' no longer names them; the limit is 20 "
        "(10% of its 40 in the journal, but at least 20). None of these was made; all other rows were delivered. Who "
        "is absent is found again by the next whole input."
    ) in str(held.error)
    assert "`allow_removals_once: 30`" in str(held.error)
    assert "@" not in str(held.error)
    # Nobody is absent by a row, so STATE waits for none of them.
    assert held.states == [2]
    wrong = mirror.deliver([table(), *rows(range(10)), state(3)], allow_removals_once=30)
    assert "`allow_removals_once: 31` instead of 30" in str(wrong.error)
    assert {*mirror.members()} == emails([*range(40), 50])
    allowed = mirror.deliver([table(), *rows(range(10)), state(4)], allow_removals_once=31)
    assert (allowed.error, allowed.outcomes["absent_delivered"]) == (None, 31)
    assert {*mirror.members()} == emails(range(10))


def test_p9_absent_people_are_unsubscribed_within_the_limit_only(mirror):
    mirror.config["mirror_action"] = "unsubscribe"
    mirror.deliver([table(), *rows(range(40)), state(1)])
    assert isinstance(mirror.deliver([table(), *rows(range(15)), state(2)]).error, TooManyRemovalsError)
    assert {*mirror.statuses().values()} == {"subscribed"}
    assert mirror.deliver([table(), *rows(range(25)), state(3)]).error is None
    later = mirror.deliver([table(), *rows(range(19)), state(4)])
    assert "6 contacts would be unsubscribed, 6 because" in str(later.error)
    assert "(15 more left within the last 24 hours)" in str(later.error)
    assert [*mirror.statuses().values()].count("unsubscribed") == 15


def test_p9_deleted_rows_and_absent_people_count_together(mirror):
    mirror.deliver([table(), *rows(range(60)), state(1)])
    gone = [person(number, total=45, _sdc_deleted_at="2026-01-01T00:00:00Z") for number in range(30, 45)]
    lines = [table(), *rows(range(30), 45), *gone, state(2)]
    held = mirror.deliver(lines)
    assert "30 contacts would be removed, 15 because the input of stream 'people' no longer" in str(held.error)
    assert "stream 'people', line 32, id 30; " in str(held.error)
    assert (held.states, {*mirror.members()}) == ([], emails(range(60)))
    done = mirror.deliver(lines, allow_removals_once=30)
    assert (done.error, done.states, {*mirror.members()}) == (None, [2], emails(range(30)))


def test_p9_rows_of_a_key_whose_removal_is_refused_are_as_before(mirror):
    shared = [person(number, email="ada@example.com", total=4) for number in (2, 3)]
    mirror.deliver([table(), *rows([1, 4], 4), *shared, state(1)])
    mirror.config["max_removals"] = 1
    assert isinstance(mirror.deliver([table(), *rows([1]), state(2)]).error, TooManyRemovalsError)
    # Both keys still have the address: the one that is deleted now leaves it to the other.
    gone = person(2, email=None, total=3, _sdc_deleted_at="2026-01-01T00:00:00Z")
    again = mirror.deliver([table(), *rows([1], 3), gone, person(3, email="ada@example.com", total=3), state(3)])
    assert (again.error, {*mirror.members()}) == (None, {"ada@example.com", *emails([1])})


def test_only_the_contact_that_is_absent_leaves(mirror):
    """Not the mailbox under its other spelling, which somebody else has put there since."""
    mirror.deliver([table(), *rows([1], 2), person(2, email="ada@xn--mnchen-3ya.example", total=2), state(1)])
    mirror.sandbox.mailjet.add_contacts([{"email": "ada@m\u00fcnchen.example", "list": mirror.list_id}])
    mirror.deliver([table(), *rows([1]), state(3)])
    assert {*mirror.members()} == {"ada@m\u00fcnchen.example", *emails([1])}


@pytest.mark.parametrize("shared", [[], [person(3, email="person2@example.com", total=3)]], ids=["one key", "two"])
def test_an_address_that_an_absent_key_may_have_stays(mirror, shared):
    mirror.deliver([table(), *rows([1, 2], 2 + len(shared)), *shared, state(1)])
    mirror.sandbox.mailjet.add_contacts([{"email": "guest@example.com", "list": mirror.list_id}])
    with closing(Journal(FileStore(Path(mirror.config["journal"])))) as journal:
        name = journal._connection.execute(sa.select(tables.batches.c.destination)).scalars().first()
        (contact,) = journal.hashes.contact_ids(name)(["person2@example.com"])
        key = journal._keys.addresses([contact])[contact][0][0]
        encoded = EncodedContact("guest@example.com", "guest@example.com", b"{}")
        moved = Row(1, b"", "people", key, journal.contact_id(name, encoded.address), "addnoforce", 0, encoded)
        batch = journal.begin_batch(name, "addnoforce", "json", [moved])
        journal.begin_step(batch, "submit")
        journal.discard(batch, uncertain=[moved])
        assert journal.possible_addresses(key) == ["guest@example.com"]
    result = mirror.deliver([table(), *rows([1]), state(2)])
    assert (result.error, {*mirror.members()}) == (None, {"guest@example.com", *emails([1])})


def test_without_a_limit_absent_people_leave_at_once(mirror):
    mirror.config["max_removals"] = "100%"
    mirror.deliver([table(), *rows(range(60)), state(1)])
    result = mirror.deliver([table(), *rows([1]), state(2)], batch_rows=10)
    assert (result.error, {*mirror.members()}) == (None, emails([1]))


def test_a_new_journal_takes_nobody_off(mirror, tmp_path):
    mirror.deliver([table(), *rows(range(5)), state(1)])
    mirror.config["journal"] = str(tmp_path / "unmounted.sqlite")
    assert mirror.deliver([state(1), table(), *rows([1]), state(2)]).error is None
    assert {*mirror.members()} == emails(range(5))


def test_a_plan_says_whom_a_mirror_would_take_off(mirror):
    mirror.deliver([table(), *rows(range(4)), state(1)])
    mirror.opt_out("person3@example.com")
    lines = [table(), *rows([1, 7]), state(2)]
    before = (mirror.members(), Path(mirror.config["journal"]).read_bytes())
    plan = mirror.deliver(lines, mode="plan")
    assert (plan.error, plan.states) == (None, [])
    assert (mirror.members(), Path(mirror.config["journal"]).read_bytes()) == before
    assert "absent contacts taken off, besides   2\n" in plan.log
    assert "absent contacts kept, who opted out  1\n" in plan.log
    only = mirror.deliver([table(), *rows([1]), state(2)], mode="plan")
    assert "Nothing would change" not in only.log
    run = mirror.deliver(lines)
    names = ("absent_delivered", "absent_withheld", "absent_rejected")
    assert [plan.outcomes[name] for name in names] == [run.outcomes[name] for name in names] == [2, 1, 0]


def test_p9_a_plan_is_stopped_by_the_limit_of_removals_too(mirror):
    mirror.deliver([table(), *rows(range(40)), state(1)])
    plan = mirror.deliver([table(), *rows([1]), state(2)], mode="plan")
    assert "39 contacts would be removed, 39 because the input of stream 'people'" in str(plan.error)
    assert "of these absent from the input                 39\n" in plan.log
    assert mirror.deliver([table(), *rows([1]), state(2)], allow_removals_once=39).error is None


def test_rejects_that_are_piped_back_are_no_whole_input(mirror):
    mirror.config |= {"whole_count": None, "whole": True}
    mirror.deliver([table(), *people(range(5)), person(9, visits={}), state(1)])
    (file,) = mirror.folder.glob("rejects/*")
    for _ in range(3):
        result = mirror.deliver(file.read_text())
        assert "it has rows of a rejects file" in result.log
    mirror.deliver([table(), *people(range(4)), state(2)])
    assert {*mirror.members()} == emails(range(5))


def test_a_row_that_comes_again_much_later_is_noticed(mirror, monkeypatch):
    monkeypatch.setattr("target_mailing.input.reader._CHUNK", 512)
    mirror.deliver([table(), *rows(range(200)), state(1)])
    again = [*rows(range(190), 191), *rows([3], 191)]
    assert "a key came twice" in mirror.deliver([table(), *again, state(2)]).log
    assert {*mirror.members()} == emails(range(200))


def test_a_new_row_that_comes_twice_at_once_is_noticed(mirror):
    mirror.deliver([table(), *rows(range(4)), state(1)])
    assert "a key came twice" in mirror.deliver([table(), *rows([1, 9, 9], 3), state(2)]).log
    assert {*mirror.members()} == emails([*range(4), 9])


def test_whom_a_rejected_row_names_by_another_spelling_stays(mirror):
    mirror.deliver([table(), *rows([1], 2), person(2, email="ada@xn--mnchen-3ya.example", total=2), state(1)])
    named = person(20, email="ada@m\u00fcnchen.example", visits={}, total=2)
    result = mirror.deliver([table(), *rows([1], 2), named, state(2)])
    assert (result.error, result.counts()) == (None, {"unchanged": 1, "rejected": 1})
    assert {*mirror.members()} == {"ada@xn--mnchen-3ya.example", *emails([1])}


@pytest.mark.parametrize("upsert", ["people", "too"])
def test_a_stream_that_goes_there_in_two_ways_is_a_mirror_only_if_both_are(mirror, upsert):
    streams = {"people": {}, "too": {}} | {upsert: {"sync": "upsert", "whole_count": None}}
    both = {"stream_maps": {"people": {}, "too": {"__source__": "people"}}, "streams": streams}
    mirror.deliver([table(), *rows([1, 2]), state(1)], **both)
    mirror.deliver([table(), *rows([1]), state(2)], **both)
    assert {*mirror.members()} == emails([1, 2])


def test_whom_rows_put_on_lists_that_they_name_stays(mirror):
    vips = {"sync": "upsert", "whole_count": None, "route": "contact", "list": None}
    maps = {"streams": {"people": {}, "vips": vips}}
    vip = person(3, stream="vips", lists=[{"list": "Spring readers"}])
    both = [schema("vips", COLUMNS | {"lists": {"type": "array"}}), vip]
    assert mirror.deliver([table(), *rows([1, 2, 3]), *both, state(1)], **maps).error is None
    result = mirror.deliver([table(), *rows([1]), *both, state(2)], **maps)
    assert "name their own lists" in result.log
    assert "name their own lists" in mirror.deliver([table(), *rows([1]), state(3)], **maps).log
    assert {*mirror.members()} == emails([1, 2, 3])


FORMS = {
    "another type": (table(id={"type": ["string", "null"]}), str),
    "more columns": (table(keys=("id", "city")), int),
}


@pytest.mark.parametrize(("form", "number"), FORMS.values(), ids=FORMS)
def test_a_key_of_another_form_names_nobody(mirror, form, number):
    mirror.deliver([table(), *rows([1, 2, 3]), state(1)])
    lines = [form, *(person(one, id=number(one), total=3) for one in (1, 2))]
    lines.append(person(3, id=number(3), email=None, total=3))
    for at in range(2):
        result = mirror.deliver([*lines, state(at)])
        assert "its keys have another form than before" in result.log
    assert {*mirror.members()} == emails([1, 2, 3])
    # When all rows came with addresses, the journal knows these keys.
    whole = [form, *(person(one, id=number(one), total=2) for one in (1, 3))]
    for at in range(2):  # the first one takes somebody off
        assert mirror.deliver([*whole, state(at)]).error is None
    assert {*mirror.members()} == emails([1, 3])
    lost = [form, person(1, id=number(1), total=2), person(3, id=number(3), email=None, total=2)]
    assert "another form" not in mirror.deliver([*lost, state(5)]).log
    assert {*mirror.members()} == emails([1, 3])


def test_each_address_in_a_cell_names_somebody(mirror):
    mirror.deliver([table(), *rows([1, 2, 3]), state(1)])
    both = person(33, email="person3@example.com, x@example.com", total=2)
    assert mirror.deliver([table(), *rows([1], 2), both, state(2)]).error is None
    assert {*mirror.members()} == emails([1, 3])


def test_an_address_that_is_the_key_and_comes_twice_is_noticed(mirror):
    keyed = table(keys=("email",))
    mirror.deliver([keyed, *rows([1, 2, 3]), state(1)])
    assert "a key came twice" in mirror.deliver([keyed, *rows([1, 2, 2], 3), state(2)]).log
    assert {*mirror.members()} == emails([1, 2, 3])


@pytest.mark.parametrize("version", [2**63, 2**63 - 1])
def test_a_version_that_is_too_great_proves_nothing(mirror, version):
    mirror.config["whole_count"] = None
    mirror.deliver([table(), *versioned([1, 2], 5), VERSIONED | {"version": 5}, state(1)])
    great = [table(), *versioned([1], version), VERSIONED | {"version": version}, state(2)]
    assert mirror.deliver(great).error is None
    assert {*mirror.members()} == emails([1, 2])
    mirror.deliver([table(), *versioned([1], 6), VERSIONED | {"version": 6}, state(3)])
    assert {*mirror.members()} == emails([1])


def test_without_a_state_the_users_word_is_none(mirror):
    mirror.config |= {"whole_count": None, "whole": True}
    mirror.deliver([table(), *people([1, 2, 3]), state(1)])
    for _ in range(3):
        mirror.deliver([table(), *people([1])])
    assert {*mirror.members()} == emails([1, 2, 3])


BETWEEN = {
    "failed": ([table(), *people([1, 2, 3])], {}),
    "no mirror": ([table(), *people([1, 2, 3]), state(5)], {"sync": None, "whole": None}),
}


@pytest.mark.parametrize("name", BETWEEN)
def test_any_run_between_two_whole_ones_starts_the_count_again(mirror, name):
    mirror.config |= {"whole_count": None, "whole": True}
    mirror.deliver([table(), *people([1, 2, 3]), state(1)])
    mirror.deliver([table(), *people([1, 2]), state(2)])
    lines, settings = BETWEEN[name]
    mirror.deliver(mirror.text(lines) + ("{" if name == "failed" else ""), **settings)
    mirror.deliver([table(), *people([1, 2]), state(3)])
    assert {*mirror.members()} == emails([1, 2, 3])
    mirror.deliver([table(), *people([1, 2]), state(4)])
    assert {*mirror.members()} == emails([1, 2])


@pytest.mark.parametrize("keys", [(), ("email",)])
@pytest.mark.parametrize("email", ["person3@example.com;", "person3@example,com", "person3@example"])
def test_a_rejected_address_where_it_is_the_key_names_whom_it_may(mirror, keys, email):
    mirror.deliver([table(keys=keys), *rows([1, 2, 3]), state(1)])
    result = mirror.deliver([table(keys=keys), *rows([1, 2], 3), person(3, email=email, total=3), state(2)])
    assert (result.error, {*mirror.members()}) == (None, emails([1, 2, 3]))


def test_whom_another_stream_delivered_in_a_run_that_was_stopped_stays(mirror):
    streams = {"people": {}, "vips": {"sync": "upsert", "whole_count": None}}
    mirror.config["streams"] = streams
    mirror.deliver([table(), *rows([1, 2, 3]), state(1)])
    mirror.sandbox.faults.add(kind="status", status=401, method="GET", path="*/managemanycontacts/*", times=1)
    stopped = mirror.deliver([schema("vips"), person(3, stream="vips", city="Rome"), state(1)])
    assert stopped.error is not None
    mirror.sandbox.faults.clear()
    for at in (2, 3):  # the first of these finishes the batch of `vips`
        assert mirror.deliver([table(), *rows([1, 2]), state(at)]).error is None
    assert {*mirror.members()} == emails([1, 2, 3])


def test_whom_the_only_stream_delivered_in_a_run_that_was_stopped_leaves(mirror):
    mirror.sandbox.faults.add(kind="status", status=401, method="GET", path="*/managemanycontacts/*", times=1)
    stopped = mirror.deliver([table(), *rows([1, 2, 3]), state(1)])
    assert stopped.error is not None
    mirror.sandbox.faults.clear()
    for at in (2, 3):  # in the first of these the batch ends
        assert mirror.deliver([table(), *rows([1, 2]), state(at)]).error is None
    assert {*mirror.members()} == emails([1, 2])


def test_a_rejected_address_under_a_new_key_may_name_anybody(mirror):
    mirror.deliver([table(), *rows([1, 2, 3]), state(1)])
    result = mirror.deliver([table(), *rows([1, 2], 3), person(33, email="person3@example,com", total=3), state(2)])
    assert "by neither key nor address" in result.log
    assert {*mirror.members()} == emails([1, 2, 3])
    known = person(3, email="person3@example,com", total=2)
    assert mirror.deliver([table(), *rows([1], 2), known, state(2)]).error is None
    assert {*mirror.members()} == emails([1, 3])


def test_one_schema_whose_keys_have_another_form_is_enough(mirror):
    mirror.deliver([table(), *rows([1, 2, 3]), state(1)])
    other = table(id={"type": ["string", "null"]})
    lines = [other, person(3, id="3", email=None, total=3), table(), *rows([1, 2], 3), state(2)]
    assert "its keys have another form than before" in mirror.deliver(lines).log
    assert {*mirror.members()} == emails([1, 2, 3])
