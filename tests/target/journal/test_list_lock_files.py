"""The files of list locks: whose they are, what they tell the next run, and when they are let go."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.journal.list_locks import ListLocks


class Journal:
    """A journal without a database."""

    def __init__(self, name, place):
        self.name = name
        self.place = str(place)

    def hold_list(self, name):
        return None

    def check(self):
        pass


@pytest.fixture
def run(tmp_path):
    """A run that takes the lock of a list, with a journal of this name in its file, or in none."""

    def take(name="", *, lists=("mail account list",), **options):
        place = tmp_path / (name or "none")
        place.write_text("")
        locks = ListLocks(tmp_path / "locks", Journal(name, place), **options)
        locks.take("mail: list", lists)
        return closing(locks)

    return take


def test_one_run_at_a_time_has_a_list_and_any_number_have_others(run):
    with run("one"), run("two", lists=["mail account other"]):
        with pytest.raises(ConfigurationError, match=rf"another run \(process {os.getpid()} on .* another journal"):
            run("two")
        with run("three", lists=["mail account third"]):
            pass
    with run("two"):
        pass


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [("one", "two", True), ("one", "one", False), ("", "one", False), ("one", "", False), ("", "", False)],
)
def test_a_run_is_told_of_the_journal_of_the_last_one_if_both_have_one(run, caplog, before, after, is_told):
    for name in (before, after):
        with run(name):
            pass
    assert ("had another journal" in caplog.text) is is_told


def test_a_plan_leaves_the_note_of_the_last_run(run, caplog):
    with run("one"):
        pass
    with run("two", leaves_note=False):
        pass
    caplog.clear()
    with run("one"):
        pass
    assert "had another journal" not in caplog.text


def test_a_warning_comes_once_for_each_destination(run, caplog):
    lists = ["mail account list", "mail account other"]
    with run("one", lists=lists):
        pass
    with run("two", lists=lists):
        pass
    assert caplog.text.count("had another journal") == 1


def test_a_file_of_another_user_is_neither_locked_nor_written(run, tmp_path, monkeypatch):
    with run("one"):
        pass
    (path,) = (tmp_path / "locks").iterdir()
    before = path.read_bytes()
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with run("two"), run("three"):
        assert path.read_bytes() == before


def test_no_file_stays_open_after_a_lock_that_another_run_has(run):
    with run("one"):
        before = len([*Path("/dev/fd").iterdir()])
        for _ in range(3):
            with pytest.raises(ConfigurationError):
                run("two")
        assert len([*Path("/dev/fd").iterdir()]) == before
