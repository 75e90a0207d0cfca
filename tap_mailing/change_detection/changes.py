"""New, changed and deleted rows of a stream, found by its last run's snapshot: the setting `change_detection`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mailing_api.counted import counted
from tap_mailing.change_detection.store import Store
from tap_mailing.change_detection.walk import Walk
from tap_mailing.records.columns import TIMESTAMP, Column, constant
from tap_mailing.records.records import Filled, Records, now
from tap_mailing.settings import SnapshotPlace

__all__ = ["DELETED_AT", "Changes", "Snapshots", "hidden_key", "open_store"]

logger = logging.getLogger(__name__)

#: The column that marks a deleted row; null in all other records.
DELETED_AT: Final = constant("_sdc_deleted_at", TIMESTAMP, None)

_PACKER: Final = msgspec.msgpack.Encoder(order="deterministic")
_INCOMPARABLE: Final = "the snapshot lacks the generation that STATE names, or settings changed"
_HASH_BYTES: Final = 8
_KEY_BYTES: Final = 16


def open_store(place: SnapshotPlace) -> Store:
    """The store that the setting names, not connected yet.

    Raises:
        ConfigurationError: the URL is invalid.
    """
    # The stores are slow to import, and most runs need none.
    if isinstance(place, Path):
        from tap_mailing.change_detection.sqlite import FileStore  # noqa: PLC0415

        return FileStore(place)
    from tap_mailing.change_detection.postgres import PostgresStore  # noqa: PLC0415

    return PostgresStore(place)


class Snapshots(msgspec.Struct, frozen=True):
    """A stream's snapshot of one account.

    Attributes:
        store: open.
        part: the number of the stream and account in the store.
        scope: the settings that can limit the rows which the provider lists.
    """

    store: Store
    part: int
    scope: bytes


class Changes:
    """Writes the new and changed rows of one walk over a stream, and a record for each deleted row.

    Attributes:
        compares: whether there is a generation to compare with; if not, all rows are new and no row is deleted.
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
            snapshots: the stream's snapshot.
            records: writes the stream's records.
            stream: the stream's name, for the log.
            fixed: the columns with the same value in all rows: provider and account.
            keys: the columns that identify a row within its account.
            hides_keys: the keys may contain addresses, so the snapshot stores a digest of each key.
            shape: everything beside the provider's rows that determines the records; a new shape changes every row.
            state: the member of STATE that names a generation for each account.

        Raises:
            ConfigurationError: the snapshot cannot be written.
        """
        store = snapshots.store
        self._records = records
        self._stream = stream
        self._fixed = fixed
        self._keys = [column.name for column in keys]
        self._hides_keys = hides_keys
        # A key of one string is stored unchanged, any other key as JSON.
        self._is_plain = len(keys) == 1 and keys[0].schema.get("type") == "string"
        self._state = state or {}
        self._begun = hashlib.blake2b(shape + b"\0", key=store.secret, digest_size=_HASH_BYTES)
        self._secret = store.secret
        self._encode = msgspec.json.Encoder().encode
        # The form of the keys is part of the scope, since keys of different forms cannot be compared.
        scope = hashlib.blake2b(
            msgspec.json.encode([snapshots.scope, self._keys, hides_keys]), key=store.secret, digest_size=_KEY_BYTES
        ).digest()
        named = self._state.get(fixed["account"])
        self._walk = Walk(store, snapshots.part, scope=scope, named=named if isinstance(named, str) else None)
        self.compares = self._walk.compares
        if not self.compares:
            reason = _INCOMPARABLE if named else "STATE names no generation"
            logger.info("%s: no generation to compare with (%s), so all rows are treated as new.", stream, reason)

    def write(self, filled: Filled, keys: Filled) -> int:
        """Write the new and changed rows of a page; returns their number.

        Args:
            filled: the page's columns.
            keys: the page's key columns.
        """
        changed = self._walk.changed(self._stored_keys(keys), self._hashes(filled))
        if changed:
            all_changed = len(changed) == len(filled[0])
            self._records.write(filled if all_changed else [[column[row] for row in changed] for column in filled])
        return len(changed)

    def write_gone(self) -> int:
        """Write a record for each deleted row, after the last page; returns the number of records."""
        fixed = {**self._fixed, DELETED_AT.name: now()}
        count = 0
        for deleted in self._walk.gone():
            count += len(deleted)
            if not self._hides_keys:
                self._records.write_apart([fixed | self._columns_of(key) for key in deleted])
        if count and self._hides_keys:
            logger.warning(
                "%s: %s deleted at the provider. The stream writes no records of deletions, since its snapshot does "
                "not store keys that may contain addresses.",
                self._stream,
                counted(count, "row was", "rows were"),
            )
            return 0
        return count

    def complete(self) -> dict[str, str]:
        """Store the completely written walk as a generation; returns the member of STATE that names it."""
        return {**self._state, self._fixed["account"]: self._walk.complete()}

    def _hashes(self, filled: Filled) -> list[int]:
        # Only the values: packing them takes a fraction of the time of a record's JSON. The shape has the names.
        rows = list(zip(*filled, strict=True))
        try:
            packed = list(map(_PACKER.encode, rows))
        except OverflowError:
            packed = list(map(_packed, rows))
        copy, number = self._begun.copy, int.from_bytes
        hashes = []
        for row in packed:
            digest = copy()
            digest.update(row)
            hashes.append(number(digest.digest(), "big", signed=True))
        return hashes

    def _stored_keys(self, keys: Filled) -> Sequence[str]:
        if self._is_plain and not self._hides_keys:
            return keys[0]
        encoded = map(self._encode, zip(*keys, strict=True))
        if self._hides_keys:
            return [hidden_key(self._secret, key) for key in encoded]
        return [key.decode() for key in encoded]

    def _columns_of(self, key: str) -> dict[str, Any]:
        return {self._keys[0]: key} if self._is_plain else dict(zip(self._keys, msgspec.json.decode(key), strict=True))


def hidden_key(secret: bytes, key: bytes) -> str:
    """What a snapshot has of an encoded key that may contain an address, given the key of its hashes."""
    return hashlib.blake2b(b"key\0" + key, key=secret, digest_size=_KEY_BYTES).hexdigest()


def _packed(row: tuple[Any, ...]) -> bytes:
    try:
        return _PACKER.encode(row)
    except OverflowError:  # an integer of more than 64 bits
        return msgspec.json.encode(row, order="deterministic")
