"""The order in which rejects are closed: rows that superseded others, killed runs, other versions, absent people."""

from __future__ import annotations

import contextlib
import sqlite3
import time

import msgspec
import psycopg
import pytest

from target_mailing.contacts.contact import EncodedContact
from target_mailing.journal import ended_rows, payload
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore
from target_mailing.rows.row import Row
from tests.target.command.test_command import until
from tests.target.conftest import COLUMNS, person, schema, state
from tests.target.input.test_mirror import rows, table
from tests.target.journal.test_retried_rejects import GONE, cities, open_rejects
from tests.target.killing import killed_once_begun, killed_once_submitted

X, Y = "person1@example.com", "moved@example.com"
MENDED = {"properties": ["city"]}


def change(mailjet, statement):
    if str(mailjet.config["journal"]).startswith("postgresql"):
        with psycopg.connect(mailjet.config["journal"], autocommit=True) as journal:
            names = "SELECT schemaname FROM pg_tables WHERE tablename = 'open_rejects'"
            for (name,) in journal.execute(names).fetchall():
                journal.execute(f'SET search_path TO "{name}"')
                journal.execute(statement)
        return
    with contextlib.closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as journal, journal:
        journal.execute(statement)


def kill(mailjet, messages=None, **config):
    """Deliver, or send rejects again, until the first job is under way."""
    with killed_once_submitted():
        if messages is None:
            mailjet.retry(**config)
        else:
            mailjet.deliver(messages, **config)
    jobs = mailjet.sandbox.mailjet.jobs
    until(lambda: all(job["status"] not in {"Pending", "In Progress"} for job in jobs()))


def mended(mailjet):
    mailjet.sandbox.mailjet._account.store.refused.clear()


def test_p3_what_a_killed_retry_left_under_way_closes_no_newer_reject(mailjet):
    mailjet.deliver([schema(), person(1, city="Nice", visits="many"), state(1)])
    mailjet.deliver([schema(), person(9, email=X, city="Oslo", visits="many"), state(2)])
    kill(mailjet, **MENDED, batch_rows=1)
    for left in (1, 0):  # it is left alone while a batch of its address is under way
        again = mailjet.retry(**MENDED)
        assert again.error is None
        assert ("1 open reject was left alone in this run" in again.log) is bool(left)
        assert len(open_rejects(mailjet)) == left
    assert cities(mailjet) == {X: "Oslo"}


@pytest.mark.parametrize("kind", ["run", "retry"])
def test_p3_the_opt_out_of_a_rejected_record_does_not_close_it_where_the_run_was_killed(mailjet, kind):
    mailjet.deliver([schema(), person(1), state(0)])
    wrong = [schema(), person(1, subscription_status="unsubscribed", properties={"shoes": 44}), state(1)]
    if kind == "retry":
        mailjet.deliver(wrong)
        mailjet.deliver([schema(), person(1, subscription_status="unsubscribed", properties={"shoes": 44}), state(1)])
        mailjet.config |= {"resend_window": "PT0S"}  # the opt-out is sent again, too
        kill(mailjet)
    else:
        kill(mailjet, wrong)
    assert mailjet.retry().error is None
    assert mailjet.statuses() == {X: "unsubscribed"}
    assert [code for _, code, _ in open_rejects(mailjet)] == ["unknown_property"]


def test_p5_a_batch_of_a_killed_run_closes_rejects_of_keys_that_its_rows_superseded(mailjet):
    mailjet.deliver([schema(), person(1, email=Y, city="Nice", visits="many"), state(1)])
    kill(mailjet, [schema(), person(1, email=X), person(2, email=X), state(2)])
    assert mailjet.retry(**MENDED).error is None
    assert open_rejects(mailjet) == []
    assert mailjet.statuses().keys() == {X}
    moved = mailjet.deliver([schema(), person(1, email="new@example.com"), state(3)])  # its key has the address, too
    assert moved.error is None
    assert mailjet.statuses().keys() == {X, "new@example.com"}


def test_p5_a_reject_of_a_superseded_key_waits_for_a_batch_that_did_not_arrive(mailjet):
    mailjet.deliver([schema(), person(1, email=Y, city="Nice", visits="many"), state(1)])
    newer = [schema(), person(1, email=X), person(2, email=X), state(2)]
    mailjet.sandbox.mailjet.refuse([X])
    kill(mailjet, newer)
    for _ in range(2):
        assert mailjet.retry(**MENDED).error is None
        assert mailjet.statuses() == {}
    assert "1 open reject is left alone" in mailjet.retry(**MENDED).log
    mended(mailjet)
    assert mailjet.deliver(newer).error is None
    assert open_rejects(mailjet) == []
    assert mailjet.statuses().keys() == {X}


