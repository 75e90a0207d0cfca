"""Environment variables that configure logging, checked before anything else."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

from mailing_api.errors import MailingError

__all__ = ["set_up"]

Command = TypeVar("Command")


def set_up(program: str, load: Callable[[], Command]) -> Command:
    """Load a command, which configures logging by environment variables; if these are wrong, exit with status 1.

    Args:
        program: name of the command, such as `tap-mailing`.
        load: returns the command.
    """
    if wrong := _wrong_level(program):
        _end(wrong)
    try:
        return load()
    except MailingError as exc:  # for example, a provider's package cannot be loaded
        _end(str(exc))
    except Exception as exc:
        if "SINGER_SDK_LOG_CONFIG" not in os.environ:
            raise
        _end(
            f"The log configuration in the environment variable SINGER_SDK_LOG_CONFIG cannot be used "
            f"({type(exc).__name__}). Correct the file, or unset the variable."
        )


def _wrong_level(program: str, environ: Mapping[str, str] = os.environ) -> str | None:
    own = f"{program.upper().replace('-', '_')}_LOGLEVEL"
    name = own if environ.get(own) else "LOGLEVEL"
    level = environ.get(name)
    if not level or level.upper() in logging.getLevelNamesMapping():
        return None
    return f"The environment variable {name} is not a log level: set it to DEBUG, INFO, WARNING, ERROR or CRITICAL."


def _end(line: str) -> NoReturn:
    sys.stderr.write(f"{line}\n")
    sys.exit(1)
