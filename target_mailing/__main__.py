"""`target-mailing`, and `python -m target_mailing`."""

from __future__ import annotations

import gc
from collections.abc import Callable

from mailing_api.process.start import start

__all__ = ["main"]


def main() -> None:
    """Run the target from the command line."""
    start("target-mailing", _load)


def _load() -> Callable[[], object]:
    from target_mailing.target import TargetMailing  # noqa: PLC0415

    gc.set_threshold(500_000, 20, 20)  # rows hold no cycles, and most end before so many exist
    return TargetMailing.cli


if __name__ == "__main__":
    main()
