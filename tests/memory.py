"""A folder in memory, where syncing a file takes no time; no promise about power cuts is tested by files in it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["memory"]

_MEMORY = Path("/dev/shm")
#: Bytes: environments of plugins are installed there, too.
_ROOM = 4 * 2**30


def memory() -> str | None:
    """The folder; None where there is none, where it is small, as in most containers, or where nothing may run."""
    try:
        found = os.statvfs(_MEMORY)
    except OSError:
        return None
    is_roomy = found.f_bavail * found.f_frsize >= _ROOM
    return str(_MEMORY) if is_roomy and not found.f_flag & os.ST_NOEXEC and os.access(_MEMORY, os.W_OK) else None
