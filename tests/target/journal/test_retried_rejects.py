"""Rejected rows sent again from the journal: those of which nothing newer came since."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.journal import ended_rows
from target_mailing.journal import open_rejects as opened
from target_mailing.journal.journal import Journal
from tests.target.conftest import COLUMNS, people, person, schema, state

GONE = "2026-01-01T00:00:00Z"


def open_rejects(mailjet):
    with contextlib.closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as journal:
        return journal.execute("SELECT stream, code, attempt FROM open_rejects ORDER BY n").fetchall()


def cities(mailjet):
    return {email: member["properties"].get("city") for email, member in mailjet.members().items()}


def test_only_rejects_of_lists_to_which_the_settings_lead_are_announced(mailjet):
    mailjet.sandbox.mailjet.add_list("Others")
    mailjet.sandbox.mailjet.add_list("Third")
    mailjet.deliver([schema(), person(1, email="nobody"), person(2), state(1)])
    mailjet.deliver([schema(), person(1, email="nobody"), person(3, email="no"), state(1)], list="Others")
    assert "1 open reject to send again (bad_address: 1)" in mailjet.retry(mode="plan").log
    assert "2 open rejects to send again (bad_address: 2)" in mailjet.retry(mode="plan", list="Others").log
    third = mailjet.retry(mode="plan", list="Third").log
    assert "No open rejects of the lists to which the settings lead: nothing is sent again" in third


def test_a_reject_is_sent_again_when_its_cause_is_gone(mailjet):
    wrong = person(1, properties={"shoe_size": 44})
    assert mailjet.deliver([schema(), wrong, person(2), state(1)]).counts() == {"delivered": 1, "rejected": 1}
    again = mailjet.retry()
    assert again.counts() == {"rejected": 1}, again.log
    assert [one["record"]["_reject_attempt"] for one in again.rejects] == [2]
    mailjet.sandbox.mailjet.add_property("shoe_size", "int")
    last = mailjet.retry()
    assert last.error is None
    assert last.counts() == {"delivered": 1}
    assert last.states == again.states == []
    assert mailjet.statuses().keys() == {"person1@example.com", "person2@example.com"}
    assert open_rejects(mailjet) == []
    nothing = mailjet.retry()
    assert nothing.error is None
    assert "nothing is sent again" in nothing.log
    assert nothing.outcomes["rows"] == 0


@pytest.mark.parametrize(
    "later",
    [
        person(1, city="Paris"),
        person(9, email="person1@example.com", city="Paris"),
        person(1, email="moved@example.com"),
        person(1, subscription_status="unsubscribed"),
        person(1, subscription_status="excluded"),
        person(9, email="person1@example.com", subscription_status="excluded"),
        person(1, _sdc_deleted_at=GONE),
    ],
)
@pytest.mark.parametrize("is_same_run", [True, False])
def test_a_row_of_the_same_key_or_address_that_ends_otherwise_closes_it(mailjet, later, is_same_run):
    mailjet.deliver([schema(), person(1, city="Nice"), state(0)])
    wrong = person(1, city="Lyon", visits="many")
    if is_same_run:
        mailjet.deliver([schema(), wrong, later, state(1)])
    else:
        mailjet.deliver([schema(), wrong, state(1)])
        assert len(open_rejects(mailjet)) == 1
        mailjet.deliver([schema(), later, state(2)])
    before = mailjet.members()
    assert open_rejects(mailjet) == []
    assert mailjet.retry(properties=["city"]).outcomes["rows"] == 0
    assert mailjet.members() == before


def test_a_row_of_an_earlier_line_that_ends_later_closes_nothing(mailjet):
    wrong = person(1, city="Lyon", visits="many")
    first = mailjet.deliver([schema(), person(1, city="Nice"), wrong, state(1)])
    assert first.counts() == {"delivered": 1, "rejected": 1}
    assert len(open_rejects(mailjet)) == 1
    assert mailjet.retry(properties=["city"]).counts() == {"delivered": 1}
    assert cities(mailjet) == {"person1@example.com": "Lyon"}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["sqlite", "postgresql"])
def test_each_is_sent_once_in_the_order_of_the_rows(request, mailjet, place):
    if place == "postgresql":
        name = f"List of {mailjet.folder.name}"  # which makes a schema of this test's own
        mailjet.sandbox.mailjet.add_list(name)
        mailjet.config |= {"journal": request.getfixturevalue("postgresql_url"), "list": name}
    wrong = {"visits": "many"}
    mailjet.deliver([schema(), person(1, **wrong, city="Nice"), person(2, email="nobody"), state(1)])
    family = person(3, email="person1@example.com", **wrong, city="Lyon")
    mailjet.deliver([schema(), family, person(4, **wrong), state(2)])
    plan = mailjet.retry(properties=["city"], mode="plan")
    again = mailjet.retry(properties=["city"])
    assert plan.counts() == again.counts()
    assert again.counts() == {"delivered": 2, "superseded": 1, "rejected": 1}
    members = mailjet.members(mailjet.config["list"])
    assert members["person1@example.com"]["properties"]["city"] == "Lyon"
    assert members.keys() == {"person1@example.com", "person4@example.com"}
    assert mailjet.retry(properties=["city"]).counts() == {"rejected": 1}


def test_they_are_chosen_by_code_stream_and_run(mailjet):
    rows = [person(1, visits="many"), person(2, email="nobody"), person(3, stream="others", visits="many")]
    mailjet.deliver([schema(), schema("others"), *rows, state(1)])
    mailjet.deliver([schema(), person(4, visits="many"), state(1)])
    with contextlib.closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as journal:
        first, second = [run for (run,) in journal.execute("SELECT DISTINCT run FROM open_rejects ORDER BY run")]
    names = {path.stem.removeprefix("history-") for path in (mailjet.folder / "history").iterdir()}
    assert names == {first, second}
    wrong = {"properties": ["visits"]}
    assert mailjet.retry(codes=["bad_address"], **wrong).counts() == {"rejected": 1}
    assert mailjet.retry(streams=["others"], **wrong).counts() == {"rejected": 1}
    assert mailjet.retry(runs=[second[:-3]], **wrong).counts() == {"rejected": 1}
    assert mailjet.retry(codes=["wrong_type"], streams=["people"], **wrong).counts() == {"rejected": 2}
    for option, chosen, present in (
        ("code", {"codes": ["wrong_tipe"]}, "bad_address, wrong_type"),
        ("stream", {"streams": ["persons"]}, "others, people"),
        ("run", {"runs": ["19990101"]}, "-"),
    ):
        error = mailjet.retry(**chosen).error
        assert isinstance(error, ConfigurationError)
        assert f"Option --reject-{option}: no open reject is of {option} " in str(error)
        assert present in str(error)


def test_rejects_of_other_destinations_stay_and_are_not_counted(mailjet):
    mailjet.sandbox.mailjet.add_list("Firms")
    mailjet.deliver([schema(), person(1, visits="many"), state(1)], list="Firms")
    mailjet.deliver([schema(), person(1, visits="many"), person(2, visits="many"), state(1)])
    assert mailjet.retry(properties=["city"]).counts() == {"delivered": 2}
    assert len(open_rejects(mailjet)) == 1
    assert mailjet.members("Firms") == {}
    assert mailjet.retry(properties=["city"], list="Firms").counts() == {"delivered": 1}
    assert open_rejects(mailjet) == []


def test_p5_a_row_that_is_of_others_now_is_not_sent_where_something_newer_may_have_come(mailjet):
    """`contact` is the address since the setting was changed: that of somebody known, and that of a new one."""
    columns = COLUMNS | {"contact": {"type": ["string", "null"]}}
    mailjet.deliver([schema(), person(7, email="known@example.com", city="Nice"), state(0)])
    wrong = [
        person(1, email="nobody", contact="known@example.com"),
        person(2, email="nobody", contact="new@example.com"),
        person(3, visits="many", contact="known@example.com"),
    ]
    mailjet.deliver([schema(columns=columns), *wrong, state(1)])
    again = mailjet.retry(mapping={"email": "contact"}, properties=["city"])
    assert again.counts() == {"delivered": 1, "skipped": 2}
    assert again.outcomes["reasons"] == {"order_unknown": 2}
    assert cities(mailjet) == {"known@example.com": "Nice", "new@example.com": "Lyon"}
    assert len(open_rejects(mailjet)) == 2


def test_p5_a_row_that_ends_when_it_is_read_closes_the_reject_of_an_earlier_row_that_is_refused_later(mailjet):
    mailjet.sandbox.mailjet.refuse(["person1@example.com"])
    rows = [person(1), person(1, subscription_status="excluded"), person(2)]
    first = mailjet.deliver([schema(), *rows, state(1)])
    assert first.counts() == {"delivered": 1, "withheld": 1, "rejected": 1}
    assert open_rejects(mailjet) == []


def test_p5_a_row_that_a_stream_map_omits_closes_it(mailjet):
    maps = {"people": {"__filter__": "record['city'] != 'Nice'"}}
    mailjet.deliver([schema(), person(1, visits="many"), person(2, visits="many"), state(1)], stream_maps=maps)
    mailjet.deliver([schema(), person(1, city="Nice"), state(1)], stream_maps=maps)
    assert mailjet.retry(properties=["city"], stream_maps=maps).counts() == {"delivered": 1}
    assert mailjet.statuses().keys() == {"person2@example.com"}


def test_records_that_one_refused_row_carried_are_sent_together(mailjet):
    mailjet.sandbox.mailjet.refuse(["person1@example.com"])
    first = mailjet.deliver([schema(), person(1, city="Nice"), person(1, city=None, visits=3), state(1)])
    assert first.counts() == {"superseded": 1, "rejected": 1}
    assert len(open_rejects(mailjet)) == 2
    mailjet.sandbox.mailjet._account.store.refused.clear()
    assert mailjet.retry().counts() == {"superseded": 1, "delivered": 1}
    assert mailjet.members()["person1@example.com"]["properties"] == {"city": "Nice", "visits": "3"}


def test_p5_a_former_address_that_is_refused_leaves_the_reject_of_the_latest_row_of_its_key(mailjet):
    mailjet.deliver([schema(), person(1, email="former@example.com", city="Nice"), state(1)])
    mailjet.sandbox.mailjet.refuse(["former@example.com"])
    moved = mailjet.deliver([schema(), person(1, city="Lyon"), person(1, city="Paris"), state(1)])
    assert moved.counts() == {"rejected": 2}
    assert cities(mailjet) == {"former@example.com": "Nice", "person1@example.com": "Paris"}
    assert len(open_rejects(mailjet)) == 1
    mailjet.sandbox.mailjet._account.store.refused.clear()
    assert mailjet.retry().counts().keys() <= {"delivered", "unchanged"}
    assert cities(mailjet) == {"person1@example.com": "Paris"}
    assert open_rejects(mailjet) == []


def test_a_later_reject_of_the_key_replaces_it_and_what_cannot_be_read_is_not_kept(mailjet):
    mailjet.deliver([schema(), person(1, city="Nice", visits="many"), state(1)])
    mailjet.deliver([schema(), person(1, city="Lyon", visits="many"), person(2, visits="many"), state(1)])
    assert [code for _, code, _ in open_rejects(mailjet)] == ["wrong_type"] * 2
    damaged = mailjet.text([schema(), person(2, visits="NAN"), state(1)]).replace('"NAN"', "NaN")
    assert mailjet.deliver(damaged).outcomes["reasons"] == {"unreadable": 1}
    assert mailjet.retry(properties=["city"]).counts() == {"delivered": 1}
    assert cities(mailjet) == {"person1@example.com": "Lyon"}


def test_a_key_of_several_people_closes_and_replaces_only_by_address(mailjet):
    columns = {name: COLUMNS[name] for name in ("id", "email", "city", "visits")}
    shared = [person(0, email=f"person{number}@example.com", city="Nice") for number in range(3)]
    for row in shared:
        del row["record"]["name"]
    table = schema(columns=columns)
    assert mailjet.deliver([table, *shared, state(1)]).counts() == {"delivered": 3}
    wrong = [{**row, "record": row["record"] | {"visits": "many", "city": "Lyon"}} for row in shared]
    mailjet.deliver([table, *wrong, state(1)])
    assert len(open_rejects(mailjet)) == 3
    newer = {**shared[1], "record": shared[1]["record"] | {"city": "Paris"}}
    mailjet.deliver([table, newer, state(1)])
    assert mailjet.retry(properties=["city"]).counts() == {"delivered": 2}
    assert [*cities(mailjet).values()] == ["Lyon", "Paris", "Lyon"]


def test_a_rejected_deletion_is_sent_again_behind_the_guard(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    gone = person(1, _sdc_deleted_at="perhaps")
    mailjet.deliver([schema(), gone, state(1)])
    assert mailjet.retry().outcomes["reasons"] == {"bad_deletion_mark": 1}
    mailjet.sandbox.mailjet.refuse(["person2@example.com"])
    first = mailjet.deliver([schema(), person(2, _sdc_deleted_at=GONE), state(1)])
    assert first.counts() == {"rejected": 1}
    mailjet.sandbox.mailjet._account.store.refused.clear()
    held = mailjet.retry(codes=["refused_by_provider"], max_removals=0)
    assert "max_removals" in str(held.error)
    assert mailjet.retry(codes=["refused_by_provider"]).outcomes["effects"] == {"removed": 1}
    assert mailjet.statuses().keys() == {"person0@example.com", "person1@example.com"}
    assert [code for _, code, _ in open_rejects(mailjet)] == ["bad_deletion_mark"]


def test_p5_who_opted_out_meanwhile_stays_out(mailjet):
    mailjet.deliver([schema(), *people(range(2)), state(1)])
    mailjet.deliver([schema(), *people(range(2), visits="many", city="Nice"), state(1)])
    mailjet.opt_out("person0@example.com")
    mailjet.retry(properties=["city"])
    assert mailjet.statuses() == {"person0@example.com": "unsubscribed", "person1@example.com": "subscribed"}


def test_p7_what_is_closed_is_overwritten(mailjet, monkeypatch):
    mailjet.deliver([schema(), person(1, visits="canary"), person(2, visits="many"), state(1)])
    settle, left = Journal.settle, []

    def look(self, *arguments, **options):
        numbers = settle(self, *arguments, **options)
        left.append(b"".join(path.read_bytes() for path in mailjet.folder.glob("journal.sqlite*")))
        return numbers

    monkeypatch.setattr(Journal, "settle", look)
    for path in mailjet.folder.glob("rejects/*"):
        path.unlink()
    files = [*mailjet.folder.glob("journal.sqlite*")]
    assert b"canary" in b"".join(path.read_bytes() for path in files)
    mailjet.deliver([schema(), person(1), state(1)])
    assert b"canary" not in left[-1]  # the log beside the file, too, and not only once it is closed
    assert b"canary" not in b"".join(path.read_bytes() for path in mailjet.folder.glob("journal.sqlite*"))
    assert len(open_rejects(mailjet)) == 1


def test_they_are_kept_for_a_time_and_up_to_a_size(mailjet, monkeypatch):
    mailjet.deliver([schema(), *people(range(9), visits="many"), state(1)])
    monkeypatch.setattr(opened, "_MOST_BYTES", 1000)
    monkeypatch.setattr(opened, "_KEPT_BYTES", 800)
    mailjet.deliver([schema(), *people(range(20, 26), visits="many"), state(1)])
    again = mailjet.retry(properties=["city"], mode="plan")
    assert 5 < again.outcomes["rows"] < 12
    with contextlib.closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE open_rejects SET at = at - 86400 * 3")
    assert mailjet.retry(properties=["city"], mode="plan", rejects_keep="P2D").outcomes["rows"] == 0
    assert mailjet.retry(properties=["city"], mode="plan").outcomes["rows"] > 5
    with contextlib.closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as journal, journal:
        journal.execute("UPDATE open_rejects SET at = at - 86400 * 88")
    assert mailjet.retry(properties=["city"]).outcomes["rows"] == 0


def test_a_journal_of_a_version_that_kept_none_keeps_them_from_now_on(mailjet):
    mailjet.deliver([schema(), person(1, visits="many"), state(1)])
    with contextlib.closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as journal, journal:
        journal.execute("DROP TABLE open_rejects")
        journal.execute("DROP TABLE rejected_streams")
    assert mailjet.retry(properties=["city"]).outcomes["rows"] == 0
    mailjet.deliver([schema(), person(1, visits="many"), state(1)])
    assert mailjet.retry(properties=["city"]).counts() == {"delivered": 1}


@pytest.mark.parametrize("limit", [opened._MOST_IN_MEMORY, 2])
def test_it_makes_no_difference_how_many_are_in_memory(mailjet, monkeypatch, limit):
    monkeypatch.setattr(opened, "_MOST_IN_MEMORY", limit)
    mailjet.deliver([schema(), *people(range(9), visits="many"), state(1)])
    mailjet.deliver([schema(), *people(range(4)), *people(range(9, 12), visits="many"), state(1)])
    assert len(open_rejects(mailjet)) == 8
    assert mailjet.retry(properties=["city"], batch_rows=2).counts() == {"delivered": 8}


def test_p5_rows_that_ended_early_are_remembered_however_many(mailjet, monkeypatch):
    monkeypatch.setattr(ended_rows, "_MOST_ENDED", 4)
    mailjet.sandbox.mailjet.refuse(["person0@example.com"])
    out = people(range(8), subscription_status="excluded")
    mailjet.deliver([schema(), person(0), *out, state(1)])
    assert open_rejects(mailjet) == []


def test_the_schema_of_the_tap_counts_and_its_latest(mailjet):
    strict = schema(columns=COLUMNS | {"visits": {"type": "integer"}})
    mailjet.deliver([strict, person(1, visits="7"), state(1)])
    assert mailjet.retry().outcomes["reasons"] == {"schema_invalid": 1}
    mailjet.deliver([schema(), person(2), state(1)])
    assert mailjet.retry().counts() == {"delivered": 1}


def test_p5_a_row_that_follows_an_opt_out_closes_the_reject_of_its_key(mailjet):
    """The journal leaves its key at the old address, which opted out."""
    mailjet.deliver([schema(), person(1), state(1)])
    mailjet.opt_out("person1@example.com")
    wrong = person(1, visits="many")
    mailjet.deliver([schema(), wrong, person(1, email="moved@example.com"), state(1)])
    assert open_rejects(mailjet) == []


def test_a_row_that_changes_nothing_closes_it(mailjet):
    rows = [person(1), person(2)]
    mailjet.deliver([schema(), *rows, state(1)])
    mailjet.deliver([schema(), person(1, visits="many"), state(1)])
    assert len(open_rejects(mailjet)) == 1
    assert mailjet.deliver([schema(), *rows, state(1)]).counts() == {"unchanged": 2}
    assert open_rejects(mailjet) == []


def test_p5_a_removal_that_is_withheld_closes_it(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    mailjet.deliver([schema(), person(1, visits="many"), state(1)])
    mailjet.opt_out("person1@example.com")
    gone = mailjet.deliver([schema(), person(1, _sdc_deleted_at=GONE), state(1)])
    assert gone.counts() == {"withheld": 1}
    assert open_rejects(mailjet) == []
