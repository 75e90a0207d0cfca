"""Asking about one person, in this process."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from singer_sdk.plugin_base import _ConfigInput

from target_mailing.target import TargetMailing
from tests.target.conftest import Mailjet


def explained(account: Mailjet, text: str, **config: Any) -> tuple[str, BaseException | None]:
    """The answer about a key or an address, and the error that follows it."""
    file = account.folder / "person.txt"
    file.write_text(text)
    out, error = io.StringIO(), None
    given = _ConfigInput(config=account.settings(**config), parse_env=False)
    try:
        with contextlib.redirect_stdout(out):
            TargetMailing.invoke(config=given, explain=str(file))
    except Exception as exc:  # noqa: BLE001 - the test looks at it
        error = exc
    finally:
        file.unlink()
    return out.getvalue(), error


def answer(account: Mailjet, text: str, **config: Any) -> str:
    """The answer, with single spaces; there is no error."""
    out, error = explained(account, text, **config)
    assert error is None
    assert max(map(len, out.splitlines())) <= 80 or str(account.folder) in out
    return " ".join(out.split())
