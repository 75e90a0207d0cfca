"""The start of a command: interrupted at once, loaded quickly, and with one error if it cannot be loaded."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable

from mailing_api.process.log_settings import set_up

__all__ = ["start"]


def start(program: str, load: Callable[[], Callable[[], object]]) -> None:
    """Run a command.

    What is loaded stays, so the collector is off meanwhile: it takes a tenth of the start otherwise.

    Args:
        program: its name, such as `tap-mailing`.
        load: imports it, and returns it.
    """
    signal.signal(signal.SIGINT, _leave)
    gc.disable()
    command = set_up(program, load)
    gc.freeze()
    gc.enable()
    command()


def _leave(*_: object) -> None:
    """End at once; the plugin has a better answer to signals when it is loaded."""
    os._exit(130)
