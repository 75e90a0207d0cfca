"""Two listings in order of one key, matched in bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tap_mailing.mailjet.stream import ids
from tap_mailing.streams.merge import matched

KEYS = st.sets(st.integers(0, 60)).map(sorted)


def paged(keys, size, name):
    rows = [{"ID": key, "of": name} for key in keys]
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@given(left=KEYS, right=KEYS, sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_every_row_meets_the_row_with_its_key(left, right, sizes):
    found = list(matched(paged(left, sizes[0], "left"), paged(right, sizes[1], "right"), ids))
    assert [row for page, _ in found for row in page] == [row for page in paged(left, 1, "left") for row in page]
    pairs = {row["ID"]: other for page, others in found for row, other in zip(page, others, strict=True)}
    assert pairs == {key: {"ID": key, "of": "right"} if key in right else None for key in left}


def test_rows_that_belong_to_no_page_are_not_kept():
    alive = set()

    class Counted(dict):
        def __init__(self, key):
            super().__init__(ID=key)
            alive.add(key)

        def __del__(self):
            alive.discard(self["ID"])

    def others():
        for start in range(0, 100_000, 100):
            yield [Counted(key) for key in range(start, start + 100)]
            assert len(alive) < 500

    pages = [[{"ID": key}] for key in (*range(0, 3000, 7), 50_000, 50_001, 99_999)]
    assert all(
        row == other for page, found in matched(pages, others(), ids) for row, other in zip(page, found, strict=True)
    )
