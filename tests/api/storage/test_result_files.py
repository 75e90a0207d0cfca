"""Files that replace an earlier one: drafts are private and begin anew, and nothing but a file is read."""

from __future__ import annotations

import os

import pytest

from mailing_api.storage.result_files import begin_draft, beginning


def test_a_draft_is_private_and_takes_the_place_of_one_that_was_left(tmp_path):
    path = tmp_path / "new" / "plan.json"
    for content in (b"left by a kill", b"new"):
        draft, file = begin_draft(path)
        with file:
            file.write(content)
    assert (draft.parent, draft.read_bytes(), draft.stat().st_mode & 0o777) == (path.parent, b"new", 0o600)


def test_the_beginning_of_a_file_is_read_and_of_nothing_else(tmp_path):
    assert beginning(tmp_path / "none", 5) is None
    (tmp_path / "file").write_bytes(b"0123456789")
    assert beginning(tmp_path / "file", 5) == b"01234"
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(OSError):  # noqa: PT011 - it says nothing
            beginning(tmp_path / name, 5)