@pytest.mark.slow
@pytest.mark.parametrize("newer", [{"city": "Oslo"}, {"_sdc_deleted_at": GONE}])
def test_p5_a_second_retry_sends_nothing_older_than_a_row_whose_job_failed(mailjet, newer):
    mailjet.deliver([schema(), person(1, city="Paris"), person(2), state(0)])
    mailjet.deliver([schema(), person(1, city="Nice", visits="many"), person(2, visits="many"), state(1)])
    mailjet.sandbox.mailjet.refuse([X])
    rows = [schema(), person(1, **newer), state(2)]
    kill(mailjet, rows)
    for _ in range(3):
        assert mailjet.retry(**MENDED).error is None
        mended(mailjet)
        assert cities(mailjet)[X] == "Paris"
    assert len(open_rejects(mailjet)) == 1
    assert mailjet.deliver(rows).error is None
    assert open_rejects(mailjet) == []


def test_p3_a_retry_that_was_killed_and_whose_job_failed_is_repeated(mailjet):
    """Records that one row carried are sent together again: none is older than the other."""
    mailjet.sandbox.mailjet.refuse([X])
    mailjet.deliver([schema(), person(1, city="Nice"), person(1, city=None, visits=3), state(1)])
    kill(mailjet)
    assert mailjet.retry().error is None
    assert len(open_rejects(mailjet)) == 2
    mended(mailjet)
    assert mailjet.retry().error is None
    assert mailjet.members()[X]["properties"] == {"city": "Nice", "visits": "3"}
    assert open_rejects(mailjet) == []


def test_p3_a_run_that_was_killed_while_it_asked_about_a_former_address_overtakes_nothing_of_it(mailjet):
    mailjet.config |= {"on_key_change": "keep"}
    mailjet.deliver([schema(), person(1), state(0)])
    mailjet.deliver([schema(), person(9, email=X, city="Nice", visits="many"), state(1)])
    moved = [schema(), person(1, email=Y, city="Oslo"), state(2)]
    with killed_once_begun("consent"):
        mailjet.deliver(moved)
    assert mailjet.deliver(moved).error is None
    assert mailjet.retry(**MENDED).counts() == {"delivered": 1}
    assert cities(mailjet) == {X: "Nice", Y: "Oslo"}


def test_p3_a_reject_whose_address_was_read_by_a_killed_retry_is_sent_by_the_next(mailjet):
    columns = COLUMNS | {"contact": {"type": ["string", "null"]}}
    mailjet.deliver([schema(columns=columns), person(1, email="nobody", contact=X, city="Nice"), state(1)])
    config = MENDED | {"mapping": {"email": "contact"}, "route": "contact"}
    with killed_once_begun("contacts"):
        mailjet.retry(**config)
    assert mailjet.retry(**config).error is None
    mailjet.retry(**config)
    assert open_rejects(mailjet) == []
    assert cities(mailjet) == {X: "Nice"}


def test_p5_records_that_a_row_superseded_keep_their_stream_and_key(mailjet):
    others = schema("others", COLUMNS | {"visits": {"type": ["string", "null"]}})
    mailjet.deliver([others, person(1, stream="others", email=Y, city="Oslo"), state(0)])
    mailjet.sandbox.mailjet.refuse([X])
    both = [
        person(1, city="Nice"),
        person(2, email=X, city="Rome"),
        person(9, stream="others", email=X, city="Bonn", visits="7"),
    ]
    first = mailjet.deliver([schema(), others, *both, state(1)])
    assert first.counts() == {"superseded": 2, "rejected": 1}
    assert [stream for stream, _, _ in open_rejects(mailjet)] == ["people", "people", "others"]
    assert [one["stream"] for one in first.rejects] == ["people", "people", "others"]
    mended(mailjet)
    mailjet.deliver([schema(), person(2, email="new@example.com", city="Lyon"), state(2)])
    assert [stream for stream, _, _ in open_rejects(mailjet)] == ["people", "others"]  # the key's own row came
    assert mailjet.retry().counts() == {"superseded": 1, "delivered": 1}
    assert cities(mailjet) == {X: "Bonn", Y: "Oslo", "new@example.com": "Lyon"}


