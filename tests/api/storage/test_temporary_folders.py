"""Temporary folders of processes that were killed are removed, and no others."""

from __future__ import annotations

import os
import tempfile

import pytest

from mailing_api.storage import temporary_folders
from mailing_api.storage.temporary_folders import make_owned, remove_left


@pytest.fixture(autouse=True)
def _place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_folder_stays_while_its_process_holds_it(tmp_path):
    folder, owner = make_owned("ours-")
    (folder / "copy").write_text("private")
    assert folder.stat().st_mode & 0o777 == 0o700
    remove_left("ours-")
    assert (folder / "copy").exists()
    os.close(owner)  # as the end of the process does
    remove_left("others-")
    assert folder.exists()
    remove_left("ours-")
    assert [*tmp_path.iterdir()] == []


def test_what_is_no_folder_of_ours_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "owner.lock").touch()
    (tmp_path / "ours-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "ours-file").touch()
    (tmp_path / "ours-new").mkdir()  # not locked yet
    (tmp_path / "ours-fifo").mkdir()
    os.mkfifo(tmp_path / "ours-fifo" / "owner.lock")
    before = {*tmp_path.iterdir()}
    remove_left("ours-")
    assert {*tmp_path.iterdir()} == before
    assert (tmp_path / "elsewhere" / "owner.lock").exists()


@pytest.mark.parametrize("when", ["before the lock", "while it is locked"])
def test_a_folder_that_another_process_removes_while_it_is_made_is_made_anew(tmp_path, monkeypatch, when):
    lock_file = temporary_folders.lock_file
    meanwhile = []

    def lock(descriptor):
        if meanwhile:
            return lock_file(descriptor)
        meanwhile.append(descriptor)
        if when == "before the lock":
            remove_left("ours-")
            return lock_file(descriptor)
        other = os.open(next(tmp_path.glob("ours-*/owner.lock")), os.O_RDWR)
        try:
            return lock_file(other) and lock_file(descriptor)
        finally:
            os.close(other)

    monkeypatch.setattr(temporary_folders, "lock_file", lock)
    folder, owner = make_owned("ours-")
    remove_left("ours-")
    assert [*tmp_path.iterdir()] == [folder]
    os.close(owner)
