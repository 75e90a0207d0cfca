"""Private temporary folders, each locked by the process that uses it, so that those of killed processes show."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from mailing_api.storage.locks import lock_file
from mailing_api.storage.overwriting import remove

__all__ = ["make_owned", "remove_left"]

#: The file in each folder that its process locks.
_OWNER: Final = "owner.lock"


def make_owned(prefix: str) -> tuple[Path, int]:
    """Make a folder for this process.

    Args:
        prefix: how its name begins.

    Returns:
        The folder, and the descriptor of its lock: close it when the folder is no longer used.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        descriptor = os.open(folder / _OWNER, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        # Another process may have found the file before it was locked, and taken it for one that was left.
        if lock_file(descriptor) and os.fstat(descriptor).st_nlink:
            return folder, descriptor
        os.close(descriptor)


def remove_left(prefix: str, *, overwriting: bool = False) -> None:
    """Remove this user's folders whose names begin so, and whose processes have ended; one without a lock stays.

    With `overwriting`, the content of files is overwritten before.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        try:
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            descriptor = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # it was removed meanwhile, or is being made
            continue
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and lock_file(descriptor):
                for path in folder.iterdir() if overwriting else ():
                    with suppress(OSError):
                        remove(path)
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
