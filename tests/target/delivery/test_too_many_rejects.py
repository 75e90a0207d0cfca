"""`max_rejected`: judged over the rows read, before anything is sent, and not over rows that were rejects before."""

from __future__ import annotations

import pytest

from target_mailing.delivery.reject_limit import RejectLimit
from target_mailing.run.run import TooManyRejectsError
from tests.target.conftest import people, person, schema, state

BAD = {"email": "nobody"}


def jobs(mailjet) -> int:
    return len(mailjet.sandbox.mailjet.jobs())


@pytest.mark.parametrize("limit", ["10%", "50%", 5, "0%"])
def test_too_many_rejects_of_a_small_input_fail_before_anything_is_sent(mailjet, limit):
    rows = [person(number, **(BAD if number < 112 else {})) for number in range(200)]
    for order in (rows, rows[::-1]):
        result = mailjet.deliver([schema(), *order, state(1)], max_rejected=limit)
        assert isinstance(result.error, TooManyRejectsError)
        assert "112 of 200 rows were rejected" in str(result.error)
        assert result.states == []
        assert jobs(mailjet) == 0
    assert len(list(mailjet.folder.glob("rejects/*"))) >= 1


def test_bad_rows_at_the_beginning_only_hold_what_follows(mailjet):
    rows = [*people(range(12), **BAD), *people(range(12, 200))]
    result = mailjet.deliver([schema(), *rows, state(1)], max_rejected="10%", batch_rows=20)
    assert (result.error, result.states) == (None, [1])
    assert result.counts() == {"delivered": 188, "rejected": 12}


@pytest.mark.parametrize("bad", [1, 9])
def test_a_few_rejects_of_a_few_rows_are_no_share(mailjet, bad):
    rows = [*people(range(bad), **BAD), *people(range(bad, 10))]
    result = mailjet.deliver([schema(), *rows, state(1)], max_rejected="10%")
    assert (result.error, result.states) == (None, [1])


@pytest.mark.parametrize("rows", [1, 3])
def test_a_run_that_rejects_every_row_fails(mailjet, rows):
    result = mailjet.deliver([schema(), *people(range(rows), **BAD), state(1)], max_rejected="10%")
    assert isinstance(result.error, TooManyRejectsError)
    assert result.states == []
    assert len(result.rejects) == rows


def test_rows_that_the_provider_refused_count_over_the_rows_read_too(mailjet):
    mailjet.sandbox.mailjet.refuse([f"person{number}@example.com" for number in range(15)])
    result = mailjet.deliver([schema(), *people(range(100)), state(1)], max_rejected="10%", batch_rows=20)
    assert isinstance(result.error, TooManyRejectsError)
    assert "of 100 rows were rejected" in str(result.error)


def test_a_share_is_not_judged_on_rows_that_were_rejects_before(mailjet):
    mailjet.deliver([schema(), *people(range(20), **BAD), state(1)])
    (file,) = mailjet.folder.glob("rejects/*")
    lines = file.read_text().splitlines(keepends=True)
    mended = "".join(lines[:1] + [line.replace("nobody", f"p{at}@example.com") for at, line in enumerate(lines[1:6])])
    result = mailjet.deliver(mended + "".join(lines[6:]), max_rejected="10%")
    assert result.error is None
    assert result.counts() == {"delivered": 5, "rejected": 15}
    assert {one["record"]["_reject_attempt"] for one in result.rejects} == {2}
    counted = mailjet.deliver(file.read_text(), max_rejected=5)
    assert isinstance(counted.error, TooManyRejectsError)


def test_other_rows_beside_a_replay_are_judged_as_ever(mailjet):
    mailjet.deliver([schema(), *people(range(20), **BAD), state(1)])
    (file,) = mailjet.folder.glob("rejects/*")
    others = [schema("others"), *people(range(100, 112), stream="others", **BAD)]
    others += people(range(112, 200), stream="others")
    text = file.read_text() + mailjet.text(others)
    result = mailjet.deliver(text, max_rejected="10%", streams={"others": {}, "people": {}})
    assert isinstance(result.error, TooManyRejectsError)
    assert "32 of 120 rows were rejected (20 of 20 earlier rejects" in str(result.error)


def test_a_share_is_judged_for_good_from_a_thousand_rows_on_and_at_the_end():
    limit = RejectLimit(share=0.1)

    def judged(rejected, read, *, whole=False, strict=False):
        verdict = limit.judge(rejected, rejected_again=0, read=read, read_again=0, whole=whole, strict=strict)
        return verdict.exceeded, verdict.final

    assert judged(100, 999) == (True, False)
    assert judged(101, 1000) == (True, True)
    assert judged(100, 1000) == (False, False)
    assert judged(20, 100, whole=True) == (True, True)
    assert judged(9, 50, whole=True) == (False, False)
    assert judged(10, 50, whole=True) == (True, True)
    assert judged(9, 50, whole=True, strict=True) == (True, True)
    limit = RejectLimit(share=0.0)
    assert judged(1, 50) == (True, True)
