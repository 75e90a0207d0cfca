"""The target as a process of its own: rows are fed to it, its STATE is looked at as it comes, and it can be hurt."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.fork_server import FORKS, ROOT, ForkServer
from tests.totals import ENVIRONMENT

__all__ = ["HASTY", "PLAIN", "Target", "until"]

PLAIN, HASTY = "target_mailing", "tests.faults.hasty"


def until(look: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Wait until `look` finds something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.005)
    raise AssertionError(f"not in time: {what}")


class Target:
    """One run of the target."""

    def __init__(
        self,
        config: Path,
        lines: Sequence[bytes],
        *,
        module: str = HASTY,
        cut_at: int | None = None,
        witness: Callable[[Any], None],
        forks: ForkServer = FORKS,
    ) -> None:
        """Start it.

        Args:
            config: the file of its settings.
            lines: its input.
            module: what it runs.
            cut_at: the line before which the input waits for `cut_input`.
            witness: is called with each STATE as it leaves, from another thread.
            forks: starts it.
        """
        self._lines = lines
        self._cut_at = cut_at
        self._cut = threading.Event()
        self._witness = witness
        self.states: list[Any] = []
        self.printed = b""
        self._close_stdout = threading.Event()
        self._stdout_closed = threading.Event()
        readable, written = os.pipe()
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MJ_", "TARGET_"))}
        environment |= ENVIRONMENT | {
            "TARGET_MAILING_LOGLEVEL": "DEBUG", "XDG_STATE_HOME": str(config.parent)
        }  # fmt: skip
        self._process = forks.start(
            module,
            f"--config={config}",
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=subprocess.PIPE,
        )
        os.close(written)
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._feed, lambda: self._read_states(readable), self._read_log)
        ]
        self._log = b""
        for thread in self._threads:
            thread.start()

    # Watching

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    @property
    def log(self) -> str:
        """What it wrote to standard error so far."""
        return self._log.decode(errors="replace")

    def wait(self, seconds: float = 60.0) -> int:
        """Wait for its end; returns its exit code, negative for a signal."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"it did not end within {seconds} s:\n{self.log}") from None
        self._cut.set()
        for thread in self._threads:
            thread.join(10)
        return code

    # Hurting

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def close_stdout(self) -> None:
        """Nobody reads its STATE any more."""
        self._close_stdout.set()
        self._stdout_closed.wait()

    def limit_files(self, size: int) -> None:
        """Let no file of it grow beyond this size: a disk that is full."""
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, size))

    def cut_input(self) -> None:
        """Its input ends in the middle of the line at which it waits."""
        self._cut.set()

    # Threads

    def _feed(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        whole = self._lines if self._cut_at is None else self._lines[: self._cut_at]
        try:
            for at in range(0, len(whole), 9):
                stdin.write(b"".join(whole[at : at + 9]))
                stdin.flush()
                time.sleep(0.004)  # not all in one chunk
            if self._cut_at is not None:
                self._cut.wait()
                line = self._lines[self._cut_at]
                stdin.write(line[: len(line) // 2])
        except OSError:
            pass  # it has ended
        finally:
            with suppress(OSError):  # of what it did not take
                stdin.close()

    def _read_states(self, readable: int) -> None:
        rest = b""
        while not self._close_stdout.is_set():
            if not select.select([readable], [], [], 0.02)[0]:
                continue
            data = os.read(readable, 1 << 16)
            if not data:
                break
            self.printed += data
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                state = json.loads(line)
                self._witness(state)
                self.states.append(state)
        os.close(readable)
        self._stdout_closed.set()
        assert not rest, rest

    def _read_log(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        while data := stderr.read1(1 << 16):
            self._log += data
        stderr.close()
