"""Runs of the commands by a process that has imported both plugins and forks: Python's start takes longer than most.

A forked run is the real command, `python -m MODULE`, but not a fresh interpreter: of what Python reads at its start,
only PYTHONUNBUFFERED is imitated, and modules are not torn down at its end. Tests of that ask for a fresh one. It does
not wait a minute for jobs that may be listed late, either.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import importlib.metadata
import io
import json
import os
import runpy
import select
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, CompletedProcess, TimeoutExpired
from typing import Any, Self

__all__ = ["FORKS", "ROOT", "ForkServer", "ForkedProcess", "FreshProcess"]

ROOT = Path(__file__).parents[1]
#: Both plugins, and what their runs import when they need it.
IMPORTED = (
    "tap_mailing.tap", "target_mailing.target", "mailing_api.process.log_settings", "mailing_api.process.start",
    "mailing_api.aws.s3", "botocore.auth", "botocore.awsrequest", "botocore.session", "importlib_metadata._adapters",
    "psycopg", "sqlalchemy.dialects.sqlite", "pendulum", "tests.totals", "yaml",
    *(f"tap_mailing.{provider}.streams" for provider in ("mailjet", "mpdx", "postgrid", "ses")),
    *(f"target_mailing.{provider}.account" for provider in ("mailjet", "postgrid", "ses")),
    "target_mailing.mpdx.contact_streams", "encodings.utf_8_sig", "encodings.unicode_escape",
)  # fmt: skip
#: Bytes of a request: arguments and environment of a run.
_LONGEST = 1 << 20


class ForkedProcess:
    """A run, with what the tests use of `subprocess.Popen`; it does not outlive a `with` that failed."""

    def __init__(self, args: Sequence[str], streams: Mapping[str, Any], status: int) -> None:
        self.args = args
        self.stdin, self.stdout, self.stderr = (streams.get(name) for name in ("stdin", "stdout", "stderr"))
        self.returncode: int | None = None
        self._status = status
        self.pid = self._receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.kill()
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()
        try:
            if self.stdin:
                self.stdin.close()
        finally:
            self.wait()

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._end(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        code = self._end(timeout)
        if code is None:
            raise TimeoutExpired(self.args, timeout or 0.0)
        return code

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:  # noqa: A002
        """Write its whole input, read its whole output, wait for its end."""
        found: dict[str, Any] = {}
        work = [threading.Thread(target=self._feed, args=[input], daemon=True)] if self.stdin else []
        work += [
            threading.Thread(target=self._read, args=[name, found], daemon=True)
            for name in ("stdout", "stderr")
            if getattr(self, name)
        ]
        for thread in work:
            thread.start()
        deadline = None if timeout is None else time.monotonic() + timeout
        for thread in work:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                raise TimeoutExpired(self.args, timeout or 0.0)
        self.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return found.get("stdout"), found.get("stderr")

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _feed(self, data: Any) -> None:
        try:
            if data:
                self.stdin.write(data)
        except BrokenPipeError:
            pass  # it has ended
        finally:
            with suppress(BrokenPipeError):
                self.stdin.close()

    def _read(self, name: str, found: dict[str, Any]) -> None:
        with getattr(self, name) as stream:
            found[name] = stream.read()

    def _end(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = self._receive()
            os.close(self._status)
        return self.returncode

    def _receive(self) -> int:
        (number,) = struct.unpack("i", os.read(self._status, 4))
        return int(number)


class FreshProcess(subprocess.Popen[Any]):
    """A run by a fresh interpreter, which does not outlive a `with` that failed either."""

    def __exit__(self, kind: type[BaseException] | None, *more: object) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *more)


class ForkServer:
    """Runs modules in forks of a process, which it starts when it is first asked for one."""

    def __init__(self, *path: Path) -> None:
        """Make a server, not started yet.

        Args:
            path: folders in which packages are looked for, too, with their entry points.
        """
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [ROOT, *path]))}
        self._socket: socket.socket | None = None

    def start(
        self,
        module: str,
        *arguments: str,
        fresh: bool = False,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        text: bool = False,
    ) -> ForkedProcess | FreshProcess:
        """Start `python -m MODULE ARGUMENTS`; see `subprocess.Popen`.

        Args:
            fresh: start an interpreter for it, as a shell does.
        """
        if fresh:
            command = [sys.executable, "-m", module, *arguments]
            return FreshProcess(command, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, text=text)
        theirs: list[int] = []
        ours: dict[str, Any] = {}
        own: list[int] = []
        for number, (name, given) in enumerate((("stdin", stdin), ("stdout", stdout), ("stderr", stderr))):
            if given == PIPE:
                readable, writable = os.pipe()
                mode, kept, sent = ("w", writable, readable) if name == "stdin" else ("r", readable, writable)
                ours[name] = open(kept, mode if text else f"{mode}b")  # noqa: SIM115, PTH123
                own.append(sent)
            elif given == DEVNULL:
                sent = os.open(os.devnull, os.O_RDWR)
                own.append(sent)
            elif given is None:
                sent = number
            else:
                sent = given if isinstance(given, int) else given.fileno()
            theirs.append(sent)
        status, reports = os.pipe()
        own.append(reports)
        request = {
            "module": module, "arguments": arguments, "cwd": str(cwd or Path.cwd()),
            "environment": dict(os.environ if env is None else env),
        }  # fmt: skip
        socket.send_fds(self._connected(), [json.dumps(request).encode()], [*theirs, reports])
        for descriptor in own:
            os.close(descriptor)
        return ForkedProcess([module, *arguments], ours, status)

    def run(
        self,
        module: str,
        *arguments: str,
        input: Any = None,  # noqa: A002
        timeout: float = 60.0,
        stdout: Any = PIPE,
        stderr: Any = PIPE,
        **options: Any,
    ) -> CompletedProcess[Any]:
        """Run `python -m MODULE ARGUMENTS` to its end; see `start`, and `subprocess.run`."""
        if input is not None:
            options["stdin"] = PIPE
        with self.start(module, *arguments, stdout=stdout, stderr=stderr, **options) as process:
            out, err = process.communicate(input, timeout)
        return CompletedProcess(process.args, process.wait(), out, err)

    def close(self) -> None:
        """End it; runs go on."""
        if self._socket is not None:
            self._socket.close()
            self._process.wait()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            readable, writable = os.pipe()  # of a pipe, as that of most runs: `sys.stdin` is kept by the plugins
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=readable,
                    cwd=ROOT,
                    env=self._environment,
                )
            os.close(readable)
            os.close(writable)
        return self._socket


#: That of this test process.
FORKS = ForkServer()


# The server


def _prepare() -> None:
    """Do once what every run would do anew."""
    for module in IMPORTED:
        with suppress(ModuleNotFoundError):  # newer Pythons need no importlib_metadata
            importlib.import_module(module)
    from mailing_api.http import certificates
    from target_mailing.delivery import doubts
    from target_mailing.journal.journal import Journal
    from target_mailing.journal.stores import MemoryStore
    from tests.remembered import remember_between_runs

    remember_between_runs()
    doubts.LISTED_WITHIN = 0.4
    with closing(Journal(MemoryStore())) as journal:  # the statements that open one are compiled
        journal.retention.forget_before(0.0)
    certificates.nobody()
    for package in ("tap-target-mailing", "singer-sdk"):
        importlib.metadata.version(package)
    gc.freeze()


def _serve(descriptor: int) -> dict[str, Any]:
    """Fork at each request; returns in the forks alone, with their request."""
    runs: dict[int, tuple[int, int]] = {}
    with selectors.DefaultSelector() as selector, socket.socket(fileno=descriptor) as requests:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in runs:
                    selector.unregister(key.fd)
                    pid, reports = runs.pop(key.fd)
                    os.close(key.fd)
                    _report(reports, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    os.close(reports)
                    continue
                request, descriptors, _, _ = socket.recv_fds(requests, _LONGEST, 4)
                if not request:
                    os._exit(0)
                *streams, reports = descriptors
                pid = os.fork()
                if not pid:
                    for other, (_, others) in runs.items():
                        os.close(other)
                        os.close(others)
                    os.close(reports)
                    _take(streams)
                    found: dict[str, Any] = json.loads(request)
                    return found
                for stream in streams:
                    os.close(stream)
                _report(reports, pid)
                run = os.pidfd_open(pid)
                runs[run] = pid, reports
                selector.register(run, selectors.EVENT_READ)


def _report(descriptor: int, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody waits for it
        os.write(descriptor, struct.pack("i", number))


def _take(streams: Sequence[int]) -> None:
    """Make these the standard streams."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)


def _begin(request: Mapping[str, Any]) -> None:
    """Be as a process that has just begun."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    sys.argv[1:] = request["arguments"]
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    is_buffered = not os.environ.get("PYTHONUNBUFFERED")
    sys.stdin.reconfigure(write_through=not is_buffered)  # type: ignore[union-attr]
    for name, given in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        file: Any = open(given.fileno(), "wb", -1 if is_buffered else 0, closefd=False)  # noqa: SIM115
        (file.raw if is_buffered else file).name = f"<{name}>"
        by_lines = is_buffered and (name == "stderr" or file.isatty())
        stream = io.TextIOWrapper(file, given.encoding, given.errors, "\n", by_lines, write_through=not is_buffered)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _run(module: str) -> None:
    """Run it, and end as Python does, but for what takes longest: taking down every module."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    else:
        code = 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the tests
    _prepare()
    request = _serve(int(sys.argv[1]))
    _begin(request)
    _run(request["module"])
