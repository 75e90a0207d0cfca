"""New, changed and gone rows of a stream, told by the snapshot of its last run: the setting `change_detection`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from mailing_api.counted import counted
from tap_mailing.change_detection.store import Store
from tap_mailing.change_detection.walk import Walk
from tap_mailing.records.columns import TIMESTAMP, Column, constant
from tap_mailing.records.records import Filled, Records, now
from tap_mailing.settings import SnapshotPlace

__all__ = ["DELETED_AT", "Changes", "Snapshots", "open_store"]

logger = logging.getLogger(__name__)

#: The column that says that a row is gone; unset in all others.
DELETED_AT: Final = constant("_sdc_deleted_at", TIMESTAMP, None)

_PACKER: Final = msgspec.msgpack.Encoder(order="deterministic")
_HASH_BYTES: Final = 8
_KEY_BYTES: Final = 16


def open_store(place: SnapshotPlace) -> Store:
    """The store that the setting names; nothing is connected yet.

    Raises:
        ConfigurationError: its URL cannot be read.
    """
    # Slow to import, and most runs need neither.
    if place.path is not None:
        from tap_mailing.change_detection.sqlite import FileStore  # noqa: PLC0415

        return FileStore(place.path)
    from tap_mailing.change_detection.postgres import PostgresStore  # noqa: PLC0415

    return PostgresStore(place.url or "")


class Snapshots(msgspec.Struct, frozen=True):
    """Where a stream finds the snapshot of its account.

    Attributes:
        store: open.
        part: of the stream and account.
        scope: the settings that may limit what the provider lists.
    """

    store: Store
    part: int
    scope: bytes


class Changes:
    """Writes the rows of one walk of a stream that are new or changed, and says which are gone.

    Attributes:
        compares: whether there is a generation to compare with; otherwise all rows count as new, and none as gone.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        records: Records,
        *,
        stream: str,
        fixed: Mapping[str, str],
        keys: Sequence[Column],
        hides_keys: bool,
        shape: bytes,
        state: Any,
    ) -> None:
        """Begin a walk.

        Args:
            snapshots: where the stream's snapshot is.
            records: writes the stream's records.
            stream: its name, for the log.
            fixed: what is the same in all rows: provider and account.
            keys: the columns that tell the account's rows apart.
            hides_keys: keys may be addresses, so that a digest of them is kept.
            shape: what records are made by besides the provider's rows; where it changes, every row has changed.
            state: the entry of STATE, which names a generation for each account.

        Raises:
            ConfigurationError: the snapshot cannot be written.
        """
        store = snapshots.store
        self._records = records
        self._stream = stream
        self._fixed = fixed
        self._keys = [column.name for column in keys]
        self._hides_keys = hides_keys
        # One text is kept as it is, any other key as JSON.
        self._is_plain = len(keys) == 1 and keys[0].schema.get("type") == "string"
        self._state = state if isinstance(state, dict) else {}
        self._begun = hashlib.blake2b(shape + b"\0", key=store.secret, digest_size=_HASH_BYTES)
        self._begun_key = hashlib.blake2b(b"key\0", key=store.secret, digest_size=_KEY_BYTES)
        self._encode = msgspec.json.Encoder().encode
        # Keys of another form are those of other rows, so they belong to what is compared.
        scope = hashlib.blake2b(
            msgspec.json.encode([snapshots.scope, self._keys, hides_keys]), key=store.secret, digest_size=_KEY_BYTES
        ).digest()
        named = self._state.get(fixed["account"])
        self._walk = Walk(store, snapshots.part, scope=scope, named=named if isinstance(named, str) else None)
        self.compares = self._walk.compares
        if not self.compares:
            why = "the snapshot lacks the one that STATE names, or settings differ" if named else "STATE names none"
            logger.info("%s: no generation to compare with (%s), so all rows count as new.", stream, why)

    def write(self, filled: Filled, keys: Filled) -> int:
        """Write those of a page's rows that are new or changed; returns their number.

        Args:
            filled: the page's columns.
            keys: its key columns.
        """
        changed = self._walk.changed(self._texts(keys), self._hashes(filled))
        if changed:
            all_changed = len(changed) == len(filled[0])
            self._records.write(filled if all_changed else [[column[at] for at in changed] for column in filled])
        return len(changed)

    def write_gone(self) -> int:
        """Write a record for each row that is gone, after the walk came to its end; returns their number."""
        fixed = {**self._fixed, DELETED_AT.name: now()}
        count = 0
        for lost in self._walk.gone():
            count += len(lost)
            if not self._hides_keys:
                self._records.write_apart([fixed | self._columns_of(key) for key in lost])
        if count and self._hides_keys:
            logger.warning(
                "%s: %s gone; their keys may be addresses, so no record names them.",
                self._stream,
                counted(count, "row is", "rows are"),
            )
            return 0
        return count

    def complete(self) -> dict[str, str]:
        """Keep the walk, which was read and written to its end, as a generation; returns the entry of STATE."""
        return {**self._state, self._fixed["account"]: self._walk.complete()}

    def _hashes(self, filled: Filled) -> list[int]:
        # The values alone, packed: a fraction of a record's JSON. The columns' names are in the shape.
        rows = list(zip(*filled, strict=True))
        try:
            packed = list(map(_PACKER.encode, rows))
        except OverflowError:
            packed = list(map(_packed, rows))
        copy, number = self._begun.copy, int.from_bytes
        hashes = []
        for one in packed:
            digest = copy()
            digest.update(one)
            hashes.append(number(digest.digest(), "big", signed=True))
        return hashes

    def _texts(self, keys: Filled) -> Sequence[str]:
        if self._is_plain and not self._hides_keys:
            return keys[0]
        encoded = map(self._encode, zip(*keys, strict=True))
        return list(map(self._hidden, encoded)) if self._hides_keys else [one.decode() for one in encoded]

    def _hidden(self, key: bytes) -> str:
        digest = self._begun_key.copy()
        digest.update(key)
        return digest.hexdigest()

    def _columns_of(self, key: str) -> dict[str, Any]:
        return {self._keys[0]: key} if self._is_plain else dict(zip(self._keys, msgspec.json.decode(key), strict=True))


def _packed(row: tuple[Any, ...]) -> bytes:
    try:
        return _PACKER.encode(row)
    except OverflowError:  # a number of more than 64 bits
        return msgspec.json.encode(row, order="deterministic")
