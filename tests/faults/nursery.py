"""Runs that need not start Python: forked from a process that has imported the target, which takes longer than most."""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired

__all__ = ["Child", "Nursery", "serve"]

ROOT = Path(__file__).parents[2]
#: Arguments and environment of a run.
_LONGEST = 1 << 20


class Child:
    """A run, as `subprocess.Popen` would show it."""

    def __init__(self, arguments: Sequence[str], stdin: int, stderr: int, told: int) -> None:
        self._arguments = arguments
        self._told = told
        self._code: int | None = None
        self.stdin = os.fdopen(stdin, "wb")
        self.stderr = os.fdopen(stderr, "rb")
        self.pid = self._next()

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        code = self._ended(timeout)
        if code is None:
            raise TimeoutExpired(self._arguments, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self._code is None and select.select([self._told], [], [], timeout)[0]:
            self._code = self._next()
            os.close(self._told)
        return self._code

    def _next(self) -> int:
        (number,) = struct.unpack("i", os.read(self._told, 4))
        return int(number)


class Nursery:
    """A process of this module that forks when it is asked to."""

    def __init__(self, module: str) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )

    def fork(self, arguments: Sequence[str], environment: Mapping[str, str], stdout: int) -> Child:
        """Start a run; its standard output goes to this descriptor."""
        (stdin, ours), (theirs, stderr), (told, tells) = os.pipe(), os.pipe(), os.pipe()
        order = json.dumps({"arguments": [*arguments], "environment": {**environment}})
        given = [stdin, stdout, stderr, tells]
        socket.send_fds(self._socket, [order.encode()], given)
        for descriptor in (stdin, stderr, tells):
            os.close(descriptor)
        return Child(arguments, ours, theirs, told)

    def close(self) -> None:
        """End it; runs go on."""
        self._socket.close()
        self._process.wait()


def serve(descriptor: int) -> None:
    """Fork whenever it is asked for; returns in the children alone, with their arguments in `sys.argv`.

    Between them and this process is one for each, which waits for its end: nobody else may.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(fileno=descriptor) as asked:
        while True:
            order, given, _, _ = socket.recv_fds(asked, _LONGEST, 4)
            if not order:
                os._exit(0)
            if os.fork() == 0:
                break
            for one in given:
                os.close(one)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, tells = given
    child = os.fork()
    if child:
        for one in streams:
            os.close(one)
        _tell(tells, child)
        _tell(tells, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os._exit(0)
    os.close(tells)
    for number, one in enumerate(streams):
        os.dup2(one, number)
        os.close(one)
    said = json.loads(order)
    sys.argv[1:] = said["arguments"]
    os.environ.clear()
    os.environ.update(said["environment"])


def _tell(descriptor: int, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody waits any more
        os.write(descriptor, struct.pack("i", number))
