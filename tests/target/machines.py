"""What the state machines of consent share: where their journals are, how rows are looked at."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from target_mailing.delivery.shared_keys import SharedKeys

__all__ = ["WITHHELD", "folded", "journal_folder", "keys_of_one_person", "rows_alone"]

#: Statuses of rows that neither put nor take anybody.
WITHHELD = {"excluded", "pending"}


def journal_folder() -> Path:
    """A new folder, to be removed by the machine."""
    return Path(tempfile.mkdtemp(prefix="consent-"))


def folded(address: str | None) -> str | None:
    """An address as the provider knows it."""
    return None if address is None else address.lower()


def rows_alone(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Keys of which there is one row, each with that."""
    ids = [row["id"] for row in rows]
    return ((row["id"], row) for row in rows if ids.count(row["id"]) == 1)


@contextmanager
def keys_of_one_person() -> Iterator[None]:
    """However often a key of a log moves, it is taken for one person's; see `test_repeated_keys.py` for others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SharedKeys, "_moves_too_much", lambda *_, **__: False)
        yield
