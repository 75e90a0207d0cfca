"""A contact on its way, from the input to its outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TypeVar

import msgspec

from target_mailing.lines import Lines

__all__ = ["Row"]

_T = TypeVar("_T")


class Row(msgspec.Struct, gc=False):
    """A contact on its way.

    Attributes:
        lines: input lines that this row settles: its own last, before it those it superseded. Empty for a row of
            an earlier run.
        stream: name in the input.
        key: keyed hash of the stream's key, if it has one.
        drops_key: when this is done, the key holds no contact any more.
        email: the contact's address as it is sent, or what else tells it apart (`Fields.identify`); "" while only the
            key is known.
        address: the same, folded so that equal ones are equal.
        id: keyed hash of destination and address.
        action: what is to be done.
        contact: the contact in the destination's own encoding.
        fingerprint: of action and contact.
        source: where the last of its lines is, for the rejects file; None for a row of an earlier run.
        sources: where the lines before it are.
        resubmitted: an earlier submission of this content may have arrived.
        also: keys of rows that this one superseded; the contact is theirs, too.
        followers: rows that wait for the end of this one, because what they are to be depends on it.
        blocked: how many rows it waits for in this way; it keeps its place until `Batcher.unblock` came as often.
        reference: stream and key in words, where the destination has the provider keep them; else empty.
        left_by: keys that had this contact, and for whose sake it is removed after their new one was added.
        lost_address: the key has no address any more, but was not deleted.
        tells_changes: its stream tells changes in their order, so that another address of the same key is a change.
        is_of_shared_key: its key stands for several addresses at once, so that none is a former one.
        is_former: it removes the address that a key had before, or may have had.
        turn: its place among all rows of keys, for `KeysUnderWay`.
    """

    lines: Sequence[int]
    stream: str
    key: bytes | None
    drops_key: bool
    email: str
    address: str
    id: int
    action: str
    contact: bytes
    fingerprint: int
    source: Lines | None
    resubmitted: bool = False
    also: Collection[bytes] = ()
    followers: Sequence[Row] = ()
    blocked: int = 0
    reference: tuple[str, ...] = ()
    left_by: Sequence[bytes] = ()
    lost_address: bool = False
    sources: Sequence[Lines] = ()
    turn: int = 0
    tells_changes: bool = True
    is_of_shared_key: bool = False
    is_former: bool = False

    def supersede(self, earlier: Row) -> None:
        """Take over what an earlier row of the same address settles, holds and is waited for by.

        What the earlier row gathered is passed on, not copied: many rows of one address may come in a row.
        """
        if earlier.source is not None and earlier.source is not self.source:
            earlier.sources = _joined(earlier.sources, (earlier.source,))
        self.turn = max(self.turn, earlier.turn)
        self.lines = _joined(earlier.lines, self.lines)
        self.sources = _joined(earlier.sources, self.sources)
        self.followers = _joined(earlier.followers, self.followers)
        self.left_by = _joined(earlier.left_by, self.left_by)
        if earlier.also or (earlier.key is not None and earlier.key != self.key):
            keys = earlier.also if isinstance(earlier.also, dict) else dict.fromkeys(earlier.also)
            keys |= dict.fromkeys(self.also)
            if earlier.key is not None:
                keys[earlier.key] = None
            if self.key is not None:
                keys.pop(self.key, None)
            self.also = keys

    def records(self) -> Iterator[tuple[bytes, int]]:
        """The records of all of its lines, oldest first, as `Lines.record` gives them."""
        assert self.source is not None  # noqa: S101 - rows of an earlier run come again, and are judged then
        sources = [*self.sources, self.source]
        for line in self.lines:
            if line not in sources[-1]:
                sources.append(next(source for source in sources if line in source))
            yield sources[-1].record(line)


def _joined(earlier: Sequence[_T], later: Sequence[_T]) -> Sequence[_T]:
    """Both, in this order; a list that is the earlier one is extended."""
    if not earlier:
        return later
    joined = earlier if isinstance(earlier, list) else [*earlier]
    joined.extend(later)
    return joined
