"""Rows under way: their contacts and lines are on disk, and nothing else of the input stays in memory."""

from __future__ import annotations

import errno
import os
import weakref

import pytest

from target_mailing.delivery.following import Following
from target_mailing.delivery.packed_rows import PackedRows
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.input.intake import Intake
from target_mailing.rows.row import Row
from target_mailing.rows.spool import Kept, Spool
from tests.target.conftest import person, schema, state


@pytest.fixture
def seen(monkeypatch):
    """The rows of the batches that begin, and whether any chunk of lines outlives its handling."""
    rows: list[Row] = []
    chunks = []

    def following(queue, *, ending, begin=DestinationQueue.next_batch):
        found = begin(queue, ending=ending)
        rows.extend(found[2] if found else ())
        return found

    def taking(intake, lines, take=Intake.take):
        chunks.append(weakref.ref(lines))
        take(intake, lines)

    monkeypatch.setattr(DestinationQueue, "next_batch", following)
    monkeypatch.setattr(Intake, "take", taking)
    return rows, chunks


def test_p8_rows_of_a_batch_hold_neither_their_content_nor_the_input(mailjet, seen):
    rows, chunks = seen
    mailjet.config["batch_rows"] = 40
    people = [person(number, name=None) for number in range(100)]
    assert mailjet.deliver([schema(), *people, state(1)]).counts() == {"delivered": 100}
    assert {row.line for row in rows} == {*range(2, 102)}
    assert all(isinstance(row.held, Kept) and not row.raw for row in rows)
    assert chunks
    assert not any(chunk() for chunk in chunks)


def test_p8_rows_whose_job_is_followed_are_packed(mailjet, monkeypatch):
    rows = []

    def beginning(following, batch, begin=Following.begin):
        rows.append(type(batch.rows))
        begin(following, batch)

    monkeypatch.setattr(Following, "begin", beginning)
    mailjet.deliver([schema(), *[person(number, name=None) for number in range(9)], state(1)], batch_rows=5)
    assert rows == [PackedRows, PackedRows]


def test_what_a_changed_address_needs_later_is_on_disk_and_a_reject_has_its_line(mailjet, seen):
    rows, _ = seen
    mailjet.deliver([schema(), person(1, name=None), state(1)])
    mailjet.sandbox.mailjet.refuse(["new@example.com"])
    result = mailjet.deliver([schema(), person(1, email="new@example.com", name=None, city="Bonn"), state(2)])
    assert [row.action for row in rows[1:]] == ["remove", "addnoforce"]
    assert all(isinstance(row.held, Kept) and not row.raw for row in rows)
    assert [one["record"]["city"] for one in result.rejects] == ["Bonn"]


def test_p9_a_full_disk_is_one_error_and_the_next_run_delivers_all(mailjet, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    people = [person(number, name=None) for number in range(5)]
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        result = mailjet.deliver([schema(), *people, state(1)])
    assert "cannot hold the rows under way" in str(result.error)
    assert (result.states, mailjet.members()) == ([], {})
    assert mailjet.deliver([schema(), *people, state(1)]).counts() == {"delivered": 5}
    assert len(mailjet.members()) == 5


def test_p8_a_run_that_has_ended_gives_up_the_file(mailjet, monkeypatch):
    spools = []
    made = Spool.__init__
    monkeypatch.setattr(Spool, "__init__", lambda spool, folder: (spools.append(spool), made(spool, folder))[1])
    mailjet.deliver([schema(), person(1, name=None), state(1)])
    assert [spool._file.closed for spool in spools if spool._file is not None] == [True]
