"""`tap-mailing`, and `python -m tap_mailing`."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable

from mailing_api.process.log_settings import set_up

__all__ = ["main"]


def main() -> None:
    """Run the tap from the command line.

    What is loaded stays, so the collector is off meanwhile: it takes a tenth of the start otherwise.
    """
    signal.signal(signal.SIGINT, _leave)
    set_up("tap-mailing", _load)()


def _load() -> Callable[[], object]:
    gc.disable()
    from tap_mailing.tap import TapMailing  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    return TapMailing.cli


def _leave(*_: object) -> None:
    """End at once; the plugin has a better answer to signals when it is loaded."""
    os._exit(130)


if __name__ == "__main__":
    main()
