"""Numbers with their noun, and times with their units, for messages."""

from __future__ import annotations

__all__ = ["counted", "lasting"]


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
