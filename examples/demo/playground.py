"""A shell to try the examples in, with providers and warehouse on this machine alone: `make playground`.

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
"""Prefixes of environment variables that would change the settings: your own accounts must not be touched."""
WELCOME = """\
A sandbox of all providers listens at {url},
and a PostgreSQL server is the warehouse.
This is a shell with Meltano and psql; `exit` stops everything. Continue with
one of these pages:
  {pages}"""
REPOSITORY = Path(__file__).parents[2]
PAGES = (
    "docs/warehouse-to-provider.md",
    "docs/provider-to-warehouse.md",
    "docs/csv-files.md",
    "examples/warehouse_to_mailing/README.md",
    "examples/mpdx_to_postgrid/README.md",
    "examples/one_opt_out_everywhere/README.md",
    "examples/dagster_many_lists/README.md",
    "examples/airflow_many_lists/README.md",
    "examples/features/README.md",
)


def prepare(sandbox: Sandbox) -> None:
    """Give the accounts a contact list and a bucket, and MPDX some households."""
    sandbox.add_ses_list(REGION, LIST, TOPICS)
    sandbox.add_bucket(REGION, BUCKET)
    sandbox.seed(HOUSEHOLDS, "mpdx")


def environment(sandbox: Sandbox, warehouse: Warehouse, folder: Path) -> dict[str, str]:
    """Return the shell's variables: where everything is, and nothing of your own accounts."""
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
        # Journals and Meltano's state must end with the sandbox.
        "SANDBOX_FOLDER": str(folder),
        "MELTANO_STATE_BACKEND_URI": f"file://{folder}/state",
        "XDG_STATE_HOME": str(folder / "home"),  # journals and rejects of a target outside of Meltano
    }


def wait_for(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run the command in this terminal, and return its status."""
    # Ctrl-C is for the command. A function, since the command would inherit SIG_IGN.
    signal.signal(signal.SIGINT, lambda *_: None)
    with subprocess.Popen(command, env=dict(variables)) as process:
        try:
            return process.wait()
        finally:
            # As when a terminal is closed: a shell ignores SIGTERM.
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
        pages = "\n  ".join(os.path.relpath(REPOSITORY / page) for page in PAGES)
        print(WELCOME.format(url=sandbox.url, pages=pages), flush=True)
        # The status of the last command in the shell is not that of the playground.
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
