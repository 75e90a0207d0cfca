"""Hints about environment variables in the error for a missing setting; no value is shown."""

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
    """Return the hints for an error about settings that are not set, with a space before them; "" for none.

    Args:
        message: names settings in backticks.
        settings: all settings of the plugin.
        config: the configuration before any change.
        prefix: of the plugin's own environment variables.
        is_read: the plugin reads these (`--config=ENV`).
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
    hints = ""
    if unread:
        them = "it is" if len(unread) == 1 else "they are"
        hints += f" {_are(unread)} in the environment; {them} read only with --config=ENV."
    if empty:
        hints += f" {_are(empty)} empty in the environment, which means unset."
    return hints


def _are(names: Sequence[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"
