"""One reading of a stream, compared with the rows of earlier runs: finds new, changed and deleted rows.

For each key the snapshot stores the hash of the row last written and the number of the walk that wrote it. A complete
walk is a generation, and STATE names it. A walk that compares with a generation trusts the rows which that generation
and earlier ones wrote. Later rows were perhaps not loaded (a load failed, a run was stopped), so they are written
again, changed or not.

A row is stored in the snapshot before its record is written. After a crash at any moment, the snapshot has every row
that may have been written.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence

import msgspec

from tap_mailing.change_detection.store import Generation, Note, Store

__all__ = ["Walk"]

#: Keys read at a time in the search for deleted rows.
_SCAN = 5000


class Walk:
    """A stream of one account, read from its first row to its last. Memory: one bit for each stored row.

    Attributes:
        compares: whether there is a generation to compare with; if not, all rows are new.
    """

    def __init__(self, store: Store, part: int, *, scope: bytes, named: str | None) -> None:
        """Begin a walk, and drop generations that are older than the one in STATE.

        Args:
            store: open.
            part: number of the stream and account, which this run has locked.
            scope: a digest of the settings that limit the walk; only walks with the same scope are compared.
            named: the generation that STATE names.

        Raises:
            ConfigurationError: the snapshot cannot be written.
        """
        self._store = store
        self._part = part
        store.rollback()  # the changes of a failed walk
        self._number = store.begin(part)
        stored = store.generation(part, named) if named else None
        base = stored if stored is not None and stored.scope == scope else None
        if base is not None:
            store.drop_before(part, base)
        self.compares = base is not None
        self._base = base or Generation(0, self._number, scope)
        store.commit()
        self._live, self._first, self._next = store.extent(part)
        # An empty store cannot become wrong by a crash, so one commit at the end suffices. A store with a generation
        # is not empty, even without rows: the source was empty then.
        self._commits_pages = self._next > 0 or store.has_generation(part)
        self._met = bytearray((self._next - self._first) // 8 + 1 if self.compares else 0)

    def changed(self, keys: Sequence[str], hashes: Sequence[int]) -> list[int]:
        """Store the new and changed rows of a page, which the caller then writes; returns their indexes in the page."""
        stored = self._store.find(self._part, keys) if self.compares else {}
        changed: list[int] = []
        notes: dict[str, Note] = {}
        base, number, first, met = self._base.number, self._number, self._first, self._met
        for index, (key, new_hash) in enumerate(zip(keys, hashes, strict=True)):
            stored_row = stored.get(key)
            if stored_row is None:
                place = self._next
                self._next += 1
            else:
                place, old_hash, written = stored_row
                if written != number:
                    bit = place - first
                    met[bit >> 3] |= 1 << (bit & 7)
                    if old_hash == new_hash and written <= base and key not in notes:
                        continue
            changed.append(index)
            notes[key] = (key, place, new_hash)
        self._note(notes.values())
        return changed

    def gone(self) -> Iterator[list[str]]:
        """Store the deletion of rows that the walk did not meet; yields their keys, page by page, to be written.

        Only for a complete walk.
        """
        if not self.compares or int.from_bytes(self._met).bit_count() == self._live:
            return
        for page in self._store.scan(self._part, self._number, _SCAN):
            deleted = [(key, place, None) for key, place in page if not self._has_met(place)]
            self._note(deleted)
            if deleted:
                yield [key for key, _, _ in deleted]

    def complete(self) -> str:
        """Make the complete and written walk a generation; returns its name for STATE."""
        name = secrets.token_hex(8)
        generation = msgspec.structs.replace(self._base, number=self._number)
        self._store.add_generation(self._part, name, generation)
        self._store.commit()
        return name

    def _note(self, notes: Collection[Note]) -> None:
        if notes:
            self._store.put(self._part, self._number, notes)
            if self._commits_pages:
                self._store.commit()

    def _has_met(self, place: int) -> bool:
        bit = place - self._first
        return bool(self._met[bit >> 3] >> (bit & 7) & 1)
