"""Erasing one person, in this process; and what is on disk."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from singer_sdk.plugin_base import _ConfigInput

from target_mailing.target import TargetMailing
from tests.target.conftest import Mailjet


def asked_to_erase(account: Mailjet, text: str, *, yes: bool = True, **config: Any) -> tuple[str, BaseException | None]:
    """What is printed about a key or an address, and the error that follows."""
    file = account.folder / "person.txt"
    file.write_text(text)
    out, error = io.StringIO(), None
    given = _ConfigInput(config=account.settings(**config), parse_env=False)
    try:
        with contextlib.redirect_stdout(out):
            TargetMailing.invoke(config=given, erase=str(file), yes=yes)
    except Exception as exc:  # noqa: BLE001 - the test looks at it
        error = exc
    finally:
        file.unlink()
    return out.getvalue(), error


def erase(account: Mailjet, text: str, **config: Any) -> str:
    """What is printed, with single spaces; there is no error."""
    out, error = asked_to_erase(account, text, **config)
    assert error is None, error
    assert max(map(len, out.splitlines())) <= 80 or str(account.folder) in out
    return " ".join(out.split())


def on_disk(folder: Path) -> bytes:
    """The bytes of all files of a folder, and their names."""
    return b"\n".join(part for path in folder.rglob("*") if path.is_file() for part in (bytes(path), path.read_bytes()))
