"""A shell in which the examples run: the providers and the warehouse are on this machine alone: `make playground`.

The sandbox stands in for Mailjet, Amazon SES with S3, MPDX and PostGrid, and a PostgreSQL server from the package
registry is the warehouse. Both are gone when the shell ends. Meltano and psql are on its PATH.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import sandbox as sandboxes
import warehouse as warehouses
from interrupts import Interrupts
from processes import PATIENCE, CommandFailed
from sandbox import Sandbox
from warehouse import Warehouse

REGION = "eu-west-1"
LIST = "Customers"
TOPICS = {"Offers": "OPT_OUT"}
BUCKET = "imports"
HOUSEHOLDS = 60
FORGOTTEN = ("TAP_", "TARGET_", "MELTANO_", "MJ_", "AWS_", "POSTGRID_")
"""Beginnings of environment variables that would change the settings: your own accounts are not to be touched."""
WELCOME = """\
A sandbox of all providers listens at {url}; a PostgreSQL server is the warehouse.
This is a shell with Meltano and psql; `exit` stops everything. Go on with the README.md of an example:
  {examples}"""


def prepare(sandbox: Sandbox) -> None:
    """What an account has before anything is delivered to it, and people at MPDX."""
    sandbox.add_ses_list(REGION, LIST, TOPICS)
    sandbox.add_bucket(REGION, BUCKET)
    sandbox.seed(HOUSEHOLDS, "mpdx")


def environment(sandbox: Sandbox, warehouse: Warehouse, folder: Path) -> dict[str, str]:
    """The shell's variables: where everything is, and nothing of your own accounts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FORGOTTEN)}
    programs = [str(Path(sys.executable).parent), kept.get("PATH", os.defpath), str(warehouse.programs)]
    return {
        **kept,
        "PATH": os.pathsep.join(programs),
        "SANDBOX_URL": sandbox.url,
        "SANDBOX_API_KEY": sandbox.api_key,
        "SANDBOX_SECRET_KEY": sandbox.secret_key,
        "SANDBOX_POSTGRID_KEY": sandbox.postgrid_key,
        "SANDBOX_WAREHOUSE_URL": warehouse.url,
        # What is remembered of the sandbox must not outlive it: journals, and Meltano's state.
        "SANDBOX_FOLDER": str(folder),
        "MELTANO_STATE_BACKEND_URI": f"file://{folder}/state",
        "XDG_STATE_HOME": str(folder / "home"),  # journals and rejects of a target outside of Meltano
    }


def wait_for(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run the command in this terminal, and return its status."""
    # Ctrl-C is for the command. A function, since what is ignored would be ignored by the command as well.
    signal.signal(signal.SIGINT, lambda *_: None)
    with subprocess.Popen(command, env=dict(variables)) as process:
        try:
            return process.wait()
        finally:
            # As a terminal that is closed: a shell pays no attention to SIGTERM.
            process.send_signal(signal.SIGHUP)
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()


def run(command: Sequence[str]) -> int:
    """Start everything, run the command or else a shell, stop everything."""
    interrupts = Interrupts()
    with ExitStack() as stack:
        temporary = warehouses.temporary_folder()
        sandbox = stack.enter_context(sandboxes.started(interrupts, logs=temporary, folder=temporary))
        warehouse = stack.enter_context(warehouses.started(interrupts, temporary))
        prepare(sandbox)
        variables = environment(sandbox, warehouse, temporary)
        if command:
            return wait_for(command, variables)
        examples = sorted(each.parent for each in Path(__file__).parents[1].glob("*/meltano.yml"))
        print(WELCOME.format(url=sandbox.url, examples="\n  ".join(map(str, examples))), flush=True)
        # What the last command in the shell ended with says nothing about the playground.
        wait_for([os.environ.get("SHELL") or shutil.which("sh") or "/bin/sh"], variables)
        return 0


def main() -> int:
    """Run the playground; the status is that of the command, if one was given."""
    try:
        return run(sys.argv[1:])
    except CommandFailed as error:
        print(error.log.read_text(encoding="utf-8", errors="replace"), f"FAILED: {error}", sep="\n", file=sys.stderr)
        return 1
    except SystemExit as stopped:
        return int(stopped.code or 1)


if __name__ == "__main__":
    sys.exit(main())
