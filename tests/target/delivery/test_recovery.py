"""Which batches of an earlier run are followed, and which are sent again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from target_mailing.delivery.closing import CLOSING
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.recovery import arrivals, can_resume

UPLOAD = SimpleNamespace(name="upload", repeatable=True, sends=False)
PUT = SimpleNamespace(name="put", repeatable=True, sends=True)
SUBMIT = SimpleNamespace(name="submit", repeatable=False, sends=False)
READ_BACK = SimpleNamespace(name="read_back", repeatable=True, sends=False)
STEPS: Any = (UPLOAD, PUT, SUBMIT)


class Destination:
    def __init__(self, *, resumes=True, reads_back=True):
        self.resumes = resumes
        self.reads_back = reads_back

    def can_resume(self, route, steps):
        return self.resumes

    def read_back(self, finished, positions):
        return READ_BACK if self.reads_back else None


def stored(*names, route="csv") -> Any:
    return SimpleNamespace(number=3, route=route, steps=dict.fromkeys(names))


@pytest.mark.parametrize(
    ("batch", "destination", "is_followed"),
    [
        (stored("upload", "submit"), Destination(), True),
        (stored("submit", "read_back"), Destination(), True),
        (stored("upload"), Destination(), False),
        (stored("upload", "put"), Destination(), False),
        (stored("upload", "read_back"), Destination(), False),
        (stored(), Destination(), False),
        (stored("submit", route=CLOSING), Destination(), False),
        (stored("submit"), Destination(resumes=False), False),
        (stored("gone"), Destination(resumes=False), False),
    ],
)
def test_p3_a_batch_is_followed_if_a_step_was_begun_that_must_not_be_repeated(batch, destination, is_followed):
    assert can_resume(destination, batch, STEPS) is is_followed


@pytest.mark.parametrize(
    ("names", "reads_back", "left"), [(("upload", "gone"), True, "gone"), (("upload", "read_back"), False, "read_back")]
)
def test_p9_a_step_that_there_is_no_longer_is_named(names, reads_back, left):
    with pytest.raises(DeliveryFailed, match=f"Batch 3 .* at step '{left}'"):
        can_resume(Destination(reads_back=reads_back), stored(*names), STEPS)


@pytest.mark.parametrize(("names", "may_have"), [(("upload",), False), (("upload", "put"), True), (("submit",), False)])
def test_p3_rows_may_have_arrived_where_a_step_that_sends_was_begun(names, may_have):
    batch: Any = SimpleNamespace(rows=["row"], steps=STEPS)
    assert [*arrivals(batch, stored(*names))] == (["row"] if may_have else [])
