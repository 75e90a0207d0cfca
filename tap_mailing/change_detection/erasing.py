"""`--erase`: the rows of one person leave the snapshots; all other rows stay known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from mailing_api.addresses import fold_address, other_spelling, sent_address
from mailing_api.counted import counted
from mailing_api.errors import ConfigurationError
from mailing_api.process.asking import is_confirmed, key_values, named
from tap_mailing.change_detection.changes import hidden_key, open_store
from tap_mailing.change_detection.store import Entry, Store
from tap_mailing.settings import SnapshotPlace

__all__ = ["erase"]

_QUESTION: Final = "Erase this? It cannot be undone. Type yes: "
_BEYOND: Final = (
    "Not reached: the provider, from which the next run writes the row again, as a new one, while it exists there; the "
    "warehouse; STATE, which holds nobody; and backups."
)
_ADDRESSES: Final = (
    "Of a key with an address only a digest is kept: write the address exactly as the provider does, in the same "
    "letter case, and the whole key, which may have more columns: ADDRESS/REGION/LIST, for example. "
)
_NEVER_REPORTED: Final = (
    "A row that is deleted at the provider by now, and was not when the tap last ran, would never be reported as gone: "
    "then run the tap first."
)


def erase(place: SnapshotPlace | None, where: str, *, is_sure: bool) -> None:
    """Erase the rows that have one key, after saying on standard output how many there are, and asking.

    Args:
        place: of the snapshots; None for none.
        where: the value of the option, see `named`.
        is_sure: do not ask.

    Raises:
        ConfigurationError: nobody was named, nobody said yes, a run holds the snapshots, or they cannot be written.
    """
    text, stream = [*named(where, "--erase", lambda _: True), None][:2]
    if text is None:
        raise ConfigurationError("Option --erase found nothing.")
    if place is None:
        click.echo("Setting `change_detection` is not set, so the tap remembers nobody.")
        return
    if isinstance(place, Path) and not place.exists():
        click.echo(f"Snapshots: {place} (does not exist, so nothing is remembered)")
        return
    with open_store(place) as store:
        click.echo(f"Snapshots: {store.name}")
        entries = _find(store, text, stream)
        if not entries:
            store.compact()  # an erasure before this one may have been stopped
            click.echo("No row with this key is known here. " + (_ADDRESSES if "@" in text else "") + _BEYOND)
            return
        for name, count in sorted(Counter(entry.stream for entry in entries).items()):
            click.echo(f"  {name}: {counted(count, 'row')}")
        if any(entry.exists for entry in entries):
            click.echo(_NEVER_REPORTED)
        if not (is_sure or _is_confirmed()):
            raise ConfigurationError("Nothing was erased: the answer to the question of --erase was not yes.")
        for entry in entries:
            store.hold(entry)
        store.erase(entries)
        store.compact()
        click.echo(f"Erased: {counted(len(entries), 'row')}. " + _BEYOND)


def _is_confirmed() -> bool:
    try:
        return is_confirmed(_QUESTION)
    except OSError:
        raise ConfigurationError(
            "Option --erase asks at a terminal whether to erase, and there is none. Add --yes. Nothing was erased."
        ) from None


def _find(store: Store, text: str, stream: str | None) -> list[Entry]:
    """The rows whose key a string may stand for."""
    keys = {text}
    for values in key_values(text):
        for spelled in _spellings(values):
            encoded = msgspec.json.encode(spelled)
            keys |= {encoded.decode(), hidden_key(store.secret, encoded)}
            if len(spelled) == 1 and isinstance(spelled[0], str):
                keys.add(spelled[0])
    return [entry for entry in store.entries(sorted(keys)) if stream in {None, entry.stream}]


def _spellings(values: Sequence[Any]) -> list[list[Any]]:
    """A key in each spelling of the address in it."""
    for at, value in enumerate(values):
        if isinstance(value, str) and "@" in value:
            return [[*values[:at], one, *values[at + 1 :]] for one in _of_address(value)]
    return [[*values]]


def _of_address(text: str) -> list[str]:
    try:
        email = sent_address(text)
    except ValueError:
        return [text]
    forms = (text, email, email.lower(), fold_address(email), other_spelling(email))
    return [*dict.fromkeys(one for one in forms if one)]
