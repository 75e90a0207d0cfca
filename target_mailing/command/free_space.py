"""Folders in which a batch would not fit, for `--check`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from mailing_api.storage.folders import is_there
from target_mailing.journal.stores import FileStore, Store
from target_mailing.settings.settings import StreamSettings

__all__ = ["full_folders"]

_MEGABYTE: Final = 1_000_000


def full_folders(store: Store, rejects: Path, settings: Iterable[StreamSettings]) -> Iterator[str]:
    """Warnings about folders with less free space than the largest batch takes.

    Args:
        store: the place of the journal.
        rejects: the folder of the rejects files.
        settings: of all streams, with the provider's defaults.
    """
    needed = max(one.batch_bytes for one in settings)
    places = [("rejects", rejects, "`rejects_path`"), ("temporary files", Path(tempfile.gettempdir()), "TMPDIR")]
    if isinstance(store, FileStore):
        places.insert(0, ("the journal", store.path.parent, "`journal`"))
    for what, folder, setting in places:
        free = _free_in(folder)
        if free is not None and free < needed:
            yield (
                f"The folder of {what}, {folder}, has {free / _MEGABYTE:,.1f} MB free, less than the largest batch may "
                f"take ({needed / _MEGABYTE:,.1f} MB, by `batch_bytes`). Free the disk, or name another place by "
                f"{setting}"
            )


def _free_in(folder: Path) -> int | None:
    """Bytes that are free where a folder is, or would be made; None if nobody knows."""
    while not is_there(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
