"""A file that one process holds: no link leads to another file, and the lock outlasts the database."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from mailing_api.storage import locks
from mailing_api.storage.locks import Foreign, HeldFile, Mark
from mailing_api.storage.result_files import begin_draft

MARK = Mark(application_id=1, tables=frozenset({"meta"}))


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "theirs"
    path.write_bytes(b"mine")
    path.chmod(0o644)
    yield path
    assert path.read_bytes() == b"mine"
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_link_that_takes_the_place_of_a_checked_file_is_not_followed(tmp_path, other, monkeypatch):
    path = tmp_path / "journal.sqlite"
    monkeypatch.setattr(locks, "make_private", lambda _: path.symlink_to(other))
    held = HeldFile(path, MARK)
    with pytest.raises(OSError, match="symbolic"):
        held.hold()
    held.let_go(lambda: None)


def test_a_file_stays_locked_until_its_database_is_closed(tmp_path):
    path = tmp_path / "journal.sqlite"
    held, seen = HeldFile(path, MARK), []
    held.hold()
    held.let_go(lambda: seen.append(HeldFile(path, MARK).holder))
    assert seen == ["another process"]  # whose name is gone, as it is about to end
    assert HeldFile(path, MARK).holder is None


@pytest.mark.slow
def test_p9_a_system_without_locks_of_files_locks_for_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_HAS_LOCKS_OF_FILES", False)
    monkeypatch.delattr(fcntl, "F_OFD_SETLK")
    path = tmp_path / "journal.sqlite"
    held = HeldFile(path, MARK)
    held.hold()
    attempt = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0x40000400)"
    command = [sys.executable, "-c", attempt, str(path)]
    try:
        assert HeldFile(path, MARK).holder is None  # such a system does not say
        assert b"BlockingIOError" in subprocess.run(command, capture_output=True, check=False).stderr
    finally:
        held.let_go(lambda: None)
    subprocess.run(command, check=True)


def test_a_draft_that_another_user_puts_there_is_not_written(tmp_path, other, monkeypatch):
    (tmp_path / f".plan.json.{os.getpid()}").symlink_to(other)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # it is there again at once
        with pytest.raises(FileExistsError):
            begin_draft(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("tables", "is_ours"),
    [((), True), (("meta",), False), (("meta", "batches"), True), (("meta", "batches", "more"), True), (("a",), False)],
)
def test_p9_a_database_without_our_mark_is_ours_if_it_has_our_tables_or_none(tmp_path, tables, is_ours):
    path = tmp_path / "journal.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version=1")  # so that the file is not empty
        for name in tables:
            database.execute(f"CREATE TABLE {name} (n)")
        database.commit()
    before = path.read_bytes()
    file = HeldFile(path, Mark(application_id=7, tables=frozenset({"meta", "batches"})))
    if is_ours:
        assert file.check()
    else:
        with pytest.raises(Foreign, match="the database of another program"):
            file.check()
    assert path.read_bytes() == before
