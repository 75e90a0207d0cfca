"""STATE on standard output."""

from __future__ import annotations

import sys

__all__ = ["StdoutClosedError", "write_state"]


class StdoutClosedError(Exception):
    """The STATE cannot be written, most often because its reader has ended."""


def write_state(state: bytes) -> None:
    """Write a STATE to standard output.

    Raises:
        StdoutClosedError: it cannot be written.
    """
    try:
        if (binary := getattr(sys.stdout, "buffer", None)) is not None:
            binary.write(state + b"\n")
        else:
            sys.stdout.write(state.decode() + "\n")
        sys.stdout.flush()
    except OSError as exc:
        if isinstance(exc, BrokenPipeError):
            message = "Standard output is closed: nothing reads the STATE"
        else:
            message = f"Standard output cannot be written ({exc.strerror}): the STATE is not complete"
        raise StdoutClosedError(f"{message}, so it is not acknowledged.") from None
