"""Numbers with their noun, for messages."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, one: str, several: str = "") -> str:
    """Return a number with the noun in singular or plural; the default plural ends with "s"."""
    return f"{count} {one if count == 1 else several or one + 's'}"
