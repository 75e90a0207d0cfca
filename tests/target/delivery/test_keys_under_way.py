"""Which address a key is on its way to: its last row tells, whichever of its rows end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.delivery.keys_under_way import KeysUnderWay
from target_mailing.row import Row

KEY, OTHER = b"key", b"other"
NOT_DELETED = False
ROWS = st.lists(st.tuples(st.sampled_from([KEY, OTHER]), st.sampled_from(["a@x.test", "A@x.test", "b@x.test"]),
                          st.booleans()), max_size=8)  # fmt: skip


def row(email: str, key: bytes | None = KEY, *, drops_key: bool = False) -> Row:
    return Row((1,), "s", key, drops_key, email, email.lower(), 0, "add", b"", 0, None)


def held(*rows: Row) -> KeysUnderWay:
    keys = KeysUnderWay()
    for one in rows:
        keys.hold(one)
    return keys


def test_an_older_row_that_ends_does_not_release_a_newer_one_of_the_same_address():
    first, second, third = row("a@x.test"), row("b@x.test"), row("A@x.test")
    keys = held(first, second, third)
    for ended in (first, second):
        keys.let_go([ended])
        assert keys.coming_to(KEY) == "A@x.test"
    keys.let_go([third])
    assert keys.coming_to(KEY) is None


def test_a_delete_that_ends_does_not_release_a_newer_delete():
    first, back, second = row("a@x.test", drops_key=True), row("a@x.test"), row("a@x.test", drops_key=True)
    keys = held(first, back, second)
    keys.let_go([first])
    assert keys.leaving_from(KEY) == "a@x.test"
    keys.let_go([back, second])
    assert not keys.is_leaving(KEY)
    assert not keys.is_coming(KEY)


def test_a_row_without_key_releases_the_keys_of_those_that_it_superseded():
    earlier, later = row("a@x.test"), row("a@x.test", key=None)
    keys = held(earlier, later)
    later.supersede(earlier)
    keys.let_go([later])
    assert not keys.is_coming(KEY)


@pytest.mark.slow
@given(rows=ROWS, data=st.data())
def test_whatever_ends_the_last_row_of_a_key_counts_until_it_ended(rows, data):
    under_way = [row(email, key, drops_key=drops) for key, email, drops in rows]
    keys = held(*under_way)
    while under_way:
        last = {one.key: one for one in under_way}
        coming = {one.key: one.email for one in under_way if not one.drops_key}
        for key, one in last.items():
            assert keys.coming_to(key) == coming.get(key)
            if one.drops_key:
                assert keys.leaving_from(key) == one.email
            else:
                assert not keys.is_leaving(key)
        # Rows of one address end in their order, and so do rows of one key.
        addresses = {one.address: one for one in reversed(under_way)}
        of_keys = {one.key: one for one in reversed(under_way)}
        ready = [one for one in under_way if addresses[one.address] is one and of_keys[one.key] is one]
        ended = ready[data.draw(st.integers(0, len(ready) - 1))]
        under_way.remove(ended)
        keys.let_go([ended])
