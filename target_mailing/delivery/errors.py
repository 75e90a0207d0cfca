"""Errors that end a run because of its batches."""

from __future__ import annotations

__all__ = ["DeliveryFailed", "TooManyRemovalsError"]


class DeliveryFailed(Exception):
    """A batch could not be followed to its end. The journal keeps it, and the next run resumes it."""


class TooManyRemovalsError(DeliveryFailed):
    """`max_removals` is exceeded: the removals and the rows behind them were not made, all others were."""
