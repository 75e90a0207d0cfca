"""Rejects that are in a file are known until no run rejects them again for long."""

from __future__ import annotations

import time
from contextlib import closing

from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import MemoryStore


def test_known_rejects_are_forgotten_by_their_age_and_where_their_file_is_gone(tmp_path, monkeypatch):
    here, gone = tmp_path / "rejects-1.singer", tmp_path / "rejects-2.singer"
    here.write_text("")
    now = time.time()
    with closing(Journal(MemoryStore())) as journal:
        rejects = journal.rejects
        for number, age in ((1, 100), (2, 50), (3, 0)):
            monkeypatch.setattr(time, "time", lambda age=age: now - age)
            rejects.erase(0, written=[(number, number, str(here))])
        rejects.erase(0, written=[(4, 1, str(gone))])
        assert rejects.written([1, 2, 3, 4]) == {number: (number, str(here)) for number in (1, 2, 3)}
        with journal._transaction():
            rejects.forget_before(now - 60)
        assert rejects.written([1, 2, 3, 4]).keys() == {2, 3}
