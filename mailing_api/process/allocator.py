"""How the C library gives memory to threads."""

from __future__ import annotations

import ctypes
import os
from typing import Final

__all__ = ["share_arena"]

#: `M_ARENA_MAX` of glibc's malloc.h.
_ARENA_MAX: Final = -8


def share_arena() -> None:
    """Have all threads take memory from one place, where glibc would make one for each; before there are threads.

    What a thread gives back is then used by the others. Python's threads run in turns, so they hardly wait there. Other
    C libraries are left as they are, and the environment variable `MALLOC_ARENA_MAX` has precedence.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_ARENA_MAX, 1)
