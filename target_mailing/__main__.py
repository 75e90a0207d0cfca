"""`target-mailing`, and `python -m target_mailing`."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final

from mailing_api.process.start import start

__all__ = ["main"]

#: Seconds after a signal: those for replies, for the reader of standard output, and one more.
_PATIENCE: Final = 4.5


def main() -> None:
    """Run the target from the command line."""
    start("target-mailing", _load, patience=_PATIENCE)


def _load() -> Callable[[], object]:
    from target_mailing.target import TargetMailing  # noqa: PLC0415

    gc.set_threshold(500_000, 20, 20)  # rows hold no cycles, and most end before so many exist
    return TargetMailing.cli


if __name__ == "__main__":
    main()
