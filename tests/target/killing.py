"""Runs in this process that are killed: from a chosen moment on nothing reaches the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore

__all__ = ["Killed", "killed_at", "killed_once_begun", "killed_once_submitted"]


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

    def is_submitted(_where: str, _batch: int, _step: str, evidence: dict[str, Any], **_: Any) -> bool:
        return "job" in evidence

    with _killed_after("end_step", is_submitted):
        yield


@contextmanager
def killed_once_begun(name: str) -> Iterator[None]:
    """The run is killed when it has noted that it begins a step of this name."""

    def is_begun(_batch: int, step: str) -> bool:
        return step == name

    with _killed_after("begin_step", is_begun):
        yield


@contextmanager
def _killed_after(method: str, is_it: Callable[..., bool]) -> Iterator[None]:
    """The run is killed after the first such call of its journal whose arguments `is_it` picks."""
    is_dead, real, commit = False, getattr(Journal, method), FileStore.commit

    def called(journal: Journal, *arguments: Any, **options: Any) -> Any:
        nonlocal is_dead
        result = real(journal, *arguments, **options)
        if is_it(*arguments, **options):
            is_dead = True
            raise Killed
        return result

    def checked(store: FileStore, connection: Any) -> None:
        if is_dead:
            raise Killed
        commit(store, connection)

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        patch.setattr(Journal, method, called)
        patch.setattr(FileStore, "commit", checked)
        yield
    assert is_dead, "the run came to its end"
