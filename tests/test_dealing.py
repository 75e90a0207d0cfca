"""Long tests come first for each worker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.dealing import dealt

#: A file, and whether the test is long.
TESTS = st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=60).map(sorted)


def dealt_by_number(tests, workers):
    numbers = dealt(range(len(tests)), workers, is_long=lambda at: tests[at][1], file=lambda at: tests[at][0])
    return [(number, *tests[number]) for number in numbers]


@given(TESTS, st.integers(1, 5))
def test_every_test_runs_once_and_each_file_in_its_order(tests, workers):
    found = dealt_by_number(tests, workers)
    assert sorted(number for number, *_ in found) == [*range(len(tests))]
    for wanted in {*tests}:
        of_file = [number for number, *kind in found if tuple(kind) == wanted]
        assert of_file == sorted(of_file)


def test_each_worker_begins_with_long_tests():
    tests = [(file, file in {3, 4, 7} and number < 2) for file in range(9) for number in range(4)]
    found = dealt_by_number(tests, 3)
    shares = [found[at : at + 12] for at in range(0, 36, 12)]
    assert [[file for _, file, is_long in share if is_long] for share in shares] == [[3, 3], [4, 4], [7, 7]]
    assert all(is_long for share in shares for *_, is_long in share[:2])


def test_more_long_tests_than_a_share_are_kept_together():
    assert dealt([1, 1, 1, 2], 2, is_long=lambda _: True, file=lambda one: one) == [1, 1, 1, 2]