def test_p5_a_superseded_key_closes_only_what_came_before_its_own_row(mailjet):
    lines = [person(1), person(1, email=Y, city="Oslo", visits="many"), person(2, email=X)]
    mailjet.deliver([schema(), *lines, state(1)])
    assert len(open_rejects(mailjet)) == 1
    assert mailjet.retry(**MENDED).counts() == {"delivered": 1}
    assert cities(mailjet)[Y] == "Oslo"


def test_p5_a_superseded_row_that_is_refused_replaces_only_what_came_before_it(mailjet):
    mailjet.sandbox.mailjet.refuse([X])
    lines = [person(1), person(1, email=Y, city="Oslo", visits="many"), person(2, email=X)]
    mailjet.deliver([schema(), *lines, state(1)])
    assert [code for _, code, _ in open_rejects(mailjet)] == ["wrong_type", "refused_by_provider"]


def test_p5_a_row_that_a_stream_map_omits_closes_nothing_of_somebody_whose_key_its_column_had(mailjet):
    columns = COLUMNS | {"account": {"type": "integer"}}
    maps = {"people": {"id": "record['account']", "__filter__": "record['city'] != 'Nice'"}}

    def row(number, account, **more):
        return person(number, account=account, **more)

    def deliver(*lines):
        assert mailjet.deliver([schema(columns=columns), *lines, state(1)], stream_maps=maps).error is None

    deliver(row(1, 7, visits="many"), row(2, 8, visits="many"))
    deliver(row(7, 5, city="Nice"), row(8, 5, city="Nice", email="person2@example.com"))
    assert len(open_rejects(mailjet)) == 1  # that of the address
    assert mailjet.retry(**MENDED, stream_maps=maps).counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == {X}


def test_p5_a_reject_of_which_it_is_unknown_whether_newer_rows_ended_is_not_kept_nor_an_older_one(mailjet, monkeypatch):
    mailjet.deliver([schema(), person(0, city="Nice", visits="many"), state(1)])
    monkeypatch.setattr(ended_rows, "_MOST_ENDED", 4)
    mailjet.sandbox.mailjet.refuse(["person0@example.com"])
    others = [person(number, subscription_status="excluded") for number in range(1, 9)]
    last = mailjet.deliver([schema(), person(0), *others, state(1)])
    assert last.counts() == {"withheld": 8, "rejected": 1}
    assert open_rejects(mailjet) == []
    assert "rejects of such rows are not kept for --retry-rejects" in last.log


def test_p9_a_damaged_schema_of_rejects_is_a_damaged_journal(mailjet):
    mailjet.deliver([schema(), person(1, visits="many"), state(1)])
    change(mailjet, "UPDATE rejected_streams SET message = x'7b'")
    assert "is damaged" in str(mailjet.retry().error)


def test_what_is_too_much_to_be_kept_is_said(mailjet, monkeypatch):
    monkeypatch.setattr("target_mailing.journal.open_rejects._MOST_BYTES", 10)
    monkeypatch.setattr("target_mailing.journal.open_rejects._KEPT_BYTES", 10)
    result = mailjet.deliver([schema(), person(1, visits="many"), state(1)])
    assert open_rejects(mailjet) == []
    assert "There are more open rejects than are kept" in result.log


@pytest.mark.parametrize("place", ["sqlite", "postgresql"])
def test_p5_after_a_run_of_a_version_that_closes_none_older_rejects_are_left_alone(request, mailjet, place):
    if place == "postgresql":
        name = f"List of {mailjet.folder.name}"  # which makes a schema of this test's own
        mailjet.sandbox.mailjet.add_list(name)
        mailjet.config |= {"journal": request.getfixturevalue("postgresql_url"), "list": name}
    mailjet.deliver([schema(), person(1, visits="many"), person(2, visits="many"), state(1)])
    change(mailjet, "UPDATE streams SET runs = runs + 1")
    result = mailjet.deliver([schema(), person(1, visits="many"), state(1)])
    assert "newer rows may have come for 2 open rejects: --retry-rejects leaves them alone" in result.log
    again = mailjet.retry(**MENDED)
    assert "1 open reject is left alone" in again.log
    assert again.counts() == {"delivered": 1}
    assert mailjet.statuses(mailjet.config["list"]).keys() == {X}
    assert "left alone" in mailjet.retry(**MENDED).log
    assert mailjet.deliver([schema(), person(2), state(1)]).counts() == {"delivered": 1}
    assert "nothing is sent again" in mailjet.retry(**MENDED).log


