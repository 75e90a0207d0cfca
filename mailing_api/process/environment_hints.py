"""What is said of environment variables where a setting that they could give is missing; no value is shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from mailing_api.settings import Setting

__all__ = ["environment_hints"]


def environment_hints(
    message: str,
    settings: Sequence[Setting],
    config: Mapping[str, object],
    *,
    prefix: str,
    is_read: bool,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """What to add to an error, with a blank before it, for the settings that it names and that are not set.

    Args:
        message: names settings in backticks.
        settings: all of the plugin's.
        config: as it is given.
        prefix: of the plugin's own environment variables.
        is_read: these are read (`--config=ENV`).
        environ: the environment.
    """
    named = {*re.findall(r"`(\w+)`", message)}
    unread: list[str] = []
    empty: list[str] = []
    for setting in settings:
        value = config.get(setting.name)
        if setting.name not in named or not (value is None or value == ""):
            continue
        own = f"{prefix}{setting.name.upper()}"
        if environ.get(own) and not is_read:
            unread.append(own)
        empty += [name for name in (own, setting.env) if name and environ.get(name) == ""]
    told = ""
    if unread:
        them = "it is" if len(unread) == 1 else "they are"
        told += f" {_are(unread)} in the environment; {them} read with --config=ENV only."
    if empty:
        told += f" {_are(empty)} empty in the environment, which is as if unset."
    return told


def _are(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"
