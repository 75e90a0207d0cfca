"""A batch that goes no further is cleaned up after, step by step."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from target_mailing.delivery.calls import Calls
from target_mailing.interface.destination import Done, Progress, Step, Work


class Noted(Step):
    """Notes that it was undone; may fail then."""

    def __init__(self, name: str, undone: list[str], *, fails: bool = False) -> None:
        self.name = name
        self.undone = undone
        self.fails = fails

    def run(self, work: Work) -> Progress:
        return Done({})

    def undo(self, work: Work) -> None:
        self.undone.append(self.name)
        if self.fails:
            raise OSError


def test_steps_are_undone_the_latest_first_and_one_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    undone: list[str] = []
    steps = [Noted("folder", undone), Noted("file", undone, fails=True), Noted("link", undone)]
    batch: Any = SimpleNamespace(taken=steps, work=lambda **_: None)
    journal: Any = SimpleNamespace(name="")
    ended = threading.Event()
    with caplog.at_level(logging.WARNING):
        Calls(journal, workers=1, foresight=None, notify=lambda call: call()).undo(batch, ended.set)
        assert ended.wait(5)
    assert undone == ["link", "file", "folder"]
    assert "Could not clean up after step 'file': OSError" in caplog.text
