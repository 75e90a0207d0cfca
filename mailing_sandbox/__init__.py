"""Local emulators of mailing providers, with fault injection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mailing_sandbox.server import Sandbox

__all__ = ["Sandbox"]


def __getattr__(name: str) -> Any:
    """Load the server when it is first used, so that the command can name a missing package."""
    if name != "Sandbox":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mailing_sandbox.server import Sandbox  # noqa: PLC0415

    return Sandbox
