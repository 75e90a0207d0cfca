"""Runs in this process that are killed: from a chosen moment on nothing reaches the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore

__all__ = ["Killed", "killed_at", "killed_once_submitted"]


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(commit: int, *, is_made: bool) -> Iterator[Callable[[], bool]]:
    """The run is killed at this commit of its journal; `is_made`: after it. Yields whether that happened."""
    left, real = commit, FileStore.commit

    def counted(store: FileStore, connection: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0 or (left == 0 and not is_made):
            raise Killed
        real(store, connection)
        if left == 0:
            raise Killed

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        patch.setattr(FileStore, "commit", counted)
        yield lambda: left <= 0


@contextmanager
def killed_once_submitted() -> Iterator[None]:
    """The run is killed when its first job is under way and noted."""
    is_dead, end_step, commit = False, Journal.end_step, FileStore.commit

    def ended(journal: Journal, where: str, batch: int, step: str, evidence: dict[str, Any], **names: Any) -> None:
        nonlocal is_dead
        end_step(journal, where, batch, step, evidence, **names)
        if "job" in evidence:
            is_dead = True
            raise Killed

    def checked(store: FileStore, connection: Any) -> None:
        if is_dead:
            raise Killed
        commit(store, connection)

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        patch.setattr(Journal, "end_step", ended)
        patch.setattr(FileStore, "commit", checked)
        yield
    assert is_dead, "no job was submitted"
