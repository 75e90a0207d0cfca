"""The start of a command: interrupted at once, loaded quickly, with one error if it cannot be loaded."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable

from mailing_api.process.allocator import share_arena
from mailing_api.process.log_settings import set_up
from mailing_api.process.termination import end_after_signal

__all__ = ["start"]


def start(program: str, load: Callable[[], Callable[[], object]], *, patience: float) -> None:
    """Run a command.

    The garbage collector is off meanwhile, since modules stay loaded: it would take a tenth of the start.

    Args:
        program: the command's name, such as `tap-mailing`.
        load: imports and returns the command.
        patience: seconds that the command has to end after a signal; then it is ended.
    """
    signal.signal(signal.SIGINT, _leave)
    _omit_httpx_command()
    share_arena()
    gc.disable()
    command = set_up(program, load)
    end_after_signal(logging.getLogger(program), patience)
    gc.freeze()
    gc.enable()
    command()


def _omit_httpx_command() -> None:
    """Have httpx not load its own command, which takes a third of its start wherever rich is installed."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: it cannot be imported


def _leave(*_: object) -> None:
    """End at once; the plugin handles signals itself once it is loaded."""
    os._exit(130)
