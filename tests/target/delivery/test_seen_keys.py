"""Keys seen in a run: none is forgotten, however many come."""

from __future__ import annotations

import random

import pytest

from target_mailing.delivery import seen_keys
from target_mailing.delivery.seen_keys import SeenKeys


def test_keys_that_came_before_and_after_a_question_are_known(monkeypatch):
    monkeypatch.setattr(seen_keys, "_RECENT", 3)
    keys = [b"%016d" % number for number in range(60)]
    seen = SeenKeys()
    for at, key in enumerate(keys):
        seen.update([key])
        if at % 7 == 0:
            assert all(one in seen for one in keys[: at + 1])
            assert not any(one in seen for one in keys[at + 1 :])


@pytest.mark.slow
def test_every_key_that_came_is_known_and_no_other():
    draw = random.Random(1)
    keys = [draw.randbytes(16) for _ in range(70_000)]
    seen = SeenKeys()
    for begin in range(0, 60_000, 700):
        seen.update(keys[begin : min(begin + 700, 60_000)])
    assert all(key in seen for key in keys[:60_000])
    assert not any(key in seen for key in keys[60_000:])


def test_p8_keys_move_from_the_set_into_arrays_which_are_merged(monkeypatch):
    monkeypatch.setattr(seen_keys, "_RECENT", 10)
    seen = SeenKeys()
    for number in range(0, 1000, 5):
        seen.update(b"%d" % one for one in range(number, number + 5))
        assert len(seen._recent) < 10
        assert b"%d" % (number // 2) in seen
    assert sum(map(len, seen._sorted)) == 1000
    assert len(seen._sorted) < 3 * seen_keys._AT_ONCE
