"""A PgBouncer of the system before a PostgreSQL server, for the time of a test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

#: Debian installs it where only root looks.
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed on this machine")


@contextmanager
def pgbouncer(url: str, **settings: object) -> Iterator[str]:
    """Start it with these settings beside the usual ones; yields the URL of the database behind it."""
    server = Path(parse_qs(urlsplit(url).query)["host"][0])
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir="/tmp"))
    (folder / "users.txt").write_text('"postgres" ""\n')
    usual = {
        "listen_port": 6432, "unix_socket_dir": folder, "auth_type": "trust", "auth_file": folder / "users.txt",
        "pool_mode": "session", "default_pool_size": 8, "admin_users": "postgres",
    }  # fmt: skip
    lines = [f"{name} = {value}" for name, value in (usual | settings).items()]
    (folder / "ini").write_text(f"[databases]\n* = host={server}\n[pgbouncer]\n" + "\n".join(lines) + "\n")
    command = [str(PROGRAM), "-q", str(folder / "ini")]
    if os.geteuid() == 0:  # it refuses root
        owner = server.owner()
        shutil.chown(folder, owner)
        command[1:1] = ["-u", owner]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        behind = f"postgresql://postgres:@localhost:6432/postgres?host={folder}"
        _wait_for(behind, process)
        yield behind
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url.replace("/postgres?", "/pgbouncer?"), autocommit=True).close()
        except psycopg.OperationalError:
            assert process.poll() is None, "PgBouncer ended"
            assert time.monotonic() < deadline, "PgBouncer does not answer"
            time.sleep(0.02)
        else:
            return
