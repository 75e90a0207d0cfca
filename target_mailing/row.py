"""A contact on its way, from the input to its outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from target_mailing.lines import Lines

__all__ = ["Plan", "Resource", "Row"]

#: What rows are kept in order by: the keyed hash of a stream's key (bytes), or of a destination's contact (int).
Resource = bytes | int


class Row(msgspec.Struct, gc=False):
    """What is to be done with a contact, for a row of the input.

    Attributes:
        lines: input lines that this row settles: its own last, before it those it superseded. Empty for a row of
            an earlier run.
        stream: name in the input.
        key: keyed hash of the stream's key, if it has one.
        drops_key: when this is done, the key no longer has a contact.
        email: the contact's address as it is sent, or what else identifies it (`Fields.identify`); "" while only the
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
        reference: stream and key in words, where the destination has the provider keep them; else empty.
        lost_address: the key no longer has an address, but was not deleted.
        tells_changes: its stream tells changes in their order, so that another address of the same key is a change.
        is_of_shared_key: its key stands for several addresses at once, so that none is a former one.
        tickets: its resources, where these are more than, or other than, its key and its contact.
        waits: resources for which it waits.
        is_open: it is in a batch that is not closed yet, so that a later row may supersede it.
        plan: what belongs to it; None where nothing does.
        former_of: the key whose former address, or possible address, it removes or asks about.
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
    reference: tuple[str, ...] = ()
    lost_address: bool = False
    sources: Sequence[Lines] = ()
    tells_changes: bool = True
    is_of_shared_key: bool = False
    tickets: dict[Resource, None] | None = None
    waits: int = 0
    is_open: bool = False
    plan: Plan | None = None
    former_of: bytes | None = None

    @property
    def resources(self) -> Iterable[Resource]:
        """What it is kept in order by."""
        if self.tickets is not None:
            return self.tickets
        return (self.id,) if self.key is None else (self.id, self.key)

    @property
    def follower(self) -> Row | None:
        """The row that is taken after this one, and depends on what this one finds out."""
        plan = self.plan
        return plan.row if plan is not None and plan.row is not self else None

    def supersede_by(self, later: Row, contact: bytes, fingerprint: int) -> None:
        """Become a later row of the same contact and action, and settle the lines of both.

        Args:
            later: has the tickets that are joined to this row's.
            contact: the effect of both.
            fingerprint: of that.
        """
        if self.tickets is not None or later.tickets is not None or later.key != self.key:
            self.tickets = dict.fromkeys(self.resources) if self.tickets is None else self.tickets
            self.tickets.update(dict.fromkeys(later.resources))
        if self.key is not None and self.key != later.key:
            also = self.also if isinstance(self.also, dict) else dict.fromkeys(self.also)
            also[self.key] = None
            if later.key is not None:
                also.pop(later.key, None)
            self.also = also
        if later.source is not self.source and self.source is not None:
            self.sources = [*self.sources] if not isinstance(self.sources, list) else self.sources
            self.sources.append(self.source)
        lines = self.lines if isinstance(self.lines, list) else [*self.lines]
        lines.extend(later.lines)
        self.lines, self.source, self.stream, self.key = lines, later.source, later.stream, later.key
        self.email, self.reference = later.email, later.reference
        self.is_of_shared_key, self.lost_address = later.is_of_shared_key, later.lost_address
        self.contact, self.fingerprint = contact, fingerprint

    def records(self) -> Iterator[tuple[bytes, int]]:
        """The records of all of its lines, oldest first, as `Lines.record` gives them."""
        assert self.source is not None  # noqa: S101 - rows of an earlier run come again, and are judged then
        sources = [*self.sources, self.source]
        for line in self.lines:
            if line not in sources[-1]:
                sources.append(next(source for source in sources if line in source))
            yield sources[-1].record(line)


class Plan(msgspec.Struct):
    """A row and what is done with the other addresses of its key, before it or after it.

    Attributes:
        row: of the input.
        later: what is begun when everything that was begun has ended.
        under_way: how many of them have been begun and have not ended.
        ends: outcomes of those that have ended, with their codes.
        refusal: why the provider did not say whether a former contact opted out.
    """

    row: Row
    later: list[Row]
    under_way: int = 0
    ends: list[tuple[Any, str | None]] = []
    refusal: Any = None
