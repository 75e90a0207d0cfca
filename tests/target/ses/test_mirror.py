"""A contact list of Amazon SES that equals its stream."""

from __future__ import annotations

from tests.target.conftest import COLUMNS, people, person, schema, state

TOTAL = {"total": {"type": "integer"}}


def rows(numbers):
    numbers = [*numbers]
    return [schema(columns=COLUMNS | TOTAL), *people(numbers, total=len(numbers)), state(1)]


def emails(numbers):
    return {f"person{number}@example.com" for number in numbers}


def test_who_is_absent_leaves_and_who_opted_out_stays(either):
    either.config |= {"sync": "mirror", "whole_count": "total"}
    assert either.deliver(rows(range(1, 6))).error is None
    either.add({"email": "person5@example.com", "unsubscribed": True})
    result = either.deliver(rows([1, 2]))
    assert (result.error, result.counts()) == (None, {"unchanged": 2})
    assert {*either.contacts()} == emails([1, 2, 5])
    assert either.seen("person5@example.com")[0]


def test_p9_there_is_no_mirror_of_a_suppression_list(ses):
    settings = {"sync": "mirror", "whole_count": "total", "ses_target": "suppression_list", "list": None}
    error = ses.deliver(rows([1]), **settings).error
    assert "lift a suppression" in str(error)


def test_whom_a_withheld_row_names_by_another_spelling_stays(bare):
    bare.config |= {"sync": "mirror", "whole_count": "total", "route": "direct"}
    table = schema(columns=COLUMNS | TOTAL)
    first = [table, person(1, total=2), person(2, email="ada@xn--bcher-kva.example", total=2), state(1)]
    assert bare.deliver(first).error is None
    named = person(30, email="ada@bücher.example", subscription_status="excluded", total=2)
    assert bare.deliver([table, person(1, total=2), named, state(2)]).counts() == {"unchanged": 1, "withheld": 1}
    assert {*bare.contacts()} == {"person1@example.com", "ada@xn--bcher-kva.example"}
