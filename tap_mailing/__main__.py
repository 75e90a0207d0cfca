"""`tap-mailing`, and `python -m tap_mailing`."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Final

from mailing_api.process.start import start

__all__ = ["main"]

#: Seconds after a signal: the tap only logs a line.
_PATIENCE: Final = 1.0


def main() -> None:
    """Run the tap from the command line."""
    start("tap-mailing", _load, patience=_PATIENCE)


def _load() -> Callable[[], object]:
    from tap_mailing.tap import TapMailing  # noqa: PLC0415

    gc.set_threshold(50_000, 20, 20)  # pages hold no cycles
    return TapMailing.cli


if __name__ == "__main__":
    main()
