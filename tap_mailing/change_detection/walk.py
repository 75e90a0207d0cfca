"""What a stream's last runs wrote: a key and a hash of each row, so that a walk can tell what is new, changed or gone.

For each key the snapshot holds the hash of what was last written for it, and the number of the walk that wrote it. A
walk that was read to its end is a generation, which STATE names. A later walk that begins from a generation trusts
what that one and those before it wrote. Whatever was written after it may have been loaded or not (a load failed, a
run was stopped), so those rows are written again, whether they changed or not.

What a walk writes is noted before it is written. So a crash at any moment leaves a row that may have been written
known as such.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence

from tap_mailing.change_detection.store import Generation, Note, Store

__all__ = ["Walk"]

#: Keys looked through at a time for rows that are gone.
_SCAN = 5000


class Walk:
    """A stream of one account, read from its first row to its last. In memory it keeps one bit for each row.

    Attributes:
        compares: whether there is a generation to compare with; otherwise all rows count as new.
    """

    def __init__(self, store: Store, part: int, *, scope: bytes, named: str | None) -> None:
        """Begin a walk. What is older than the generation that STATE names is dropped.

        Args:
            store: open.
            part: number of the stream and account, held.
            scope: what else limits the walk; a walk of another scope is not compared with.
            named: the generation that STATE names.

        Raises:
            ConfigurationError: the snapshot cannot be written.
        """
        self._store = store
        self._part = part
        self._scope = scope
        store.rollback()  # what a walk that failed left
        self._number = store.begin(part)
        found = store.generation(part, named) if named else None
        if found is not None and found.scope == scope:
            self.compares = True
            self._base, self._since = found.number, found.since
            store.drop_before(part, found)
        else:
            self.compares = False
            self._base, self._since = 0, self._number
        store.commit()
        self._live, self._first, self._next = store.extent(part)
        # A crash can make nothing untrue where nothing is known; then one commit at the end will do. A generation is
        # knowledge although it has no row: that the source was empty.
        self._commits_pages = self._next > 0 or store.has_generation(part)
        self._met = bytearray((self._next - self._first) // 8 + 1 if self.compares else 0)

    def changed(self, keys: Sequence[str], hashes: Sequence[int]) -> list[int]:
        """Which rows of a page are new or changed, by their places in it; to be written now, they are noted as such."""
        known = self._store.find(self._part, keys) if self.compares else {}
        found: list[int] = []
        notes: dict[str, Note] = {}
        base, number, first, met = self._base, self._number, self._first, self._met
        for at, (key, row) in enumerate(zip(keys, hashes, strict=True)):
            one = known.get(key)
            if one is None:
                place = self._next
                self._next += 1
            else:
                place, before, written = one
                if written != number:
                    bit = place - first
                    met[bit >> 3] |= 1 << (bit & 7)
                    if before == row and written <= base and key not in notes:
                        continue
            found.append(at)
            notes[key] = (key, place, row)
        self._note(notes.values())
        return found

    def gone(self) -> Iterator[list[str]]:
        """The keys that the walk did not meet, some at a time; to be written now, they are noted as such.

        Only for a walk that was read to its end.
        """
        if not self.compares or int.from_bytes(self._met).bit_count() == self._live:
            return
        for page in self._store.scan(self._part, self._number, _SCAN):
            lost = [(key, place, None) for key, place in page if not self._has_met(place)]
            self._note(lost)
            if lost:
                yield [key for key, _, _ in lost]

    def complete(self) -> str:
        """Make a generation of the walk, which was read and written to its end; returns its name for STATE."""
        name = secrets.token_hex(8)
        self._store.add_generation(self._part, name, Generation(self._number, self._since, self._scope))
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
