"""How far the tests search that draw their input, as the environment variable SEARCH says: short, long or deep."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

__all__ = ["LENGTH", "examples", "machine", "register_profiles"]

LENGTH = os.environ.get("SEARCH", "short")


def register_profiles() -> None:
    """Make short searches the same every time; long ones begin where `--hypothesis-seed` says."""
    settings.register_profile("short", derandomize=True, database=None, deadline=None)
    for name in ("long", "deep"):
        settings.register_profile(name, derandomize=False, database=None, deadline=None, print_blob=True)
    settings.load_profile(LENGTH)


def examples(short: int, long: int, deep: int | None = None) -> int:
    """The number of examples of a test marked `machine`, which `make test` runs short and `make test-all` long.

    Args:
        deep: their number in `make test-deep`; None for ten times the long one.
    """
    return {"short": short, "long": long, "deep": 10 * long if deep is None else deep}[LENGTH]


def machine(short: int, long: int, *, deep: int | None = None, steps: int = 10) -> settings:
    """The settings of a state machine of whole runs of a plugin; see `examples`."""
    return settings(
        settings.get_profile(LENGTH if LENGTH in {"long", "deep"} else "short"),
        derandomize=LENGTH == "short",
        max_examples=examples(short, long, deep),
        stateful_step_count=steps,
        suppress_health_check=list(HealthCheck),
    )
