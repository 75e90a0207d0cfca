"""Numbers with their noun, times with their units, and signals by name, for messages."""

from __future__ import annotations

import signal

__all__ = ["counted", "lasting", "signal_in_words"]


def counted(count: int, one: str, several: str = "") -> str:
    """Return a number with the noun in singular or plural; the default plural ends with "s"."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def lasting(seconds: float) -> str:
    """Return a time that something takes: tenths below ten seconds, and at most two units, such as `2 min 5 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, smaller in ((3600, "h", "min"), (60, "min", "s")):
        if whole >= unit:
            rest = whole % unit // (unit // 60)
            return f"{whole // unit} {name} {rest} {smaller}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"


def signal_in_words(number: int) -> str:
    """A signal by its number and its name, such as `signal 15 (SIGTERM)`."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
