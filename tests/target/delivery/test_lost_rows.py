"""Whether the row of a batch whose submission is never answered is to blame; the limits of that."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from target_mailing.delivery.lost_rows import MAX_LOST, judged_alone


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        # Once more later, if others may be answered meanwhile, or were.
        ({}, None),
        ({"has_others": True}, "later"),
        ({"under_way": 2}, "later"),
        ({"answered_at": 11.0}, "later"),
        ({"answered_at": 9.0}, None),
        # Then it is known.
        ({"lost": MAX_LOST + 1, "answered_at": 11.0}, "unconfirmed"),
        ({"lost": MAX_LOST + 1, "answered_at": 9.0, "has_others": True, "under_way": 2}, None),
        # No answer, or one that says nothing of a server that fails.
        ({"lost_to": None, "has_others": True, "answered_at": 11.0}, None),
        ({"lost_to": 408, "has_others": True, "answered_at": 11.0}, None),
        # Whatever came in place of an answer, a row may be too large.
        ({"size": 2000}, "too_large"),
        ({"size": 2000, "lost_to": None}, "too_large"),
        ({"size": 2000, "answered_size": 2000}, None),
    ],
)
def test_a_row_is_to_blame_only_if_others_were_answered_since_it_was_lost_first(more, verdict):
    case = {"lost": MAX_LOST, "lost_to": 500, "has_others": False, "under_way": 1, "size": 100} | more
    answered = SimpleNamespace(size=case.get("answered_size", 100), at=case.get("answered_at", -math.inf))
    batch = SimpleNamespace(
        queue=SimpleNamespace(answered=answered, under_way=case["under_way"]),
        rows=[SimpleNamespace(contact=b"x" * case["size"])],
        budget=SimpleNamespace(lost_at=10.0),
        lost=case["lost"],
        lost_to=case["lost_to"],
    )
    found = judged_alone(batch, has_others=case["has_others"])
    assert getattr(found, "code", found) == verdict
