"""Numbers with what they count, as sentences for people have them."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, one: str, several: str = "") -> str:
    """A number with the words for one, or for several; without these, "s" makes the plural."""
    return f"{count} {one if count == 1 else several or one + 's'}"
