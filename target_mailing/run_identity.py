"""What is known of a run when it begins, and how it ended."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from mailing_api.values import timestamp_of

__all__ = ["RUN_ID", "AboutRun", "about_run", "exit_code", "run_id_at"]

#: A pattern of the IDs of runs.
RUN_ID: Final = r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}"

_UNPUNCTUATED: Final = str.maketrans("", "", "-:")


class AboutRun(msgspec.Struct, frozen=True):
    """A run that begins.

    Attributes:
        run_id: unique, in the order of time.
        began_at: Unix seconds.
        account: provider and account.
        list: the setting; None if it is unset.
        version: of the package.
    """

    run_id: str
    began_at: float
    account: str | None = None
    list: str | None = None
    version: str | None = None


def about_run(config: Mapping[str, Any], *, account: str, version: str) -> AboutRun:
    """A run of these settings that begins now."""
    name, now = config.get("list"), time.time()
    shown = name if name is None or isinstance(name, str) else msgspec.json.encode(name).decode()
    return AboutRun(f"{run_id_at(now)}-{os.urandom(4).hex()}", now, account, shown, version)


def run_id_at(seconds: float) -> str:
    """How the IDs of runs begin that began at this time (Unix seconds); they are in the order of their times."""
    return timestamp_of(datetime.fromtimestamp(seconds, UTC)).translate(_UNPUNCTUATED)


def exit_code(failure: type[BaseException] | None, error: BaseException | None) -> int:
    """The exit code of a run, given what the exit of a context is given."""
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return 0 if failure is None else 1
