"""Phrases that are not plain English are found wherever a reader meets them, and nowhere else."""

from __future__ import annotations

import pytest

from tools.phrases import hits, is_exempt, read_list, report

EXEMPT, PHRASES = read_list(
    "# a comment\nexempt docs/\nexempt target/*\nexempt README.md\n\ngribble(d)? -> fix\ngo on -> continue\n"
)


def lines(path, source):
    return [hit.line for hit in hits(path, source, PHRASES)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\n# Gribble it.\n", [2]),
        ('"""The run can go\non."""\n', [1]),
        ('x = 1\nraise ValueError(f"{x} must be gribbled")\n', [2]),
        ("# The run can go\n# on.\n", [1]),
        ("gribble = go(on)  # gribbleds\n", []),
    ],
    ids=["comment", "docstring", "f-string", "two lines of comment", "names"],
)
def test_phrases_are_found_in_comments_and_strings(source, expected):
    assert lines("module.py", source) == expected


def test_phrases_are_found_in_pages_but_not_in_code():
    page = "# Title\n\n```\ngribble\n```\n\nUse `gribble` or [this](gribble.md).\nThen go\non.\n"
    assert lines("page.md", page) == [8]


def test_files_and_folders_are_exempt():
    exempt = [
        one for one in ("docs/a.md", "target/a.py", "README.md", "target/x/a.py", "a.md") if is_exempt(one, EXEMPT)
    ]
    assert exempt == ["docs/a.md", "target/a.py", "README.md"]


@pytest.mark.slow
def test_this_repository_has_no_such_phrase():
    assert report() == []
