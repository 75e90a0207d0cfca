"""Calls made ahead of need, their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from mailing_api.http.threads import DaemonPool

__all__ = ["in_order"]

T = TypeVar("T")


def in_order(calls: Iterable[Callable[[], T]], size: int) -> Iterator[T]:
    """The results of the calls, in their order, `size` of them under way at a time.

    A call's exception is raised in its place.
    """
    pending: deque[Future[T]] = deque()
    with DaemonPool(size, "ahead") as pool:
        for call in calls:
            pending.append(pool.submit(call))
            if len(pending) == size:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
