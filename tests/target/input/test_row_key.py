"""Keys of rows: alike ones at once, the others one by one, with the same result."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.contacts.fields import RowRejected
from target_mailing.input.row_key import RowKey

PARTS = st.one_of(
    st.integers(), st.sampled_from(["a", " a ", "", " ", "\n", "two\nlines"]), st.none(), st.booleans(), st.floats(),
    st.just([1]),
)  # fmt: skip


def of(rows, columns=("a", "b")):
    key = RowKey(columns, 1, lambda encoded: encoded, is_address=False)
    return [f"{one.code}: {one.reason}" if isinstance(one, RowRejected) else one for one in key.of(rows)]


@pytest.mark.parametrize(
    ("key", "encoded"),
    [
        ((7, "a"), b'[7,"a"]'),
        ((7.0, "7"), b'[7,"7"]'),
        ((7.5, True), b"[7.5,true]"),
        ((2**70, "\n."), b'[1180591620717411303424,"\\n."]'),
        ((1, None), "missing_key: key column b is missing, null or blank"),
        ((" ", 1), "missing_key: key column a is missing, null or blank"),
    ],
)
def test_a_key_is_encoded_or_missing(key, encoded):
    assert of([("mark", *key)]) == [encoded]


@given(st.lists(st.tuples(st.just("mark"), PARTS, PARTS), max_size=4))
def test_many_keys_are_what_each_of_them_is(rows):
    assert of(rows) == [one for row in rows for one in of([row])]


def test_a_stream_without_a_key_has_none():
    assert of([("mark",), ("mark",)], ()) == [None, None]
