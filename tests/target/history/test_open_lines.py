"""Keys of lines without an outcome: found again whatever order they end in, in little memory and disk."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_mailing.history.open_lines import OpenLines


def part(line):
    return b'"key":%d' % line


@pytest.mark.slow
@given(st.data())
def test_every_line_is_found_once_in_any_order(tmp_path_factory, data):
    with closing(OpenLines(Path(tmp_path_factory.getbasetemp()))) as lines:
        check(lines, data)


def check(lines, data):
    number, left = 1, set()
    for size in data.draw(st.lists(st.integers(1, 6), max_size=8)):
        records = data.draw(st.sets(st.integers(number, number + size - 1)))
        lines.add(number, [part(line) if line in records else b"" for line in range(number, number + size)])
        number += size
        left |= records
        some = sorted(data.draw(st.sets(st.sampled_from(sorted(left))))) if left else []
        assert lines.take(some) == [*map(part, some)]
        left -= {*some}
    assert lines.take(sorted(left)) == [*map(part, sorted(left))]
    assert lines._chunks == lines._firsts == []
    assert lines._size == 0


def test_an_unknown_line_has_no_key(tmp_path):
    lines = OpenLines(tmp_path)
    lines.add(3, [part(3), b"", part(5)])
    unknown = b'"stream":null,"key":null'
    assert lines.take([1, 3, 4, 9]) == [unknown, part(3), unknown, unknown]
    lines.close()


def test_lines_that_end_at_once_are_not_written(tmp_path):
    lines = OpenLines(tmp_path)
    for first in range(1, 100, 10):
        numbers = range(first, first + 10)
        lines.add(first, [*map(part, numbers)])
        assert lines.take([*numbers]) == [*map(part, numbers)]
    assert lines._file is None
    lines.close()


def test_the_file_has_no_name_and_is_emptied(tmp_path):
    lines = OpenLines(tmp_path)
    lines.add(1, [part(1)])
    lines.add(2, [part(2)])
    assert [*tmp_path.iterdir()] == []
    assert os.fstat(lines._file.fileno()).st_size == len(part(1))
    lines.take([1])
    assert os.fstat(lines._file.fileno()).st_size == 0
    lines.close()


def test_a_folder_that_cannot_be_written_is_an_error_of_the_disk(tmp_path):
    lines = OpenLines(tmp_path / "none")
    lines.add(1, [part(1)])
    with pytest.raises(OSError, match="No such file"):
        lines.add(2, [part(2)])
