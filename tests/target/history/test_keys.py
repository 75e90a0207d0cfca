"""Keys in the history: readable, joinable, and never contact data."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.history.keys import KeyColumns, personal_columns
from target_mailing.journal.hashes import Hashes

HASHED = Hashes(b"secret").history_keys()


def key_of(*values, columns=("id", "region"), personal=(), hashed=HASHED):
    """The key that a loader finds, for these values of a row that has others before them."""
    names = columns[: len(values)]
    reader = KeyColumns("people", names, personal=personal, hashed=hashed)
    (member,) = reader.encoded([("before", *values)], at=1)
    assert reader.of_record({"x": 1, **dict(zip(names, values, strict=True))}) == member
    found = json.loads(b"{%b}" % member)
    assert found["stream"] == "people"
    return found["key"]


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ((7,), "7"),
        ((7.0,), "7"),
        ((0.25,), "0.25"),
        (("A-7",), "A-7"),
        (("é\n\"'",), "é\n\"'"),
        (("a\0b",), "a\ufffdb"),
        (("\ud800",), "?"),
        ((True,), "true"),
        ((None,), None),
        ((10**4400,), None),
        (([1, "x"],), '[1,"x"]'),
        (("1+1",), "1+1"),
        (("2026-11-30",), "2026-11-30"),
        ((7, "eu"), '{"id":7,"region":"eu"}'),
        ((7.0, None), '{"id":7,"region":null}'),
        ((True, [1]), '{"id":true,"region":"[1]"}'),
    ],
)
def test_keys_are_as_readable_as_they_were(values, key):
    assert key_of(*values) == key


@pytest.mark.parametrize(
    "value",
    [
        "ada@example.com", "x ada@example.com y", "ada\uff20example.com", "ada\ufe6bexample.com", "ada%40example.com",
        "ada&#64;example.com", "+49 30 1234567", " +1(415)5550123", "tel:+4930123", "TEL:+4930123", "(+49) 1715",
        "[+49 1]", "\uff0b49 171", "\u200b+49 171", "+\u200b49",
    ],
)  # fmt: skip
def test_p7_keys_that_look_like_contacts_are_hashed(value):
    alone, beside = key_of(value), json.loads(key_of(7, value))
    assert alone.startswith("hashed:")
    assert len(alone) == 39
    assert beside == {"id": 7, "region": alone}
    assert (
        key_of([value])
        != key_of([value], hashed=None)
        == json.dumps([value], separators=(",", ":"), ensure_ascii=False)
    )
    assert key_of(value, hashed=None) == value


def test_p7_keys_of_columns_that_are_mapped_to_a_person_are_hashed():
    personal = personal_columns(["id", "email", "phone", "region"], {"first_name": "id", "city": "region"})
    assert personal == {"id", "email", "phone"}
    assert key_of("Ada", personal=personal).startswith("hashed:")
    assert key_of(4930123, personal=personal) == key_of("4930123", personal=personal) != "4930123"
    assert json.loads(key_of(4930123, "Lyon", personal=personal))["region"] == "Lyon"
    assert key_of(None, personal=personal) is None


@pytest.mark.parametrize("column", ["NAME", "Phone", "FIRST_NAME", "firstName", "address-line1"])
def test_p7_names_of_columns_are_compared_whatever_their_case(column):
    assert personal_columns([column, "id"], {}) == {column}


def test_p7_keys_of_which_stream_maps_make_a_persons_fields_are_hashed():
    maps = [{"name": "full_name.upper()", "city": "town"}, {"called": "record['nick-name']", "id": "__NULL__"}]
    columns = ["full_name", "name_full", "town", "nick-name", "id"]
    assert personal_columns(columns, {"first_name": "called"}, maps) == {"full_name", "nick-name"}


def test_what_looks_like_a_hash_is_hashed_if_it_holds_an_address():
    assert "@" not in key_of("hashed:ada@example.com")


def test_the_hash_of_a_key_is_the_same_in_every_stream_and_another_one_in_every_journal():
    other = KeyColumns("other", ["email"], personal=["email"], hashed=Hashes(b"secret").history_keys())
    assert json.loads(b"{%b}" % other.of_record({"email": "a@b.co"}))["key"] == key_of("a@b.co")
    assert key_of("a@b.co", hashed=Hashes(b"another").history_keys()) != key_of("a@b.co")


@pytest.mark.parametrize("spelling", ["Q@Müller.example", " q@xn--mller-kva.example", "<q\uff20müller.example>"])
def test_all_spellings_of_a_mailbox_have_one_hash(spelling):
    assert key_of(spelling) == key_of("q@müller.example") != key_of("r@müller.example")


def test_a_stream_without_a_key_has_none():
    assert json.loads(b"{%b}" % KeyColumns("s", [], personal=(), hashed=HASHED).of_record({}))["key"] is None


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=[])), st.emails(), st.lists(st.integers()),
    st.from_regex(r"\+\d{6,12}", fullmatch=True),
)  # fmt: skip


@pytest.mark.slow
@given(st.integers(1, 3), st.data())
def test_p7_many_keys_are_encoded_like_each_of_them(width, data):
    columns = ["id", "email", "x"][:width]
    rows = data.draw(st.lists(st.tuples(*[VALUES] * width), max_size=9))
    reader = KeyColumns("s", columns, personal=personal_columns(columns, {}), hashed=HASHED)
    together = reader.encoded(rows)
    assert together == [reader.encoded([row])[0] for row in rows]
    for one in together:
        assert b"\n" not in one
        key = json.loads(b"{%b}" % one)["key"]
        assert key is None or ("@" not in key and "\0" not in key and key.encode() is not None)
