"""The history of a run, opened as the settings say."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from mailing_api.counted import counted
from mailing_api.settings import duration, positive
from mailing_api.storage.folders import delete_old, is_there, unmakable
from target_mailing.history.file import NAMES, complete_left
from target_mailing.history.history import RunHistory
from target_mailing.places import place_of
from target_mailing.run_events import History
from target_mailing.run_identity import AboutRun
from target_mailing.settings.declared_settings import value_of

__all__ = ["check_history", "history_folder", "history_keep", "open_history"]

logger = logging.getLogger("target-mailing.history")

#: The value of `history_path` that keeps none.
_NO_HISTORY: Final = "off"


def history_keep(config: Mapping[str, Any]) -> float:
    """How long history files are kept, in seconds.

    Raises:
        ConfigurationError: it is no such time.
    """
    seconds: float = positive("history_keep", duration("history_keep", value_of("history_keep", config)))
    return seconds


def open_history(config: Mapping[str, Any], rejects: Path, about: AboutRun, *, is_plan: bool) -> History:
    """Begin the history of a run, after putting its folder in order.

    Args:
        config: the plugin's settings.
        rejects: the folder of the rejects files.
        about: the run.
        is_plan: nothing is written.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    folder = None if is_plan else history_folder(config, rejects)
    if folder is None:
        return History()
    with suppress(OSError):
        if completed := complete_left(folder):
            logger.info("%s of killed runs completed", counted(completed, "history file", "history files"))
        if deleted := delete_old(folder, NAMES, time.time() - history_keep(config)):
            text = counted(deleted, "older history file was", "older history files were")
            logger.info("Setting `history_keep`: %s deleted", text)
    return RunHistory(folder, about)


def check_history(config: Mapping[str, Any], rejects: Path) -> str:
    """A sentence about the folder of history files; it is not made. No run fails where it cannot be written.

    Raises:
        ConfigurationError: no folder can have its name.
    """
    folder = history_folder(config, rejects)
    if folder is None:
        return "off"
    if is_there(folder):
        is_usable = unmakable(folder / "history") is None
        return f"{folder} {'can be written' if is_usable else 'cannot be written: runs would have none'}"
    if reason := unmakable(folder):
        return f"{folder} could not be made ({reason}): runs would have none"
    return f"{folder} would be created"


def history_folder(config: Mapping[str, Any], rejects: Path) -> Path | None:
    """The folder of the history files, by default beside that of the rejects; None for no history.

    Raises:
        ConfigurationError: no folder can have its name.
    """
    path = value_of("history_path", config)
    if path == _NO_HISTORY:
        return None
    if path is not None:
        return place_of("history_path", path)
    return rejects.absolute().parent / "history"
