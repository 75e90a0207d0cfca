"""A run that rejects the same rows again does not write them into one more file."""

from __future__ import annotations

import pytest

from tests.target.conftest import people, person, schema, state

BAD = {"email": "nobody"}


def files(mailjet):
    return sorted(mailjet.folder.glob("rejects/*"))


def records(result):
    return [(one["record"]["id"], one["record"]["_reject_attempt"]) for one in result.rejects]


@pytest.mark.slow
def test_each_current_reject_is_in_one_file_however_often_the_input_comes(mailjet):
    messages = [schema(), person(1, **BAD), person(2), state(1)]
    assert records(mailjet.deliver(messages)) == [(1, 1)]
    for _ in range(2):
        again = mailjet.deliver(messages)
        assert again.counts() == {"unchanged": 1, "rejected": 1}
        assert again.states == [1]
    (file,) = files(mailjet)
    assert f"1 reject as before: {file}" in again.log
    more = mailjet.deliver([schema(), person(1, **BAD), person(3, **BAD), state(2)])
    assert records(more) == [(3, 1)]


def test_too_many_rejects_name_the_files_that_hold_them(mailjet):
    messages = [schema(), person(1, **BAD), state(1)]
    first = mailjet.deliver(messages, max_rejected=0)
    (file,) = files(mailjet)
    again = mailjet.deliver(messages, max_rejected=0)
    both = mailjet.deliver([*messages, person(2, **BAD)], max_rejected=0)
    (new,) = {*files(mailjet)} - {file}
    assert [str(one.error).partition(" See ")[2] for one in (first, again, both)] == [
        f"{file}.",
        f"{file}.",
        f"{new}, {file}.",
    ]


@pytest.mark.parametrize(
    "change", [{"email": "nobody else"}, {"city": "Bonn"}, {"properties": 7, "email": "p1@x.test"}]
)
def test_a_row_that_changed_or_is_rejected_for_something_else_is_written_again(mailjet, change):
    mailjet.deliver([schema(), person(1, **BAD), state(1)])
    assert records(mailjet.deliver([schema(), person(1, **BAD | change), state(2)])) == [(1, 1)]


def test_a_reject_whose_file_was_deleted_is_written_again(mailjet):
    messages = [schema(), person(1, **BAD), state(1)]
    mailjet.deliver(messages)
    files(mailjet)[0].unlink()
    assert records(mailjet.deliver(messages)) == [(1, 1)]


@pytest.mark.slow
def test_what_is_rejected_again_when_piped_back_moves_to_the_new_file(mailjet):
    messages = [schema(), *people([1, 2], **BAD), state(1)]
    mailjet.deliver(messages)
    (first,) = files(mailjet)
    assert records(mailjet.deliver(first.read_text())) == [(1, 2), (2, 2)]
    assert records(mailjet.deliver(first.read_text())) == []
    first.unlink()
    assert records(mailjet.deliver(messages)) == []
    (second,) = files(mailjet)
    assert records(mailjet.deliver(second.read_text())) == [(1, 3), (2, 3)]


def test_equal_rows_are_one_reject(mailjet):
    result = mailjet.deliver([schema(), person(1, **BAD), person(1, **BAD), state(1)])
    assert result.counts() == {"rejected": 2}
    assert records(result) == [(1, 1)]


def test_without_a_journal_every_run_writes_its_rejects(mailjet):
    for _ in range(2):
        result = mailjet.deliver(
            [schema(), person(1, **BAD), state(1)], journal="off", rejects_path=str(mailjet.folder / "rejects")
        )
        assert records(result) == [(1, 1)]
