"""Old files are deleted by their names and their age; nothing else is."""

from __future__ import annotations

import os
import re

from mailing_api.storage.folders import delete_old

NAMES = re.compile(r"rejects-\d+\.singer")


def test_files_of_a_name_are_deleted_when_they_are_older_and_nothing_else(tmp_path):
    ages = {
        "rejects-1.singer": 11,
        "rejects-2.singer": 9,
        "rejects-x.singer": 99,
        "rejects-3.singer.gz": 99,
        "mine": 99,
    }
    for name, age in ages.items():
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "rejects-4.singer").symlink_to(tmp_path / "mine")
    (tmp_path / "rejects-5.singer").mkdir()
    os.utime(tmp_path / "rejects-5.singer", (0, 0))
    os.utime(tmp_path / "rejects-4.singer", (0, 0), follow_symlinks=False)
    left = {path.name for path in tmp_path.iterdir()} - {"rejects-1.singer"}
    assert delete_old(tmp_path, NAMES, 990) == 1
    assert {path.name for path in tmp_path.iterdir()} == left


def test_a_missing_folder_has_nothing_to_delete(tmp_path):
    assert delete_old(tmp_path / "none", NAMES, 990) == 0