@pytest.mark.parametrize("is_late", [False, True])
def test_p5_a_batch_of_an_earlier_version_closes_what_was_there_before_and_nothing_later(mailjet, is_late):
    mailjet.deliver([schema(), person(1, visits="many"), state(1)])
    kill(mailjet, [schema(), person(1, city="Rome"), state(2)])
    with contextlib.closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as journal, journal:
        (sent,) = journal.execute("SELECT payload FROM batches WHERE state = 'open'").fetchone()
        former = msgspec.msgpack.encode([one[:6] for one in msgspec.msgpack.decode(sent)])
        journal.execute("UPDATE batches SET base = NULL, payload = ? WHERE state = 'open'", [former])
        if is_late:  # the clock was put back since
            journal.execute("UPDATE open_rejects SET n = n + (1 << 50)")
    mailjet.deliver([schema(), person(1, city="Bonn", visits="many"), state(3)])
    assert len(open_rejects(mailjet)) == 1
    assert mailjet.retry(**MENDED).counts() == {"delivered": 1}
    assert cities(mailjet) == {X: "Bonn"}


def test_an_earlier_version_reads_the_rows_of_a_batch():
    class Former(msgspec.Struct, array_like=True):
        key: bytes | None
        drops_key: bool
        email: str
        id: int
        fingerprint: int
        content: bytes = b""

    row = Row(3, b"", "people", b"k", 1, "add", 2, EncodedContact(X, X, b"c"))
    row.extend().also[b"l"] = 2
    (sent,) = msgspec.msgpack.decode(payload.encoded([row]), type=list[Former])
    assert (sent.key, sent.email, sent.id, sent.fingerprint) == (b"k", X, 1, 2)
    assert payload.places(payload.encoded([row]), lambda line: 10 + line) == {(1, b"k"): {1: 13, b"k": 13, b"l": 12}}


def test_p5_what_was_ever_forgotten_counts_whatever_the_setting_is_now(tmp_path):
    now = time.time()
    for ago, expected in ((10, 10), (20, 10), (5, 5)):
        with contextlib.closing(Journal(FileStore(tmp_path / "journal.sqlite"))) as journal:
            assert journal.retention.forget_before(now - ago) == now - expected


def test_a_whole_input_closes_rejects_of_people_whom_it_does_not_name(mailjet):
    mailjet.config |= {"sync": "mirror", "whole_count": "total"}
    numbers = [1, 2, 3, 4]
    wrong = [one for one in rows(numbers) if one["record"].update(visits="many") is None]
    mailjet.deliver([table(), *wrong, state(1)])
    mailjet.deliver([table("others"), *[{**one, "stream": "others"} for one in wrong[2:3]], state(1)])
    assert len(open_rejects(mailjet)) == 5
    partly = rows([7], 2)  # one of two
    mailjet.deliver([table(), *partly, state(2)])
    assert len(open_rejects(mailjet)) == 5
    named = [*rows([7], 3), *(one | {"record": one["record"] | {"total": 3}} for one in wrong[:1])]
    named.append(person(2, email="broken", total=3))
    result = mailjet.deliver([table(), *named, state(2)])
    assert "the input no longer names the people of 2 open rejects" in result.log
    assert [(stream, code) for stream, code, _ in open_rejects(mailjet)] == [
        ("others", "wrong_type"),
        ("people", "wrong_type"),
        ("people", "bad_address"),
    ]


@pytest.mark.parametrize("stops", ["word", "many"])
def test_a_whole_input_closes_none_by_the_word_alone_or_beyond_the_guard(mailjet, stops):
    mailjet.config |= {"sync": "mirror"} | ({"whole": True} if stops == "word" else {"whole_count": "total"})
    mailjet.deliver([table(), *rows(range(1, 4)), state(1)])
    mailjet.deliver([table(), *rows(range(1, 4)), person(9, visits="many", total=4), state(1)])
    mailjet.deliver([table(), *rows([1]), state(2)], max_removals=0 if stops == "many" else None)
    assert len(open_rejects(mailjet)) == 1
