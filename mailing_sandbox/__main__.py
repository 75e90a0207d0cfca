"""The ``mailing-sandbox`` command."""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailing_sandbox.server import Sandbox


def switch(text: str) -> tuple[str, Any]:
    """Take ``name=value`` apart."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected name=value, got {text!r}")
    return name.strip(), value.strip()


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    command = argparse.ArgumentParser(
        prog="mailing-sandbox",
        description="Run local emulators of mailing providers, for tests and trials. No mail is ever sent.",
        epilog="Switches, faults and the control API under /_sandbox are described in docs/sandbox.md.",
    )
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    command.add_argument("--port", type=int, default=8025, help="port, 0 for a free one (default: %(default)s)")
    command.add_argument("--api-key", default="sandbox-key", help="accepted API key (default: %(default)s)")
    command.add_argument("--secret-key", default="sandbox-secret", help="accepted secret key (default: %(default)s)")
    command.add_argument("--contacts", type=int, default=0, metavar="N", help="seed N invented contacts (default: 0)")
    command.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the invented data (default: 1)")
    command.add_argument(
        "--job-seconds",
        type=float,
        default=3.0,
        metavar="S",
        help="duration of a bulk job in seconds (default: %(default)s)",
    )
    command.add_argument(
        "--latency-ms",
        type=float,
        default=0,
        metavar="N",
        help="delay of every call to a provider in milliseconds (default: none)",
    )
    command.add_argument(
        "--rate-limit",
        type=float,
        metavar="R",
        help="respond with 429 to more than R calls a second (default: no limit)",
    )
    command.add_argument(
        "--switch", type=switch, action="append", default=[], metavar="NAME=VALUE", help="set a switch; repeatable"
    )
    command.add_argument(
        "--ready-file", type=Path, metavar="PATH", help="file to write the base URL to, once the sandbox listens"
    )
    return command


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve_until_signalled(sandbox: Sandbox, ready_file: Path | None) -> int:
    """Print the sandbox's URL and wait for SIGINT or SIGTERM; return 1 if the server failed instead."""
    # The signals are queued, not raised: an exception inside Thread.join() makes Python 3.11 take a running thread
    # for an ended one, and a second signal would cut the stopping short.
    signals: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda arrived, _: signals.put(arrived))
    print(  # noqa: T201
        f"Mailing sandbox at {sandbox.url} (API key {sandbox.api_key}, secret key {sandbox.secret_key})",
        flush=True,
    )
    if ready_file is not None:
        draft = ready_file.with_name(ready_file.name + ".part")
        draft.write_text(sandbox.url, encoding="utf-8")
        draft.replace(ready_file)
    while sandbox.running:
        with suppress(Empty):
            signals.get(timeout=1)
            return 0
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox until SIGINT or SIGTERM."""
    command = parser()
    options = command.parse_args(arguments)
    try:
        from mailing_sandbox.server import Sandbox  # noqa: PLC0415
    except ModuleNotFoundError as error:
        command.error(f"{error.name} is not installed. Install this package with its extra `sandbox`.")
    try:
        sandbox = Sandbox(
            contacts=options.contacts,
            seed=options.seed,
            job_seconds=options.job_seconds,
            switches=dict(options.switch),
            latency_ms=options.latency_ms,
            rate_limit=options.rate_limit,
            host=options.host,
            port=options.port,
            api_key=options.api_key,
            secret_key=options.secret_key,
        )
        sandbox.start()
    except KeyboardInterrupt:
        return 130
    except ValueError as error:
        command.error(str(error))
    except OSError as error:
        command.error(f"cannot listen on {options.host}:{options.port}: {error}")
    if not is_loopback(options.host):
        print(  # noqa: T201
            f"Warning: listening on {options.host}: anybody who can reach this machine can read and change the "
            "sandbox's data. Do not use real contacts.",
            file=sys.stderr,
            flush=True,
        )
    try:
        return serve_until_signalled(sandbox, options.ready_file)
    finally:
        sandbox.stop()


if __name__ == "__main__":
    sys.exit(main())
