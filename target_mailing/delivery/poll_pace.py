"""How often a job is polled, which follows from how long jobs took lately; pure."""

from __future__ import annotations

from target_mailing.settings.settings import StreamSettings

__all__ = ["first_interval", "lately", "next_interval"]


def first_interval(settings: StreamSettings, took: float) -> float:
    """Seconds from the start of a job to its first poll: half of the time that jobs took lately (0 for none)."""
    return min(settings.poll_max_interval, max(settings.poll_interval, took / 2))


def next_interval(settings: StreamSettings, took: float, elapsed: float) -> float:
    """Seconds from a poll to the next one of a job that has run for so long.

    A job is polled often until it has taken half as long again as jobs took lately (0 for none), then less and less
    often.
    """
    interval = took / 10 if elapsed < 1.5 * took else elapsed / 2
    return min(settings.poll_max_interval, max(settings.poll_interval, interval))


def lately(before: float | None, seconds: float) -> float:
    """How long jobs took lately, after one more; it may have ended long before that showed, so less counts for more."""
    return min(seconds, ((seconds if before is None else before) + seconds) / 2)
