"""Former content is overwritten on disk before its name goes, and only after the new content has its name for good."""

from __future__ import annotations

import os

import pytest

from mailing_api.storage.overwriting import finish_rewrites, remove, rewrite

NAME = "rejects-1.singer"


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """What is written, synced and renamed, in order, each with the content of the file or "folder"."""
    noted = []

    def content(place):
        status = os.fstat(place) if isinstance(place, int) else place.stat()
        files = {path.stat().st_ino: path for path in tmp_path.iterdir()}
        return files[status.st_ino].read_bytes() if status.st_ino in files else "folder"

    def note(name, given):
        def call(place, *parts):
            noted.append((name, content(place)))
            return given(place, *parts)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "pwrite", "rename", "unlink"):
        note(name, getattr(os, name))
    return noted


def test_a_file_is_removed_when_its_zeros_are_on_disk(tmp_path, steps):
    (tmp_path / NAME).write_bytes(b"canary")
    remove(tmp_path / NAME)
    assert steps == [
        ("rename", b"canary"),
        ("fsync", "folder"),
        ("pwrite", b"canary"),
        ("fsync", bytes(6)),
        ("unlink", bytes(6)),
    ]


def test_former_content_is_overwritten_when_the_new_content_has_its_name_on_disk(tmp_path, steps):
    (tmp_path / NAME).write_bytes(b"canary")
    rewrite(tmp_path / NAME, iter([b"other"]))
    assert steps == [
        ("fsync", b"other"),
        ("rename", b"other"),
        ("fsync", "folder"),
        ("pwrite", b"canary"),
        ("fsync", bytes(6)),
        ("unlink", bytes(6)),
    ]


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_every_byte_is_overwritten(tmp_path, monkeypatch, size):
    (tmp_path / NAME).write_bytes(b"\1" * size)
    left, unlink = [], os.unlink
    monkeypatch.setattr(os, "unlink", lambda path: left.append(path.read_bytes()) or unlink(path))
    remove(tmp_path / NAME)
    assert left == [bytes(size)]


def test_what_a_link_leads_to_is_not_overwritten(tmp_path):
    other = tmp_path / "theirs"
    other.write_bytes(b"mine")
    (tmp_path / NAME).symlink_to(other)
    with pytest.raises(OSError, match="symbolic"):
        remove(tmp_path / NAME)
    assert other.read_bytes() == b"mine"


def test_a_file_that_could_not_be_written_is_as_it_was_and_leaves_nothing(tmp_path):
    def content():
        yield b"other"
        raise OSError(28, "No space left on device")

    (tmp_path / NAME).write_bytes(b"canary")
    with pytest.raises(OSError, match="No space"):
        rewrite(tmp_path / NAME, content())
    assert [*tmp_path.iterdir()] == [tmp_path / NAME]
    assert (tmp_path / NAME).read_bytes() == b"canary"


def test_a_missing_folder_has_nothing_to_finish(tmp_path):
    assert finish_rewrites(tmp_path / "none", "*") == 0
