"""Standard output that writes every message whole, however little its reader takes at a time.

If Python's own is unbuffered (`PYTHONUNBUFFERED`), and the process is stopped and continued meanwhile, it writes a part
of a message and returns a count that no caller checks. It fails at once if the pipe is set not to block, which another
process that shares the pipe may do.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import select
import stat
import sys
import termios
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["WholeOutput", "failure", "flush_before", "hurry", "install"]

#: Bytes that a pipe takes without blocking once it takes any.
_PIECE: Final = select.PIPE_BUF
#: Bytes written at once to a file on disk, which never waits for a reader.
_PIECE_OF_FILE: Final = 2**20
#: Milliseconds between two checks of whether a write must hurry.
_CHECK: Final = 250


class WholeOutput(io.RawIOBase):
    """Writes to a file descriptor until everything is written. After a failure, it drops everything.

    So no message follows a part of another one, and buffered messages do not keep the program from ending.

    Attributes:
        failure: the exception of a failed write; None for none.
    """

    def __init__(self, descriptor: int) -> None:
        """Use a file descriptor, which stays open."""
        super().__init__()
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._capacity = _capacity(descriptor)
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
        """Return whether it is a terminal."""
        return os.isatty(self._descriptor)

    def hurry(self, seconds: float) -> None:
        """Make writes fail that take longer from now on, the present one included when a signal handler calls this."""
        self._patience, self._hurried_at = seconds, time.monotonic()

    def write(self, data: ReadableBuffer, /) -> int:
        """Write everything.

        Raises:
            OSError: it cannot be written; a part may be written.
        """
        left = memoryview(data).cast("B")
        whole = len(left)
        started = time.monotonic()
        try:
            while left and self.failure is None:
                self._wait(started)
                left = left[self._write_some(left[: self._room()]) :]
        except BaseException as exc:
            self.failure = exc
            raise
        return whole

    def _write_some(self, piece: memoryview) -> int:
        try:
            return os.write(self._descriptor, piece)
        except BlockingIOError:  # another process filled the pipe
            return 0

    def _room(self) -> int:
        """Return how many bytes can be written without blocking, once some can."""
        return self._capacity if self._capacity and _waiting(self._descriptor) == 0 else _PIECE

    def _wait(self, started: float) -> None:
        """Wait until a piece can be written without blocking, so that a signal does not interrupt a write."""
        while not self._poll.poll(_CHECK):
            since = max(started, self._hurried_at)
            if self._patience is not None and time.monotonic() - since > self._patience:
                raise TimeoutError(errno.ETIMEDOUT, f"its reader took nothing for {self._patience:g} s")


def _capacity(descriptor: int) -> int:
    """Return how many bytes are taken without blocking where none wait for a reader; 0 if that is unknown."""
    try:
        _waiting(descriptor)
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return _PIECE_OF_FILE if is_file else fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ)
    except (AttributeError, OSError):  # not on this system, or no pipe
        return 0


def _waiting(descriptor: int) -> int:
    """Return how many bytes a pipe holds; a file holds none behind its end."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


def install() -> None:
    """Make `sys.stdout` write everything whole, if it is a file or a pipe."""
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
    """Call `WholeOutput.hurry` of `sys.stdout`."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, WholeOutput):
        raw.hurry(seconds)


def flush_before(end: SystemExit, report: Callable[[str | None], None]) -> None:
    """Write the buffered output of `sys.stdout` before the program ends.

    Args:
        end: the program's end.
        report: gets the operating system's reason if standard output cannot be written and the program succeeded.

    Raises:
        SystemExit: with another status, since standard output cannot be written.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # as in `--about | head`: the reader has left
        sys.exit(end.code or 1)
    except OSError as exc:
        if not end.code:
            report(exc.strerror)
            sys.exit(1)


def failure() -> str | None:
    """Return the operating system's reason why `sys.stdout` could not be written; None if it could."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return getattr(getattr(raw, "failure", None), "strerror", None)
