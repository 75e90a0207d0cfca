"""Rows kept on disk."""

from __future__ import annotations

from tap_mailing.spill import Backlog


def test_a_backlog_gives_each_row_once_and_the_oldest_first():
    with Backlog() as backlog:
        backlog.add([("b", "2026-02", {"n": 1}), ("a", "2026-03", {"n": 2}), ("c", "", {"n": 3})])
        backlog.add([("a", "2026-01", {"n": 4}), ("d", "2026-02", {"n": 5})])
        assert len(backlog) == 4
        assert list(backlog) == [("", {"n": 3}), ("2026-01", {"n": 4}), ("2026-02", {"n": 1}), ("2026-02", {"n": 5})]
