"""History files: whole lines only, whatever ends the run that writes them."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailing_api.storage.folders import delete_old
from target_mailing.history.file import NAMES, HistoryFile, complete_left


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def left_behind(folder, content):
    """The file of a run that was killed."""
    path = folder / "history-1.singer.part"
    path.write_bytes(content)
    return path.with_name("history-1.singer")


def test_a_file_has_its_name_when_its_run_has_ended(tmp_path):
    file = HistoryFile(tmp_path / "a/b", "1")
    file.append(b"1\n")
    assert names(tmp_path / "a/b") == ["history-1.singer.part"]
    assert complete_left(tmp_path / "a/b") == 0
    file.append(b"2\n")
    file.finish(is_hurried=False)
    assert names(tmp_path / "a/b") == ["history-1.singer"]
    assert file.path.read_bytes() == b"1\n2\n"
    assert (file.path.stat().st_mode & 0o777, (tmp_path / "a").stat().st_mode & 0o777) == (0o600, 0o700)


LINES = st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"") + b"\n")


@given(lines=st.lists(LINES, min_size=1), cut=st.data())
def test_a_file_that_a_killed_run_left_is_cut_to_whole_lines(tmp_path_factory, lines, cut):
    folder = tmp_path_factory.mktemp("left")
    content = b"".join(lines)
    size = cut.draw(st.integers(0, len(content)))
    path = left_behind(folder, content[:size])
    os.utime(folder / "history-1.singer.part", (1, 1))
    whole = content[:size][: content[:size].rfind(b"\n") + 1]
    assert complete_left(folder) == (whole != b"")
    assert (path.read_bytes() if path.exists() else b"") == whole
    assert complete_left(folder) == 0


def test_a_last_line_of_many_blocks_is_cut(tmp_path):
    path = left_behind(tmp_path, b"first\n" + b"x" * 200_000)
    assert complete_left(tmp_path) == 1
    assert path.read_bytes() == b"first\n"


def test_an_empty_file_may_be_of_a_run_that_begins(tmp_path):
    left_behind(tmp_path, b"")
    assert complete_left(tmp_path) == 0
    assert names(tmp_path) == ["history-1.singer.part"]
    os.utime(tmp_path / "history-1.singer.part", (1, 1))
    assert complete_left(tmp_path) == 0
    assert names(tmp_path) == []


def test_a_link_is_not_followed(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"not ours")
    (tmp_path / "history-1.singer.part").symlink_to(other)
    assert complete_left(tmp_path) == 0
    assert other.read_bytes() == b"not ours"


def test_a_piece_that_does_not_fit_is_taken_back(tmp_path, monkeypatch):
    file = HistoryFile(tmp_path, "1")
    file.append(b"first\n")
    write = os.write

    def full(descriptor, data):
        if len(data) > 3:
            return write(descriptor, data[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        file.append(b"second\n")
    file.finish(is_hurried=True)
    assert file.path.read_bytes() == b"first\n"


def test_old_files_are_deleted(tmp_path):
    run, of_others = "20261130T191954.091295Z-097aab62", ["history-mine.singer", "mine.singer"]
    old, new = f"history-{run}.singer", f"history-{run[:-1]}3.singer"
    for name, age in ((old, 99), (new, 1), *((name, 99) for name in of_others)):
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / old.replace("097", "197")).symlink_to(tmp_path / "mine.singer")
    assert delete_old(tmp_path, NAMES, 990) == 1
    assert names(tmp_path) == sorted([new, *of_others, old.replace("097", "197")])
    assert delete_old(tmp_path / "missing", NAMES, 990) == 0
