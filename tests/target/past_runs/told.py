"""Asking for past runs, in this process."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from singer_sdk.plugin_base import _ConfigInput

from target_mailing.target import TargetMailing
from tests.target.conftest import Mailjet


def told(account: Mailjet, run: str = "", **config: Any) -> str:
    """The answer to `--history`, which is readable at 80 columns, but for the names of files."""
    out = io.StringIO()
    given = _ConfigInput(config=account.settings(**config), parse_env=False)
    with contextlib.redirect_stdout(out):
        TargetMailing.invoke(config=given, history=run)
    text = out.getvalue()
    assert all(len(line) <= 80 or "/" in line for line in text.splitlines()), text
    return text
