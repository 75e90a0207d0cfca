"""Answers at 80 columns: a path is never broken."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from target_mailing.sections import WIDTH, listing, section, unbroken

PARTS = st.text("ab c.-", min_size=1, max_size=40).map(str.strip).filter(bool)
PATHS = st.lists(PARTS, min_size=1).map(lambda parts: "/" + "/".join(parts))


@given(PATHS, st.text("word ", max_size=100))
def test_a_path_stands_in_one_line_whatever_its_length(path, words):
    lines = [*section(f"Journal: {unbroken(path)} (only read) {words}", [("history", [unbroken(path), words])])]
    assert sum(path in line for line in lines) == 2
    assert sum(path in line for line in listing("", [f"{words} {unbroken(path)}"])) == 1
    assert all(len(line) <= WIDTH for line in section(words, [("history", [words])]))


def test_what_would_act_on_a_terminal_is_replaced_in_a_path_too():
    assert [*section(unbroken("/a \x1b[31m b"))] == ["/a \ufffd[31m b"]
