"""The order of rows: each holds its keys and contacts, or waits behind the rows before it; pure, no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from target_mailing.delivery.packed_rows import PackedRows
from target_mailing.delivery.packed_tickets import PackedTickets
from target_mailing.rows.row import Resource, Row
from target_mailing.rows.spool import Kept

__all__ = ["Tickets"]

#: Resources from which on those of packed rows are no longer kept in one dictionary with the others: they take less
#: memory, and finding one takes longer.
_MANY: Final = 1 << 15


class Tickets:
    """Which row holds which key or contact of one destination, and which rows wait behind it.

    A row takes a ticket for each of its resources, all at once and in the order of the input, and is ready when it is
    first everywhere. A row waits only for rows before it, so there is no deadlock.
    """

    def __init__(self) -> None:
        #: Each a row, or the packed rows of which one is it.
        self._holders: dict[Resource, Row | PackedRows] = {}
        #: The other packed rows: nobody met one of them.
        self._packed = PackedTickets()
        self._behind: dict[Resource, deque[Row]] = {}
        #: Rows that hold a resource beside its holder.
        self._beside: dict[Resource, dict[int, Row]] = {}
        #: Rows with more resources than a key and a contact that have come nearer to the first place everywhere, for
        #: the caller to take.
        self.nearer: deque[Row] = deque()
        #: Rows that are not first everywhere.
        self.waiting = 0
        #: Tickets of these rows behind those of other rows.
        self.behind = 0

    def __bool__(self) -> bool:
        """Whether any row holds anything."""
        return bool(self._holders or self._packed)

    def held(self, resources: Sequence[Resource]) -> Iterator[Resource]:
        """Those of some resources that rows hold, or seem to: few others have the hash of a packed one."""
        yield from filter(self._holders.__contains__, resources)
        yield from self._packed.among(resources)

    def holder(self, resource: Resource) -> Row | None:
        """The first row of a resource."""
        holder = self._holders.get(resource) or self._packed.holder(resource)
        while isinstance(holder, PackedRows):  # another resource of theirs may only have the same hash
            self._hold_one_by_one(holder)
            holder = self._holders.get(resource) or self._packed.holder(resource)
        return holder

    def pack(self, rows: Sequence[Row]) -> PackedRows:
        """Pack rows that are first everywhere, except those that are not on disk, have extras, or share a contact."""
        holder = self._holders.get
        unusual = {
            at
            for at, row in enumerate(rows)
            if row.extras is not None
            or type(row.held) is not Kept
            or holder(row.id) is not row
            or (row.key is not None and holder(row.key) is not row)
        }
        packed = PackedRows(rows, unusual=unusual)
        usual = [row for at, row in enumerate(rows) if at not in unusual] if unusual else rows
        resources: list[Resource] = [*(row.id for row in usual), *(row.key for row in usual if row.key is not None)]
        if not resources or len(self._holders) < _MANY or self._are_shared(resources):
            self._holders.update(dict.fromkeys(resources, packed))
            return packed
        for resource in resources:
            del self._holders[resource]
        self._packed.add(packed, resources)
        packed.unpacked = self._hold_again
        return packed

    def _are_shared(self, resources: Sequence[Resource]) -> bool:
        """Whether rows wait for any of these resources, or hold one beside its holder."""
        return not all(others.keys().isdisjoint(resources) for others in (self._behind, self._beside))

    def _hold_again(self, packed: PackedRows) -> None:
        """Rows were unpacked: those whose tickets were packed with them hold their resources again."""
        packed.unpacked = None
        self._packed.remove(packed)
        self.take_free(packed.usual())

    def _hold_one_by_one(self, packed: PackedRows) -> None:
        """Somebody meets one of these rows: each holds its own resources again."""
        for row in packed:
            for resource in row.resources:
                if self._holders.get(resource) is packed:
                    self._holders[resource] = row

    def last(self, resource: Resource) -> Row | None:
        """The latest row that has a ticket for a resource."""
        behind = self._behind.get(resource)
        return behind[-1] if behind else self.holder(resource)

    def number(self, resource: Resource) -> int:
        """How many rows have a ticket for a resource, but for those beside the first one."""
        return (self.holder(resource) is not None) + len(self._behind.get(resource, ()))

    def rows(self, resource: Resource) -> Iterator[Row]:
        """The rows that have a ticket for a resource, but for those beside the first one."""
        if (holder := self.holder(resource)) is not None:
            yield holder
        yield from self._behind.get(resource, ())

    def take(self, row: Row) -> bool:
        """Take a ticket for each resource of a row; whether it is first everywhere."""
        waits = 0
        for resource in row.resources:
            if resource in self._holders or (self._packed and self.holder(resource) is not None):
                self._behind.setdefault(resource, deque()).append(row)
                waits += 1
            else:
                self._holders[resource] = row
        row.waits = waits
        self.behind += waits
        self.waiting += waits > 0
        if waits and row.tickets is not None:
            self.nearer.append(row)
        return not waits

    def take_free(self, rows: Sequence[Row]) -> None:
        """Take the tickets of rows that have no extras, and meet nobody."""
        self._holders.update(zip([row.id for row in rows], rows, strict=True))
        self._holders.update((row.key, row) for row in rows if row.key is not None)

    def release(self, rows: Sequence[Row]) -> list[Row]:
        """Release the tickets of rows that have ended; returns the rows that are first everywhere now, in order."""
        ready: list[Row] = []
        holders, behind, beside = self._holders, self._behind, self._beside
        for row in rows:
            key = row.key
            if row.extras is None and not (row.id in behind or key in behind or row.id in beside or key in beside):
                del holders[row.id]
                if key is not None:
                    del holders[key]
            else:
                self._release(row, ready)
        return ready

    def _release(self, row: Row, ready: list[Row]) -> None:
        for resource in row.resources:
            if resource in self._beside:
                self._leave(row, resource)
                continue
            del self._holders[resource]
            behind = self._behind.get(resource)
            while behind:
                following = self._next(resource, behind)
                following.waits -= 1
                tickets = following.tickets
                if not following.waits:
                    self.waiting -= 1
                    ready.append(following)
                elif tickets is not None:
                    self.nearer.append(following)
                if tickets is None or not following.is_of_shared_key or resource != following.key:
                    self._holders[resource] = following
                    break
                del tickets[resource]  # it waited only for the rows from before the key was known as shared

    def _leave(self, row: Row, resource: Resource) -> None:
        """Release the ticket of a row for a resource that others hold, too."""
        beside = self._beside[resource]
        if self.holder(resource) is row:
            self._holders[resource] = beside.pop(next(iter(beside)))
        else:
            del beside[id(row)]
        if not beside:
            del self._beside[resource]

    def only_behind(self, contact: Resource) -> Row | None:
        """The next row that waits for a contact, if it waits for nothing else."""
        behind = self._behind.get(contact)
        return behind[0] if behind and behind[0].waits == 1 else None

    def waited_for(self, row: Row) -> set[Resource]:
        """The resources for which a row waits."""
        return {resource for resource in row.resources if self._holders[resource] is not row}

    def is_joined(self, contact: Resource) -> bool:
        """Whether several rows hold a contact."""
        return contact in self._beside

    def join(self, row: Row, contact: Resource) -> None:
        """Let a row that `only_behind` returned hold the contact beside its holder; it is first everywhere now."""
        self._next(contact, self._behind[contact])
        self._beside.setdefault(contact, {})[id(row)] = row
        row.waits = 0
        self.waiting -= 1

    def is_waited_for(self, row: Row) -> bool:
        """Whether another row waits behind this one."""
        return bool(self._behind) and any(resource in self._behind for resource in row.resources)

    def only_waiting_for(self, row: Row) -> Row | None:
        """The next row that waits for this one's contact, if it waits for nothing else."""
        behind = self._behind.get(row.id)
        if behind is None:
            return None
        later = behind[0]
        for resource in later.resources:
            holder = self._holders[resource]
            if holder is not later and (holder is not row or self._behind[resource][0] is not later):
                return None
        return later

    def hand_over(self, later: Row, row: Row) -> None:
        """A row that waits only for another one becomes part of it, with all of its tickets."""
        for resource in later.resources:
            if self._holders[resource] is row:
                self._next(resource, self._behind[resource])
            else:
                self._holders[resource] = row
        later.waits = -1
        self.waiting -= 1

    def _next(self, resource: Resource, behind: deque[Row]) -> Row:
        following = behind.popleft()
        self.behind -= 1
        if not behind:
            del self._behind[resource]
        return following
