"""What leaves the journal leaves it when the batch settles, and what was deleted is forgotten in time."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

from target_mailing.command import free_space
from target_mailing.journal import runs
from target_mailing.journal.journal import Journal
from tests.target.conftest import person, schema, state

GONE = {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}


def on_disk(folder):
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.name.startswith("journal.sqlite"))


@pytest.mark.parametrize("after", ["a run", "a run whose rows are in an index", "nothing"])
@pytest.mark.parametrize(
    ("columns", "stays"),
    [
        (GONE | {"email": None}, b""),
        (GONE | {"email": "canary@example.com"}, b""),
        ({"email": "moved@example.com"}, b"moved@example.com"),
    ],
)
def test_p7_an_address_leaves_the_journal_with_its_key(mailjet, monkeypatch, columns, stays, after):
    add = [person(1, email="canary@example.com"), person(2)]
    leave = [person(1, **columns)]
    if after != "a run":
        monkeypatch.setattr(runs, "_RUN_AT", 1)
    if after == "nothing":
        assert mailjet.deliver([schema(), *add, *leave, state(1)], batch_rows=1).error is None
    else:
        assert mailjet.deliver([schema(), *add, state(1)]).error is None
        assert b"canary" in on_disk(mailjet.folder)
        # The log beside the file, too, and not only once it is closed.
        settle, left = Journal.settle, []

        def look(self, *arguments, **options):
            numbers = settle(self, *arguments, **options)
            left.append(on_disk(mailjet.folder))
            return numbers

        monkeypatch.setattr(Journal, "settle", look)
        assert mailjet.deliver([schema(), *leave, state(1)]).error is None
        assert b"canary" not in left[-1]
    found = on_disk(mailjet.folder)
    assert b"canary" not in found
    assert stays in found
    assert b"person2@example.com" in found


@pytest.mark.slow
def test_a_deleted_key_is_remembered_and_then_forgotten(mailjet, monkeypatch):
    gone = {"type": "RECORD", "stream": "people", "record": {"id": 1} | GONE}
    assert mailjet.deliver([schema(), person(1), state(1)]).counts() == {"delivered": 1}
    assert mailjet.deliver([schema(), gone, state(1)]).counts() == {"delivered": 1}
    assert mailjet.deliver([schema(), gone, state(1)]).counts() == {"unchanged": 1}
    given = time.time
    monkeypatch.setattr(time, "time", lambda: given() + 30 * 86_400)
    again = mailjet.deliver([schema(), gone, state(1)])
    assert again.outcomes["reasons"] == {"unknown_key": 1}


def test_entries_of_the_log_are_forgotten_in_time(mailjet, monkeypatch):
    assert mailjet.deliver([schema(), person(1), state(1)]).counts() == {"delivered": 1}
    assert mailjet.deliver([schema(), person(1), state(1)]).counts() == {"unchanged": 1}
    given = time.time
    monkeypatch.setattr(time, "time", lambda: given() + 30 * 86_400)
    assert mailjet.deliver([schema(), person(1), state(1)]).counts() == {"delivered": 1}


@pytest.mark.parametrize("named", [True, False])
def test_a_new_journal_is_told(mailjet, monkeypatch, named):
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(mailjet.folder / "project"))
    journal = {} if named else {"journal": None}
    first = mailjet.deliver([schema(), person(1), state(1)], **journal)
    assert "(new: remembers nothing)" in first.log
    second = mailjet.deliver([schema(), person(1), state(1)], **journal)
    assert "Journal: " in second.log
    assert "remembers nothing" not in second.log


@pytest.mark.slow
@pytest.mark.parametrize("place", ["file", "postgresql"])
def test_a_check_makes_nothing(mailjet, capsys, request, tmp_path, place):
    from target_mailing.target import TargetMailing

    journal = tmp_path / "deep" / "folder" / "journal.sqlite"
    url = request.getfixturevalue("postgresql_url") if place == "postgresql" else str(journal)
    more = {"journal": url, "rejects_path": str(tmp_path / "deep" / "rejects"), "properties": None}
    more["mailjet_account"] = tmp_path.name
    before = sorted(tmp_path.rglob("*"))
    for _ in range(2):
        TargetMailing(config=mailjet.settings(**more)).check()
        told = capsys.readouterr().out
        assert "would be created (new: remembers nothing)" in told
        assert f"rejects: {tmp_path / 'deep' / 'rejects'} would be created" in told
    assert sorted(tmp_path.rglob("*")) == before
    assert mailjet.deliver([schema(), person(1, email="none"), state(1)], **more).error is None
    TargetMailing(config=mailjet.settings(**more)).check()
    assert capsys.readouterr().out.count("can be written") == 3


@pytest.mark.parametrize(("free", "warned"), [(3_999_999, True), (4_000_000, False)])
def test_the_check_warns_of_folders_in_which_a_batch_does_not_fit(mailjet, monkeypatch, caplog, free, warned):
    monkeypatch.setattr(free_space.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    from target_mailing.target import TargetMailing

    rejects = str(mailjet.folder / "not" / "yet")
    TargetMailing(config=mailjet.settings(rejects_path=rejects, batch_bytes=4_000_000)).check()
    for part in ("The folder of the journal, ", f"The folder of rejects, {rejects}, has 4.0 MB free", "by TMPDIR"):
        assert (part in caplog.text) is warned


@pytest.mark.parametrize(("keep", "left"), [(None, 2), ("P30D", 1), (3600, 1)])
def test_rejects_files_are_kept_for_as_long_as_the_setting_says(mailjet, keep, left):
    folder = mailjet.folder / "rejects"
    assert mailjet.deliver([schema(), person(1, email="none"), state(1)]).error is None
    (old,) = folder.iterdir()
    os.utime(old, (0, 0))
    others = [folder / "notes.txt", old.with_stem(f"{old.stem}-corrected")]
    for other in others:
        other.write_text("mine")
        os.utime(other, (0, 0))
    assert mailjet.deliver([schema(), person(2, email="none"), state(1)], rejects_keep=keep).error is None
    assert len({*folder.iterdir()} - {*others}) == left
    assert all(other.exists() for other in others)


def test_rejects_files_of_earlier_versions_are_deleted_too(mailjet):
    old = mailjet.folder / "rejects" / "rejects-20260121T024844.105731-27533.singer"
    old.parent.mkdir()
    old.write_text("")
    os.utime(old, (0, 0))
    mailjet.deliver([schema(), state(1)], rejects_keep="P30D")
    assert not old.exists()
