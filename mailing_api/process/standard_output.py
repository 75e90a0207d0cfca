"""Standard output that takes every message whole, however little its reader takes at a time.

Python's own writes a part of a message, and says so by a count that nobody looks at, where it is unbuffered
(`PYTHONUNBUFFERED`) and the process is stopped and continued meanwhile; and it fails at once where the pipe does not
block, which whoever shares the pipe may have set.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["WholeOutput", "failure", "flush_before", "hurry", "install"]

#: Bytes that a pipe takes without blocking once it takes any.
_PIECE: Final = select.PIPE_BUF
#: Milliseconds between two looks at whether a write has to hurry.
_LOOK: Final = 250


class WholeOutput(io.RawIOBase):
    """Writes to a file descriptor until everything is written. After a failure, what is still given to it is dropped.

    So no message follows the part of another, and nothing that is still buffered keeps the program from ending.

    Attributes:
        failure: why a write failed; None where none did.
    """

    def __init__(self, descriptor: int) -> None:
        """Write to a file descriptor, which stays open."""
        super().__init__()
        self._descriptor = descriptor
        self._patience: float | None = None
        self._hurried_at = 0.0
        self.failure: BaseException | None = None

    def fileno(self) -> int:
        """The file descriptor."""
        return self._descriptor

    def writable(self) -> bool:
        """True."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def hurry(self, seconds: float) -> None:
        """From now on a write that takes longer fails; the one under way, too, when a signal handler calls this."""
        self._patience, self._hurried_at = seconds, time.monotonic()

    def write(self, data: ReadableBuffer, /) -> int:
        """Write everything.

        Raises:
            OSError: that is not possible; a part may be written.
        """
        left = memoryview(data).cast("B")
        whole = len(left)
        started = time.monotonic()
        try:
            while left and self.failure is None:
                self._wait(started)
                left = left[self._write_some(left[:_PIECE]) :]
        except BaseException as exc:
            self.failure = exc
            raise
        return whole

    def _write_some(self, piece: memoryview) -> int:
        try:
            return os.write(self._descriptor, piece)
        except BlockingIOError:  # somebody else filled the pipe
            return 0

    def _wait(self, started: float) -> None:
        """Wait until a piece can be written without blocking, so that a signal never finds a write half done."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while not poll.poll(_LOOK):
            since = max(started, self._hurried_at)
            if self._patience is not None and time.monotonic() - since > self._patience:
                raise TimeoutError(errno.ETIMEDOUT, f"its reader took nothing for {self._patience:g} s")


def install() -> None:
    """Make `sys.stdout` take everything whole, if it is a file or a pipe."""
    plain = sys.stdout
    try:
        descriptor = plain.fileno()
    except (AttributeError, OSError, ValueError):  # closed, or in memory
        return
    plain.flush()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(WholeOutput(descriptor)),
        encoding=plain.encoding,
        errors=plain.errors,
        newline="\n",
        line_buffering=plain.isatty(),
    )


def hurry(seconds: float) -> None:
    """See `WholeOutput.hurry`, of `sys.stdout`."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, WholeOutput):
        raw.hurry(seconds)


def flush_before(end: SystemExit, tell: Callable[[str | None], None]) -> None:
    """See that what was printed to `sys.stdout` has left, before the program ends.

    Args:
        end: how it is to end.
        tell: is given why standard output takes nothing, in the system's words, if the program was to end well.

    Raises:
        SystemExit: with another status, since standard output takes nothing.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # as in `--about | head`: its reader has seen enough
        sys.exit(end.code or 1)
    except OSError as exc:
        if not end.code:
            tell(exc.strerror)
            sys.exit(1)


def failure() -> str | None:
    """Why `sys.stdout` could not be written, in the system's words; None where it could."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    exc = raw.failure if isinstance(raw, WholeOutput) else None
    return exc.strerror if isinstance(exc, OSError) else None
