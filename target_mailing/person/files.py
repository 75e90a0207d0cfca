"""The rejects files and history files in which a person is looked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["HISTORIES", "REJECTS", "entries_of", "files_in"]

#: The names of rejects files.
REJECTS: Final = ("rejects-*.singer",)
#: The names of history files, and of one that a run writes.
HISTORIES: Final = ("history-*.singer", "history-*.singer.part")


def files_in(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """The files of a folder with such names, oldest first, without links; a missing folder has none.

    Raises:
        OSError: the folder cannot be read; its `filename` is set.
    """
    named = [path for path in entries_of(folder) if any(map(path.match, patterns))]
    return [path for path in named if path.is_file() and not path.is_symlink()]


def entries_of(folder: Path) -> list[Path]:
    """All that is in a folder, by name.

    Raises:
        OSError: the folder cannot be read; its `filename` is set.
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
