"""The command at a terminal, at which somebody types answers."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterable

from tests.target.command.test_command import Command
from tests.target.conftest import Mailjet

__all__ = ["at_a_terminal"]

#: Makes a terminal its own, and begins.
_AT_TERMINAL = """
import fcntl, runpy, sys, termios
fcntl.ioctl(int(sys.argv.pop(1)), termios.TIOCSCTTY, 0)
runpy.run_module("target_mailing", run_name="__main__")
"""


def at_a_terminal(mailjet: Mailjet, typed: Iterable[str], *options: str, given: str) -> tuple[str, str, int]:
    """What the command prints, its log, and its exit code.

    Args:
        mailjet: has the settings.
        typed: lines, each typed when the terminal shows a question.
        options: of the command.
        given: standard input, which is not the terminal.
    """
    leader, follower = pty.openpty()
    command = Command(mailjet)
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _AT_TERMINAL, str(follower), *options, "--config", str(command.config)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            pass_fds=[follower],
        )  # fmt: skip
        with process:
            shown = b""
            for line in typed:
                while not shown.rstrip().endswith(b":"):
                    shown += os.read(leader, 1000)
                os.write(leader, f"{line}\n".encode())
                shown = b""
            out, err = process.communicate(given.encode(), timeout=60)
        return out.decode(), err.decode(), process.returncode
    finally:
        os.close(leader)
        os.close(follower)
