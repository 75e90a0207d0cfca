"""How far the input is read ahead, and what its keys are made of."""

from __future__ import annotations

import io
import queue
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest

from target_mailing.input.key_form import key_form
from target_mailing.input.listed_members import ListedMembers
from target_mailing.input.reader import LineReader
from target_mailing.interface.list_members import Member
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import MemoryStore


class Lines(io.RawIOBase):
    """An input that gives one line at a time."""

    def __init__(self, count):
        self.left = [b"{}\n"] * count

    def read1(self, size):
        return self.left.pop() if self.left else b""

    def fileno(self):
        raise OSError


def test_the_input_is_read_no_further_than_it_is_processed():
    source, taken, ended = Lines(5), queue.Queue(), queue.Queue()
    reader = LineReader(source, take=taken.put, end=ended.put, max_line_bytes=100, credits_=2)
    reader.start()
    numbers = [taken.get(timeout=20).first for _ in range(2)]
    for _ in range(3):
        with pytest.raises(queue.Empty):
            taken.get(timeout=0.005)
        reader.more()
        numbers.append(taken.get(timeout=20).first)
    assert ended.get(timeout=20) is None
    assert numbers == [1, 2, 3, 4, 5]


@pytest.fixture
def journal():
    with closing(Journal(MemoryStore())) as journal:
        yield journal


def form(journal, columns, keys=("id",)):
    schema: Any = SimpleNamespace(stream="people", schema={"properties": columns}, keys=keys)
    return key_form(schema, journal.hashes)


def test_a_key_of_other_columns_or_types_has_another_form_and_null_makes_none(journal):
    whole = form(journal, {"id": {"type": "integer"}, "name": {"type": "string"}})
    for same in ({"type": ["integer", "null"]}, {"type": ["null", "integer"], "title": "ID"}):
        assert form(journal, {"id": same}) == whole
    for other in ({"type": "string"}, {"type": ["integer", "string"]}, {"anyOf": [{"type": "integer"}]}, {}):
        assert form(journal, {"id": other}) != whole
    assert form(journal, {"id": {"anyOf": [1]}}) != form(journal, {"id": {"anyOf": [2]}})
    assert form(journal, {"id": {"type": "integer"}, "name": {"type": "string"}}, ("id", "name")) != whole
    assert form(journal, {}) == form(journal, {"id": None})


def test_members_of_a_list_are_all_there_but_for_those_whose_address_cannot_be_sent(journal):
    usable = ["a@example.com", "B@Example.com", "d\u00e9@example.com", "e@ex\u00e4mple.com"]
    unusable = ["no address", "c@localhost", "'g'@example.com", "h@example.com ", "j@@example.com", "x@example.invalid"]
    pages = [[Member(usable[0]), *map(Member, unusable)], [], [Member(usable[1], opted_out=True)]]
    listed = ListedMembers(journal, "place", [*pages, [*map(Member, usable[2:])]])
    contacts = {member.email: member.contact for some in listed for member in some}
    assert [*contacts] == usable
    assert (listed.count, listed.unusable) == (len(usable) + len(unusable), len(unusable))
    assert journal.absent.strangers.opted_out([*contacts.values()]) == {contacts["B@Example.com"]}
