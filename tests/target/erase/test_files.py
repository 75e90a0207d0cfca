"""Rejects files and history files without one person; everything else in them stays."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from mailing_api.errors import ConfigurationError
from mailing_api.storage import overwriting
from mailing_api.storage.overwriting import finish_rewrites, remove, rewrite
from target_mailing.journal import rejects_file
from tests.target.conftest import COLUMNS, people, person, schema, state
from tests.target.erase.erasing import asked_to_erase, erase, on_disk

ANY = {"type": ["string", "number", "integer", "boolean", "object", "array", "null"]}
#: Where the address may stand in a record that no column says to be of the person.
HIDING = {
    "in a column": "Canary@Example.com",
    "with a name": "Ada <canary@EXAMPLE.com>",
    "in a sentence": "write to canary@example.com, please",
    "in an object": {"deep": [{"mail": "CANARY@example.com"}]},
    "as a name": {"canary@example.com": 1},
    "in full width": "canary\uff20example.com",
}


def records(folder):
    lines = [line for path in sorted(folder.glob("*.singer")) for line in path.read_text().splitlines()]
    return [one for one in map(json.loads, lines) if one["type"] == "RECORD"]


def reject(mailjet, *rows, columns=("note",)):
    """Let these rows be rejected."""
    known = schema(columns=COLUMNS | dict.fromkeys(columns, ANY))
    assert mailjet.deliver([known, *rows, state(1)], properties=["visits"]).error is None


@pytest.mark.parametrize("value", HIDING.values(), ids=HIDING)
def test_a_reject_leaves_whatever_column_has_the_address(mailjet, value):
    reject(mailjet, person(1, email="bad", note=value, city="canary city"), person(2, email="bad", note="canary-free"))
    said = erase(mailjet, "canary@example.com")
    assert "rejects 1 record in 1 file" in said
    assert [one["record"]["id"] for one in records(mailjet.folder / "rejects")] == [2]
    left = on_disk(mailjet.folder).lower()
    assert b"canary city" not in left
    assert b"canary@" not in left
    assert b"canary-free" in left


def test_canaries_in_every_column_leave_with_the_record(mailjet):
    columns = [f"column{number}" for number in range(30)]
    mine = person(1, visits="often", **{name: f"canary {name}" for name in columns})
    reject(mailjet, mine, person(2, visits="often", column0="theirs"), columns=columns)
    assert on_disk(mailjet.folder).count(b"canary column") == 60  # in the file, and in the journal
    erase(mailjet, "[1]")
    left = on_disk(mailjet.folder)
    assert b"canary" not in left
    assert b"theirs" in left


def test_rejects_in_no_file_yet_leave_the_journal(mailjet, monkeypatch):
    reject(mailjet, person(9, visits="often"))  # so that a file names the key

    def full(*_):
        raise rejects_file._unwritable(mailjet.folder, OSError(28, "No space left on device"))

    with monkeypatch.context() as patch:
        patch.setattr(rejects_file.RejectsFile, "write", full)
        rows = [person(1, visits="often", note="canary note"), person(2, visits="often", note="theirs")]
        failed = mailjet.deliver([schema(columns=COLUMNS | {"note": ANY}), *rows, state(2)])
        assert failed.error is not None
    assert b"canary note" in on_disk(mailjet.folder)
    assert "1 record in the journal, in no file yet" in erase(mailjet, "1")
    left = on_disk(mailjet.folder)
    assert b"canary" not in left
    assert b"theirs" in left
    after = mailjet.deliver([schema(), state(3)])
    assert [one["record"]["id"] for one in after.rejects] == [2]


def test_a_key_of_a_rejected_row_leads_to_its_other_rejects_and_outcomes(mailjet):
    reject(mailjet, person(1, email="canary@example.com", visits="often"))
    reject(mailjet, person(1, email=None, note="canary note"), person(2, email=None, note="theirs"))
    erase(mailjet, "canary@example.com")
    assert b"canary" not in on_disk(mailjet.folder)
    assert [one["record"]["id"] for one in records(mailjet.folder / "rejects")] == [2]
    outcomes = [one for one in records(mailjet.folder / "history") if one["stream"] == "mailing_outcomes"]
    assert [one["record"]["key"] for one in outcomes] == [None, None, "2"]


def test_somebody_who_names_the_person_keeps_the_key(mailjet):
    reject(mailjet, person(2, visits="often", note="see canary@example.com"), person(2, email=None, note="theirs"))
    erase(mailjet, "canary@example.com")
    (left,) = records(mailjet.folder / "rejects")
    assert left["record"]["note"] == "theirs"


def test_a_rejected_row_is_known_no_longer_and_those_of_the_others_are(mailjet):
    rows = [person(1, visits="often", score=1.50, note="Zoë \U0001f600"), person(2, visits="often", score=2e3)]
    reject(mailjet, *rows, columns=["note", "score"])
    erase(mailjet, "1")
    known = schema(columns=COLUMNS | {"note": ANY, "score": ANY})
    again = mailjet.deliver([known, *rows, state(2)], properties=["visits"])
    assert [one["record"]["id"] for one in again.rejects] == [1]


def test_a_line_that_a_full_disk_cut_off_leaves_and_damaged_ones_of_others_stay(mailjet):
    reject(mailjet, person(1, visits="often"), person(2, visits="often"))
    (path,) = (mailjet.folder / "rejects").iterdir()
    damaged = b'{"type":"RECORD" damaged by hand\n{"damaged": "PERSON1@example.com"\n'
    path.write_bytes(path.read_bytes() + damaged + b'{"type":"RECORD","stream":"people","record":{"id":1,"na')
    erase(mailjet, "person1@example.com")
    left = path.read_bytes()
    assert left.count(b"\n") == 3
    assert left.endswith(b"damaged by hand\n")


def test_a_file_keeps_its_mode_and_its_time_and_one_without_others_is_removed(mailjet):
    reject(mailjet, person(1, visits="often"), person(2, visits="often"))
    reject(mailjet, person(1, visits="seldom"))
    first, second = sorted((mailjet.folder / "rejects").iterdir())
    os.utime(first, (1_000_000, 1_000_000))
    said = erase(mailjet, "1")
    assert "1 file had nothing else, and was removed" in said
    status = first.stat()
    assert (status.st_mode & 0o777, status.st_mtime) == (0o600, 1_000_000)
    assert [*first.parent.iterdir()] == [first]
    assert not second.exists()


def test_what_a_file_was_is_overwritten(mailjet):
    reject(mailjet, person(1, visits="often"), person(2, visits="often"))
    mailjet.deliver([schema(), *people(range(4)), state(1)], history_contacts="plain")
    with ExitStack() as opened:
        names = [*mailjet.folder.glob("rejects/*"), *mailjet.folder.glob("history/*")]
        files = [opened.enter_context(path.open("rb")) for path in names]
        assert "hard links" not in erase(mailjet, "1")
        for file in files:
            content = file.read()
            assert content
            assert not any(content), file.name


def test_a_hard_link_is_somebodys_backup_and_keeps_all(mailjet):
    reject(mailjet, person(1, visits="often"), person(2, visits="often"))
    (path,) = (mailjet.folder / "rejects").iterdir()
    backup = mailjet.folder / "backup"
    os.link(path, backup)
    before = path.read_bytes()
    assert f"hard links {path.name} has other names, which keep what it was" in erase(mailjet, "1")
    assert backup.read_bytes() == before
    assert b"person1@" not in path.read_bytes()


def test_a_link_in_place_of_a_file_is_named(mailjet):
    reject(mailjet, person(1, visits="often"))
    (path,) = (mailjet.folder / "rejects").iterdir()
    path.rename(mailjet.folder / "elsewhere")
    path.symlink_to(mailjet.folder / "elsewhere")
    said = erase(mailjet, "person1@example.com")
    assert f"other files {path.name}" in said


def test_several_files_that_had_nothing_else_were_removed(mailjet):
    for visits in ("often", "seldom"):
        reject(mailjet, person(1, visits=visits))
    assert "2 files had nothing else, and were removed" in erase(mailjet, "1")


# Whose it is


@pytest.mark.parametrize("other", ["o'brien@example.com", "a/brien@example.com", "x|brien@example.com"])
def test_a_longer_address_is_somebody_elses(mailjet, other):
    rows = [person(1, email=other, visits="often"), person(1, email=None, note="theirs")]
    reject(mailjet, *rows, person(2, email="brien@example.com", visits="often"))
    erase(mailjet, "brien@example.com")
    assert [one["record"]["id"] for one in records(mailjet.folder / "rejects")] == [1, 1]
    outcomes = [one for one in records(mailjet.folder / "history") if one["stream"] == "mailing_outcomes"]
    assert [one["record"]["key"] for one in outcomes] == ["1", "1", None]
    erase(mailjet, other)
    assert records(mailjet.folder / "rejects") == []


def test_who_mentions_the_person_in_one_row_keeps_the_others(mailjet):
    mailjet.deliver([schema(), person(99, email="boss@example.com"), state(1)])
    reject(mailjet, person(99, email=None, note="bo@example.com"))
    reject(mailjet, person(99, email="boss@example.com", visits="often"), person(1, email="bo@example.com", visits="x"))
    reject(mailjet, person(99, email="bo@example.com", visits="often"))  # a mistake
    erase(mailjet, "bo@example.com")
    assert [one["record"]["email"] for one in records(mailjet.folder / "rejects")] == ["boss@example.com"]
    outcomes = [one for one in records(mailjet.folder / "history") if one["stream"] == "mailing_outcomes"]
    assert [one["record"]["key"] for one in outcomes] == ["99", "99", "99", None, "99"]


def test_the_key_is_found_also_where_the_reason_quotes_the_address(mailjet):
    reject(mailjet, person(7, email='"q u"@example.com'))
    erase(mailjet, '"q u"@example.com')
    outcomes = [one for one in records(mailjet.folder / "history") if one["stream"] == "mailing_outcomes"]
    assert [one["record"]["key"] for one in outcomes] == [None]


def test_the_alias_of_a_stream_map_leads_to_rejects_and_outcomes(mailjet):
    config = {"stream_maps": {"people": {"__alias__": "renamed"}}}
    assert mailjet.deliver([schema(), person(1), person(2), state(1)], **config).error is None
    assert mailjet.deliver([schema(), person(1, email=None), person(2, email=None), state(1)], **config).error is None
    assert "stream maps" not in erase(mailjet, "person1@example.com", **config)
    assert [one["record"]["id"] for one in records(mailjet.folder / "rejects")] == [2]
    outcomes = [one for one in records(mailjet.folder / "history") if one["stream"] == "mailing_outcomes"]
    assert sorted(one["record"]["key"] or "" for one in outcomes) == ["", "", "2", "2"]


@pytest.mark.parametrize(
    "maps",
    [
        {"people": {"__alias__": "readers"}},
        {"peop*": {"__alias__": "readers"}},
        {"readers": {"__source__": "people"}, "people": None},
    ],
    ids=["alias", "pattern", "source"],
)
def test_the_alias_of_one_stream_leads_to_nobody_of_another(mailjet, maps):
    config = {"stream_maps": maps}
    rows = [schema(), schema("donors"), person(7, email="ada@example.com")]
    bob = person(7, stream="donors", email=None)
    assert mailjet.deliver([*rows, bob, state(1)], **config).error is None
    erase(mailjet, "ada@example.com", **config)
    assert [one["stream"] for one in records(mailjet.folder / "rejects")] == ["donors"]
    outcomes = [one for one in records(mailjet.folder / "history") if one["stream"] == "mailing_outcomes"]
    assert sorted(one["record"]["key"] or "" for one in outcomes) == ["", "7"]


def test_maps_that_may_change_a_key_are_told(mailjet):
    config = {"stream_maps": {"people": {"city": "'Rome'"}}}
    assert mailjet.deliver([schema(), person(1), state(1)], **config).error is None
    assert "stream maps where one changes a key" in erase(mailjet, "1", **config)


def test_a_key_that_is_an_object_is_blanked(mailjet):
    columns = COLUMNS | {"id": {"type": ["object", "array"]}}
    rows = [person({"b": 1, "a": 2}, email="ada@example.com"), person([1, 2], email="other@example.com")]
    assert mailjet.deliver([schema(columns=columns), *rows, state(1)]).error is None
    erase(mailjet, "ada@example.com")
    outcomes = [one for one in records(mailjet.folder / "history") if one["stream"] == "mailing_outcomes"]
    assert [one["record"]["key"] for one in outcomes].count(None) == 1


# The history


@pytest.mark.parametrize("contacts", ["plain", "hashed"])
@pytest.mark.parametrize("asked", ["person1@example.com", "1/person1@example.com", '[1, "person1@example.com"]'])
def test_keys_of_several_columns_are_blanked_and_nobody_elses(mailjet, asked, contacts):
    config = {"history_contacts": contacts, "history_path": str(mailjet.folder / "outcomes")}
    rows = [schema(keys=["id", "email"]), *people(range(4)), state(1)]
    assert mailjet.deliver(rows, **config).error is None
    erase(mailjet, asked, **config)
    outcomes = [one for one in records(mailjet.folder / "outcomes") if one["stream"] == "mailing_outcomes"]
    left = sorted(json.loads(one["record"]["key"])["id"] for one in outcomes if one["record"]["key"])
    assert left == [0, 2, 3]
    assert len(outcomes) == 4


@pytest.mark.parametrize("contacts", ["plain", "hashed"])
def test_a_key_that_is_the_address_is_blanked_and_totals_stay(mailjet, contacts):
    config = {"history_contacts": contacts, "history_path": str(mailjet.folder / "outcomes")}
    rows = [schema(keys=["email"]), *people(range(4)), person(5, email="person1@example.com", visits="x"), state(1)]
    assert mailjet.deliver(rows, **config).error is None
    before = records(mailjet.folder / "outcomes")
    erase(mailjet, "PERSON1@example.com", **config)
    after = records(mailjet.folder / "outcomes")
    assert [one["record"] | {"key": None} for one in after] == [one["record"] | {"key": None} for one in before]
    assert sum(one["record"].get("key") is not None for one in after) == 3
    assert b"person1@" not in on_disk(mailjet.folder).lower()


def test_the_file_of_a_killed_run_is_completed_first(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)], history_contacts="plain")
    (path,) = (mailjet.folder / "history").iterdir()
    torn = path.with_name(f"{path.name}.part")
    path.rename(torn)
    torn.write_bytes(torn.read_bytes() + b'{"type":"RECORD","stream":"mailing_outcomes","record":{"key":"canary')
    erase(mailjet, "1")
    assert [*path.parent.iterdir()] == [path]
    assert b"canary" not in path.read_bytes()


@pytest.mark.parametrize("kind", ["rejects", "history"])
def test_a_file_that_a_run_writes_is_not_touched(mailjet, kind):
    reject(mailjet, person(1, visits="often"))
    reject(mailjet, person(2, visits="often"))
    first, second = sorted((mailjet.folder / kind).iterdir())
    if kind == "history":
        first = first.rename(first.with_name(f"{first.name}.part"))
    before = on_disk(mailjet.folder / "rejects"), on_disk(mailjet.folder / "history")
    with first.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _, error = asked_to_erase(mailjet, "1")
        assert isinstance(error, ConfigurationError)
        assert f"a run that is under way writes {first}" in str(error)
        assert (on_disk(mailjet.folder / "rejects"), on_disk(mailjet.folder / "history")) == before
        asked_to_erase(mailjet, "2")
        assert second.exists() == (kind == "history")
    erase(mailjet, "1")


def without_locks(monkeypatch, number):
    """A file system says this where an erasure asks for a lock."""

    def flock(*_):
        raise OSError(number, os.strerror(number))

    locks = SimpleNamespace(flock=flock, LOCK_SH=fcntl.LOCK_SH, LOCK_NB=fcntl.LOCK_NB)
    monkeypatch.setattr("target_mailing.erase.files.fcntl", locks)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_before_the_question(mailjet, monkeypatch, number):
    reject(mailjet, person(1, visits="often"))
    without_locks(monkeypatch, number)
    monkeypatch.setattr("target_mailing.erase.erase.is_confirmed", lambda _: False)
    out, error = asked_to_erase(mailjet, "1", yes=False)
    assert "the answer to the question of --erase was not yes" in str(error)
    assert "their file system has no locks, so a run of another loader" in " ".join(out.split())
    assert "Not locked" in erase(mailjet, "1")
    assert b"often" not in on_disk(mailjet.folder / "rejects")


def test_p9_a_lock_that_cannot_be_asked_for_erases_nothing(mailjet, monkeypatch):
    reject(mailjet, person(1, visits="often"))
    before = on_disk(mailjet.folder / "rejects")
    without_locks(monkeypatch, errno.EIO)
    _, error = asked_to_erase(mailjet, "1")
    assert "cannot be read or rewritten (Input/output error). Nothing was erased" in str(error)
    assert on_disk(mailjet.folder / "rejects") == before


def test_a_run_locks_its_rejects_file(tmp_path):
    file = rejects_file.RejectsFile(tmp_path, "run")
    file.write([rejects_file.Reject("people", b"{}", "wrong_type", "", None, 1, time.time())])
    with file.path.open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    file.close()
    with file.path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_other_files_beside_them_are_named(mailjet):
    reject(mailjet, person(1, visits="often"))
    (mailjet.folder / "rejects" / "rejects-20260101T000000.0-1.singer.gz").write_bytes(b"\x1f\x8b")
    said = erase(mailjet, "1")
    assert "other files rejects-20260101T000000.0-1.singer.gz" in said


def test_a_former_folder_of_rejects_is_searched_too(mailjet):
    reject(mailjet, person(1, visits="often"))
    assert "rejects 1 record in 1 file" in erase(mailjet, "1", rejects_path=str(mailjet.folder / "new"))
    assert b"person1@" not in on_disk(mailjet.folder)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["rejects", "history"])
def test_a_full_disk_leaves_the_file_and_the_journal(mailjet, monkeypatch, part):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    reject(mailjet, person(1, visits="often"), person(2, visits="often"))
    before = on_disk(mailjet.folder / part)
    journal = (mailjet.folder / "journal.sqlite").read_bytes()
    given = os.fsync

    def full(descriptor):
        if part in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device")
        given(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(overwriting.os, "fsync", full)
        _, error = asked_to_erase(mailjet, "1")
    assert "cannot be read or rewritten (No space left on device)" in str(error)
    assert "What it has of this person remains, and so does the journal; repeat this." in str(error)
    assert on_disk(mailjet.folder / part) == before
    assert journal == (mailjet.folder / "journal.sqlite").read_bytes()
    erase(mailjet, "1")
    assert b"person1@" not in on_disk(mailjet.folder)


# Rewriting


def test_a_stopped_rewriting_is_finished_at_every_step(tmp_path, monkeypatch):
    path = tmp_path / "rejects-1.singer"

    class Stop(BaseException):
        pass

    for step in range(100):
        path.write_bytes(b"canary\nother\n")
        calls = iter(range(step))

        def stop(*parts, given, calls=calls, **options):
            if next(calls, None) is None:
                raise Stop
            return given(*parts, **options)

        with monkeypatch.context() as patch:
            for name in ("fsync", "pwrite", "link", "unlink", "rename", "open", "utime"):
                given = getattr(os, name)
                patch.setattr(os, name, lambda *parts, given=given, **options: stop(*parts, given=given, **options))
            try:
                rewrite(path, iter([b"other\n"]))
                is_done = True
            except Stop:
                is_done = False
        assert path.read_bytes() in {b"canary\nother\n", b"other\n"}, step
        finish_rewrites(tmp_path, "rejects-*.singer")
        assert [*tmp_path.iterdir()] == [path], step
        if is_done:
            break
    assert step > 8


def test_a_stopped_removal_is_finished(tmp_path, monkeypatch):
    path = tmp_path / "rejects-1.singer"
    path.write_bytes(b"canary")
    with monkeypatch.context() as patch:
        patch.setattr(overwriting, "_destroy", lambda _: None)
        remove(path)
    assert finish_rewrites(tmp_path, "rejects-*.singer") == 1
    assert [*tmp_path.iterdir()] == []


def test_files_of_others_are_left_alone(tmp_path):
    other = tmp_path / ".notes.singer.former"
    other.write_bytes(b"mine")
    (tmp_path / ".rejects-1.singer.former").symlink_to(other)
    assert finish_rewrites(tmp_path, "rejects-*.singer") == 0
    assert other.read_bytes() == b"mine"


def test_an_erasure_beside_another_one_leaves_its_file_whole(tmp_path, monkeypatch):
    """The other one is about to put the new content in the file's place when this one removes what kills left."""
    path = tmp_path / "rejects-1.singer"
    path.write_bytes(b"canary\nother\n")
    link = os.link

    def meanwhile(*parts, **options):
        monkeypatch.setattr(os, "link", link)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(InterruptedError))
            with suppress(InterruptedError):
                finish_rewrites(tmp_path, "rejects-*.singer")
        return link(*parts, **options)

    monkeypatch.setattr(os, "link", meanwhile)
    with pytest.raises(FileNotFoundError):
        rewrite(path, iter([b"other\n"]))
    assert path.read_bytes() == b"canary\nother\n"
    finish_rewrites(tmp_path, "rejects-*.singer")
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == b"canary\nother\n"
