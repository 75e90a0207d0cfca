"""Whether the time that something takes grows with the length of what it looks at, or with its square."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["grows_with_length"]

#: How many times as long the longer one is; the square of that is far more than `_MOST`.
_TIMES = 8
_MOST = 20
#: Seconds of the processor that are no matter.
_SLACK = 0.001


def grows_with_length(look: Callable[[Any], object], made: Callable[[int], Any], size: int = 1000) -> bool:
    """Whether looking at what is made with 8 times the size takes far less than 64 times as long.

    It is the processor's time that counts, and the least of some measurements, since another process may disturb one.
    """

    def seconds(text: Any) -> float:
        began = time.process_time()
        look(text)
        return time.process_time() - began

    less, more = made(size), made(_TIMES * size)
    return any(seconds(more) < _MOST * seconds(less) + _SLACK for _ in range(5))
