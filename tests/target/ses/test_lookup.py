"""Whom a reading of a listing did not show is read for again, or asked about, and in how many calls."""

from __future__ import annotations

from operator import itemgetter

import pytest

from mailing_api.errors import UnreadableAnswer
from target_mailing.ses.contact import State
from target_mailing.ses.listing import Listing
from target_mailing.ses.lookup import look_up

MANY = [f"person{n}@example.com" for n in range(30)]
THERE = MANY[:5]
#: By what happens: the people on each page of each reading, and the readings and questions that it takes.
LISTINGS = {
    "an empty list": ([[]], 1, 0),
    "all are there": ([[MANY]], 1, 0),
    "a list that stands still": ([[THERE]], 2, 0),
    "somebody is passed over": ([[THERE[:3]], [THERE], [THERE]], 3, 0),
    "somebody is passed over each time": ([[THERE[:1]], [THERE[:2]], [THERE[:3]]], 3, 27),
    "few are missing": ([[MANY[:15], MANY[15:29]]], 1, 1),
    "a list longer than the rows": ([[THERE, *[["other@example.com"]] * 40]], 1, 25),
}


@pytest.mark.parametrize("name", LISTINGS)
def test_nobody_counts_as_not_there_because_one_reading_did_not_show_them(name):
    readings, most_readings, questions = LISTINGS[name]
    read, asked = [], []

    def pages():
        read.append(1)
        for page in readings[min(len(read), len(readings)) - 1]:
            yield [(email, email) for email in page]

    def ask(email):
        asked.append(email)
        return email if email in THERE else None

    looked = look_up(MANY, read=ask, listing=Listing(pages), both=lambda one, _: one, probe=None)
    assert {*THERE} <= looked.found.keys() or name == "an empty list"
    assert (len(read), len(asked)) == (most_readings, questions)
    assert not looked.refused


def test_two_that_differ_in_case_are_both_taken_the_one_asked_for_first():
    looked = look_up(
        ["Ann@example.com"],
        read=lambda email: [email],
        listing=Listing(lambda: ()),
        both=lambda one, other: sorted(one + other, key=itemgetter(0)),
        probe=None,
    )
    assert looked.found == {"ann@example.com": ["Ann@example.com", "ann@example.com"]}


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"UnsubscribeAll": None},
        {"UnsubscribeAll": 0},
        {"UnsubscribeAll": "false"},
        {"UnsubscribeAll": False, "TopicPreferences": 0},
        {"UnsubscribeAll": False, "TopicPreferences": [{"SubscriptionStatus": "OPT_OUT"}]},
        {"UnsubscribeAll": False, "TopicPreferences": ["News"]},
    ],
)
def test_p5_a_contact_that_does_not_tell_what_it_opted_out_of_is_no_contact(row):
    with pytest.raises(UnreadableAnswer):
        State.of({"EmailAddress": "ada@example.com", **row})
