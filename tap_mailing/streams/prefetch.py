"""Concurrent calls whose results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from mailing_api.http.threads import DaemonPool

__all__ = ["in_order"]

T = TypeVar("T")


def in_order(calls: Iterable[Callable[[], T]], size: int) -> Iterator[T]:
    """The results of the calls, in order; up to `size` calls run at the same time.

    The exception of a call is raised in place of its result.
    """
    pending: deque[Future[T]] = deque()
    with DaemonPool(size, "ahead") as pool:
        for call in calls:
            pending.append(pool.submit(call))
            if len(pending) == size:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
