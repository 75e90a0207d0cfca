"""The end of a process soon after a signal, whatever its main thread waits for.

Python calls a signal handler in the main thread, and only when that thread returns to the interpreter: never while it
waits for a name server, a locked database or a pipe that nobody reads. So another thread learns of the signal, too.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
import time
from typing import Final

from mailing_api.counted import signal_in_words
from mailing_api.process.live_bar import close_bar

__all__ = ["end_after_signal"]

#: Signals that end both plugins.
_ENDING: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
#: Seconds that the main thread has after a second signal, such as those of a terminal and of Meltano for one Ctrl-C.
_AT_ONCE: Final = 0.5
#: Seconds that the log has for its last line: nobody may read it.
_LAST_LINE: Final = 0.2


def end_after_signal(logger: logging.Logger, patience: float) -> None:
    """End the process after a signal with status 128 + its number, unless it has ended before.

    A second signal leaves it half a second. Call this in the main thread, once.

    Args:
        logger: logs that the process was ended.
        patience: seconds that the process has to end on its own.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=[readable, logger, patience], name="signals", daemon=True).start()


def _watch(readable: int, logger: logging.Logger, patience: float) -> None:
    signum = _next_signal(readable, None)
    if _next_signal(readable, patience) is not None:
        _next_signal(readable, _AT_ONCE)
    close_bar()
    line = threading.Thread(
        target=logger.error,
        args=["Stopped by %s, in the middle of a call that did not return in time.", signal_in_words(signum or 0)],
        daemon=True,
    )
    line.start()
    line.join(_LAST_LINE)
    os._exit(128 + (signum or 0))


def _next_signal(readable: int, seconds: float | None) -> int | None:
    """Wait for a signal that ends the process, at most so many seconds."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while select.select([readable], [], [], None if deadline is None else max(0.0, deadline - time.monotonic()))[0]:
        number = os.read(readable, 1)[0]
        if number in _ENDING:
            return number
    return None
