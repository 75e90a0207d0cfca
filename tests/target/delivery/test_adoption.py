"""Which jobs are believed to be those of batches whose replies were lost, and what tells batches apart."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from target_mailing.delivery.adoption import changed, free_size, owners, sample
from target_mailing.interface.destination import Candidate


def job(name: str, count: int | None = 5, *, is_clean: bool = True) -> Candidate:
    return Candidate(job=name, evidence={}, has_ended=True, is_clean=is_clean, count=count)


@pytest.mark.parametrize(
    ("sizes", "jobs", "found"),
    [
        ([5], [job("a")], {0: "a"}),
        ([5], [job("a", 4)], {}),
        ([5], [job("a"), job("b", 4)], {0: "a"}),
        ([5, 4], [job("b", 4), job("a")], {0: "a", 1: "b"}),
        ([5, 4], [job("a")], {0: "a"}),
        # As many as batches, whichever is whose; one more or one less tells nothing.
        ([5, 5], [job("a"), job("b")], {0: "a", 1: "b"}),
        ([5, 5], [job("a")], {}),
        ([5], [job("a"), job("b")], {}),
        ([5, 5], [job("a"), job("b"), job("c")], {}),
        # One that ended with errors may have any size.
        ([5], [job("a", is_clean=False)], {}),
        ([5], [job("a"), job("b", 2, is_clean=False)], {}),
        # One that shows no count, too.
        ([5], [job("a", None)], {0: "a"}),
        ([5, 4], [job("a", None), job("b", 5)], {0: "b", 1: "a"}),
        ([5, 4], [job("a", None)], {}),
        ([5], [job("a", None), job("b", 4)], {0: "a"}),
        ([5, 4], [job("a", None), job("b"), job("c")], {}),
        ([5, 4, 4], [job("a", None), job("b"), job("c")], {}),
        ([5], [], {}),
    ],
)
def test_p3_a_count_tells_whose_a_job_is_only_if_as_many_jobs_as_batches_have_it(sizes, jobs, found):
    assert {at: one.job for at, one in owners(sizes, jobs).items()} == found


@pytest.mark.parametrize(
    ("rows", "taken", "size"), [(5, [], 5), (5, [4], 5), (5, [5], 4), (5, [5, 4, 2], 3), (2, [2, 1], 2), (1, [1], 1)]
)
def test_no_two_batches_without_a_reply_have_the_same_number_of_rows(rows, taken, size):
    assert free_size(rows, taken) == size


@pytest.mark.parametrize(("rows", "read"), [(0, 0), (1, 1), (5, 5), (6, 3), (5000, 5)])
def test_a_few_rows_are_read_back(rows, read):
    found = sample(range(rows))
    assert len(found) == len({*found}) == read
    assert {*found} <= {*range(rows)}


def test_p3_only_rows_whose_content_the_provider_did_not_have_show_whose_a_job_is():
    rows: Any = [SimpleNamespace(id=number, fingerprint=7, size=number % 4 and 10) for number in range(1, 6)]
    known: Any = {1: SimpleNamespace(fingerprint=7), 2: SimpleNamespace(fingerprint=8)}
    assert changed(rows, range(5), known) == [1, 2, 4]  # the fourth has no content left
    assert changed(rows, [0, 2], known) == [2]
