"""In which order tests run where several workers share them: each begins with some of the longest."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import groupby, islice
from typing import TypeVar

__all__ = ["dealt"]

T = TypeVar("T")


def dealt(tests: Sequence[T], workers: int, *, is_long: Callable[[T], bool], file: Callable[[T], Hashable]) -> list[T]:
    """Order tests so that no long one is left for the end, when all but one worker would wait for it.

    Each worker is given as many tests as the others, in the order of the list, and takes from the others once it has
    done its own. So each share begins with long tests; those of one file stay together, as do all others.

    Args:
        tests: in their usual order.
        workers: how many share them.
        is_long: whether a test is long.
        file: which file a test is in.
    """
    shares: list[list[T]] = [[] for _ in range(workers)]
    for number, (_, together) in enumerate(groupby(filter(is_long, tests), key=file)):
        shares[number % workers] += together
    others = (one for one in tests if not is_long(one))
    found: list[T] = []
    for number, share in enumerate(shares):
        size = (len(tests) - len(found)) // (workers - number)
        found += (*share, *islice(others, max(0, size - len(share))))
    return [*found, *others]
