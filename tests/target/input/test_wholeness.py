"""Whether an input is whole, by its messages alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.input.wholeness import Proof, Wholeness

ROWS = st.integers(0, 4)


def judged(messages, *, counts=False, is_word=False, new=True):
    wholeness = Wholeness()
    for kind, *values in messages:
        getattr(wholeness, kind)(*values)
    return wholeness.verdict("people", counts=counts, is_word=is_word, is_new_version=lambda _: new, knows_keys=True)


def row(version=None, total=None):
    return ("rows", "people", 1, [version]), ("totals", "people", [total])


END = ("state", {}, {"stream": "people", "rows": 2})


@given(st.lists(st.integers(0, 3), max_size=4))
def test_a_count_proves_an_input_only_if_all_rows_say_how_many_came(totals):
    messages = [one for total in totals for one in row(total=total)]
    is_whole = bool(totals) and {*totals} == {len(totals)}
    assert (judged(messages, counts=True, is_word=True).proof is Proof.COUNT) is is_whole


def test_a_count_proves_nothing_where_a_key_came_twice():
    assert judged([*row(total=2), *row(total=2), ("repeated", "people")], counts=True, is_word=True).proof is None
    assert judged([*row(total=2), *row(total=2), ("repeated", "people"), END]).proof is Proof.END


def test_a_count_may_be_a_text_or_a_decimal():
    for total in (1, "1", 1.0):
        assert judged(row(total=total), counts=True).proof is Proof.COUNT
    for total in (None, True, "one", 1.5, "²", -1):
        assert judged(row(total=total), counts=True).proof is None


@given(st.lists(st.sampled_from([*"rrr", "a", "s", "e"]), max_size=6))
def test_an_end_proves_an_input_only_behind_the_last_row(kinds):
    rows = kinds.count("r")
    of = {
        "r": row(7),
        "a": [("activated", "people", 7)],
        "s": [("state", {})],
        "e": [("state", {}, {"stream": "people", "rows": rows})],
    }
    verdict = judged([one for kind in kinds for one in of[kind]])
    last = max((at for at, kind in enumerate(kinds) if kind == "r"), default=-1)
    behind = kinds[last + 1 :]
    if "e" in behind:
        assert verdict.proof is Proof.END
    elif "a" in behind and kinds.count("a") == 1 and rows:
        assert verdict.proof is Proof.VERSION
    else:
        assert verdict.proof is None


@given(st.permutations(["bookmark", "key", "unreadable", "unnamed", "replayed"]), st.integers(1, 4))
def test_nothing_proves_an_input_that_is_refuted(kinds, many):
    of = {
        "bookmark": ("schema", "people", ["updated_at"], ()),
        "key": ("state", {"bookmarks": {"public-people": {"replication_key_value": 5}}}),
        "unreadable": ("unreadable",),
        "unnamed": ("unnamed", "people"),
        "replayed": ("replayed", "people"),
    }
    refuting = [of[kind] for kind in kinds[:many]]
    rows = [*row(7, 2), *row(7, 2)]
    proofs = [("activated", "people", 7), END]
    for messages in ([*refuting, *rows, *proofs], [*rows, *refuting, *proofs], [*rows, *proofs, *refuting]):
        for counts in (True, False):
            assert judged(messages, counts=counts, is_word=True).proof is None
    assert judged([*rows, *proofs]).proof is Proof.END


POSITIONS = [
    {"replication_key": "id"},
    {"partitions": [{"context": {"account": 1}, "replication_key_value": 5}]},
    {"updated_at": "2026-03-05T09:41:07Z"},
    "2026-03-05",
    {"lsn": 5},
]


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("name", ["people", "public-people"])
def test_a_stream_that_its_state_places_somewhere_is_not_whole(position, name):
    state = ("state", {"bookmarks": {"others": {"version": 5}, name: position}})
    for messages in ([state, *row(), *row(), END], [*row(), state, *row(), END], [*row(), *row(), END, state]):
        assert judged(messages, is_word=True).proof is None


@pytest.mark.parametrize("part", [{"xmin": 5}, {"max_pk_values": {"id": 9}, "last_pk_fetched": {"id": 4}}])
def test_a_table_that_its_state_calls_a_part_is_whole_only_after_a_state_that_does_not(part):
    middle = ("state", {"bookmarks": {"public-people": {"version": 7, **part}}})
    over = ("state", {"bookmarks": {"public-people": {"version": 7, **dict.fromkeys(part)}}})
    rows = [*row(7), middle, *row(7), ("activated", "people", 7)]
    assert judged([*rows, over]).proof is Proof.VERSION
    assert judged(rows).proof is None
    assert judged([middle, *rows, over]).proof is None
    assert judged([*rows, over, middle], is_word=True).proof is None


def test_a_position_beside_bookmarks_is_one():
    state = ("state", {"people": {"updated_at": "2026-01-01"}})
    assert judged([*row(), *row(), END, state]).proof is None


def test_a_position_that_is_null_is_none():
    state = {"bookmarks": {"people": {"replication_key": None, "xmin": None, "version": 7}, "others": 3}}
    assert judged([*row(), *row(), END, ("state", state)]).proof is Proof.END


def test_a_version_that_is_not_new_proves_nothing():
    messages = [*row(7), ("activated", "people", 7)]
    assert judged(messages).proof is Proof.VERSION
    assert judged(messages, new=False, is_word=True).proof is None


def test_the_users_word_needs_rows_and_a_state_behind_them_if_any_came():
    assert judged([("state", {})], is_word=True).proof is None
    assert judged(row(), is_word=True).proof is None
    assert judged([*row(), ("state", {})], is_word=True).proof is Proof.WORD
    assert judged([*row(), ("state", {}), *row()], is_word=True).proof is None
