"""The error that ends a run because of a batch."""

from __future__ import annotations

__all__ = ["DeliveryFailed"]


class DeliveryFailed(Exception):
    """A batch could not be followed to its end. The journal keeps it, and the next run resumes it."""
