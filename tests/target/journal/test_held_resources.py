"""Keys and contacts of rows that wait are found again, and take no memory however often they are looked up."""

from __future__ import annotations

import gc
import sys
from contextlib import closing

import pytest

from target_mailing.journal import held_resources
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import MemoryStore


@pytest.fixture
def held():
    with closing(Journal(MemoryStore())) as journal:
        yield journal.held


@pytest.mark.parametrize(("recent", "looked_up"), [(1, 0), (3, 4), (16_384, 65_536)])
def test_held_resources_are_found_with_their_latest_contacts(held, monkeypatch, recent, looked_up):
    monkeypatch.setattr(held_resources, "_RECENT", recent)
    monkeypatch.setattr(held_resources, "_LOOKED_UP", looked_up)
    keys = [b"key %04d" % number for number in range(6)]
    assert not held
    assert held.look_up([*keys, 1, 2]) == []
    for number, key in enumerate(keys):
        held.put(key, number)
        held.put(-number)
        held.put(keys[0], 100 + number)
    assert held
    assert held.look_up([b"other key", *keys, -5, 5, 0]) == [*keys, -5, 0]
    assert [held.get(key) for key in keys] == [105, 1, 2, 3, 4, 5]
    assert (held.get(b"other key"), held.get(7), held.get(-3)) == (None, None, 0)


def test_p8_looking_up_leaves_nothing_to_the_garbage_collector(held, monkeypatch):
    monkeypatch.setattr(held_resources, "_RECENT", 1)
    monkeypatch.setattr(held_resources, "_LOOKED_UP", 0)
    held.put(1)
    held.look_up(range(1_000))
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        for _ in range(5):
            held.look_up(range(1_000))
        assert sys.getallocatedblocks() - before < 500
    finally:
        gc.enable()
