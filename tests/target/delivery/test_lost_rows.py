"""Whether the row of a batch whose submission is never answered is to blame; the limits of that."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from target_mailing.delivery.batch import Losses
from target_mailing.delivery.lost_rows import MAX_LOST, judged_alone

MORE = MAX_LOST + 1


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        # Nobody else was answered: it waits for others, if there are any.
        ({}, None),
        ({"has_others": True}, "wait"),
        ({"answered_at": 9.0}, None),
        # Another was answered after it failed first: it is sent once more.
        ({"answered_at": 11.0}, "send"),
        ({"answered_at": 11.0, "has_others": True, "lost_to": 503}, "send"),
        # It failed again after that: another must be answered after its last failure.
        ({"lost": MORE, "is_repeated": True, "answered_at": 11.0}, "unconfirmed"),
        ({"lost": MORE, "is_repeated": True, "answered_at": 11.0, "lost_to": 503}, "unconfirmed"),
        ({"lost": MORE, "is_repeated": True, "answered_at": 9.0, "has_others": True}, "wait"),
        ({"lost": MORE, "is_repeated": True, "answered_at": 9.0, "lost_to": 502}, None),
        ({"lost": MORE, "is_repeated": True, "answered_at": 9.0, "lost_to": 503}, None),
        ({"lost": MORE, "is_repeated": True, "answered_at": 9.0, "lost_to": 504}, None),
        # Where no other is left, an error that tells of no outage is enough, after one more attempt.
        ({"is_repeated": True, "answered_at": 9.0}, "send"),
        ({"lost": MORE, "is_repeated": True, "answered_at": 9.0}, "unconfirmed"),
        ({"lost": MORE, "answered_at": 9.0}, None),
        # No answer, or one that says nothing of a server that fails.
        ({"lost_to": None, "has_others": True, "is_repeated": True, "answered_at": 11.0}, None),
        ({"lost_to": 408, "has_others": True, "is_repeated": True, "answered_at": 11.0}, None),
        # Whatever came in place of an answer, a row may be too large.
        ({"size": 2000}, "too_large"),
        ({"size": 2000, "lost_to": None}, "too_large"),
        ({"size": 2000, "answered_size": 2000}, None),
    ],
)
def test_a_row_is_to_blame_only_if_others_were_answered_after_it_failed_last(more, verdict):
    case = {"lost": MAX_LOST, "lost_to": 500, "has_others": False, "is_repeated": False, "size": 100} | more
    answered = SimpleNamespace(size=case.get("answered_size", 100), at=case.get("answered_at", -math.inf))
    batch = SimpleNamespace(
        queue=SimpleNamespace(answered=answered),
        rows=[SimpleNamespace(size=case["size"])],
        losses=Losses(10.0, case["is_repeated"]),
        lost=case["lost"],
        lost_to=case["lost_to"],
    )
    found = judged_alone(batch, has_others=case["has_others"])
    assert getattr(found, "code", found) == verdict
