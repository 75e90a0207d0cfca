"""A row on its way, from the input to its outcome: its contact, and its place in its destination's queue."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby, islice
from operator import attrgetter
from types import MappingProxyType
from typing import Final

import msgspec

from target_mailing.contacts.contact import EncodedContact
from target_mailing.interface.destination import Refusal
from target_mailing.rows.lines import record_in
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.spool import Kept, Spool

__all__ = ["Extras", "Plan", "Resource", "Row", "by_place", "emails_of", "have_extras", "keep_on_disk", "size_of"]

#: What rows are kept in order by: the keyed hash of a stream's key (bytes), or of a destination's contact (int).
Resource = bytes | int

_NONE: Final[Mapping[bytes, int]] = MappingProxyType({})


class Row(msgspec.Struct, gc=False):
    """What is to be done with a contact, for a row of the input, and its place in the queue of its destination.

    Many of them are in memory at a time: what the usual row does not have is in `extras`, and the contact and the line
    of a row under way are on disk.

    Attributes:
        line: its line in the input; 0 for a row of an earlier run, which settles no line.
        raw: the line itself, for the rejects file; empty while it is on disk.
        stream: name in the input.
        key: keyed hash of the stream's key, if it has one.
        id: keyed hash of destination and address.
        action: what is to be done.
        fingerprint: of action and content.
        held: the contact, or where it is kept.
        drops_key: when this is done, the key no longer has a contact.
        tells_changes: its stream tells changes in their order, so that another address of the same key is a change.
        resubmitted: an earlier submission of this content may have arrived.
        waits: resources for which it waits; -1 if it was superseded.
        is_open: it is in a batch that is not closed yet, so that a later row may supersede it.
        extras: None where it has none.
        position: where in `held` it is kept.
    """

    line: int
    raw: bytes
    stream: str
    key: bytes | None
    id: int
    action: str
    fingerprint: int
    held: EncodedContact | Kept
    drops_key: bool = False
    tells_changes: bool = True
    resubmitted: bool = False
    waits: int = 0
    is_open: bool = False
    extras: Extras | None = None
    position: int = 0

    @property
    def contact(self) -> EncodedContact:
        """With whom it is done."""
        held = self.held
        return held if type(held) is EncodedContact else held.contact(self.position)

    @contact.setter
    def contact(self, contact: EncodedContact) -> None:
        if isinstance(self.held, Kept):
            self.extend().kept.append((self.held, self.position))  # which has its lines so far
        self.held, self.position = contact, 0

    @property
    def size(self) -> int:
        """Bytes of the contact's content."""
        held = self.held
        return len(held.content) if type(held) is EncodedContact else held.size(self.position)

    @property
    def email(self) -> str:
        """The contact's address as it is sent."""
        held = self.held
        return held.email if type(held) is EncodedContact else held.emails()[self.position]

    @property
    def address(self) -> str:
        """The contact's address, folded."""
        held = self.held
        return held.address if type(held) is EncodedContact else held.contact(self.position).address

    @property
    def lines(self) -> Sequence[int]:
        """The lines of the input that it settles: its own last, before it those of rows that it superseded."""
        if self.extras is not None and self.extras.lines:
            return self.extras.lines
        return (self.line,) if self.line else ()

    @property
    def also(self) -> Mapping[bytes, int]:
        """Keys of rows that it superseded, each with the last line of its own: the contact is theirs, too."""
        return _NONE if self.extras is None else self.extras.also

    @property
    def sources(self) -> Sequence[tuple[int, str, bytes | None]]:
        """By number of its first lines, their stream and key, as far as these are not its own."""
        return () if self.extras is None else self.extras.sources

    @property
    def streams(self) -> Sequence[str]:
        """Other streams whose rows of the same contact it superseded."""
        return () if self.extras is None else self.extras.streams

    @property
    def is_absent(self) -> bool:
        """Whether it takes off a contact that a whole input did not name."""
        return self.extras is not None and self.extras.is_absent

    @property
    def plan(self) -> Plan | None:
        """What belongs to it; None where nothing does."""
        return None if self.extras is None else self.extras.plan

    @property
    def former_of(self) -> bytes | None:
        """The key whose former address, or possible address, it removes or asks about."""
        return None if self.extras is None else self.extras.former_of

    @property
    def pending_removals(self) -> list[tuple[bytes, str, int]]:
        """Keys that leave a former address which is still to be removed, with this and its contact."""
        later = () if self.plan is None else self.plan.later
        return [(old.former_of, old.email, old.id) for old in later if old.former_of is not None]

    @property
    def lost_address(self) -> bool:
        """Whether its key no longer has an address, but was not deleted."""
        return self.extras is not None and self.extras.lost_address

    @property
    def is_of_shared_key(self) -> bool:
        """Whether its key stands for several addresses at once, so that none is a former one."""
        return self.extras is not None and self.extras.is_of_shared_key

    @property
    def noted_key(self) -> bytes | None:
        """The key under which the journal notes its contact.

        That of a single person is its own. A key that stands for several people has one for each of its contacts.
        """
        if self.key is None or not self.is_of_shared_key:
            return self.key
        contact = self.id.to_bytes(8, "big", signed=True)
        return blake2b(contact, digest_size=len(self.key), key=self.key).digest()

    @property
    def contact_keys(self) -> set[bytes]:
        """The keys under which the journal may have its contact, those of rows that it superseded among them."""
        return {key for key in (self.key, self.noted_key, *self.also) if key is not None}

    @property
    def tickets(self) -> dict[Resource, None] | None:
        """Its resources, where these are more than, or other than, its key and its contact."""
        return None if self.extras is None else self.extras.tickets

    @property
    def resources(self) -> Iterable[Resource]:
        """What it is kept in order by."""
        if self.extras is not None and self.extras.tickets is not None:
            return self.extras.tickets
        return (self.id,) if self.key is None else (self.id, self.key)

    @property
    def own_keys(self) -> Collection[bytes]:
        """The keys of its lines, also one that stays at another address; none that stands for several people."""
        if self.is_of_shared_key:
            return ()
        return {*self.also, *(one for one in self.resources if isinstance(one, bytes))}

    def extend(self) -> Extras:
        """Its extras, made when they are first needed."""
        if self.extras is None:
            self.extras = Extras()
        return self.extras

    def lines_in_memory(self) -> bytes:
        """The lines that it settles, as far as they are in memory, oldest first, joined by line ends."""
        superseded = () if self.extras is None else self.extras.superseded
        return b"\n".join((*superseded, self.raw) if self.raw else superseded) if superseded else self.raw

    def keep(self, kept: Kept, position: int) -> None:
        """Its contact and lines are on disk now, and no longer in memory."""
        self.held, self.position, self.raw = kept, position, b""
        if self.extras is not None:
            self.extras.superseded.clear()

    def supersede_by(self, later: Row, content: bytes, fingerprint: int) -> None:
        """Become a later row of the same contact and action, and settle the lines of both.

        Args:
            later: has the tickets that are joined to this row's.
            content: the effect of both.
            fingerprint: of that.
        """
        extras = self.extend()
        if extras.tickets is not None or later.tickets is not None or later.key != self.key:
            extras.tickets = dict.fromkeys(self.resources) if extras.tickets is None else extras.tickets
            extras.tickets.update(dict.fromkeys(later.resources))
        key, later_key = self.noted_key, later.noted_key
        if key is not None and self.key != later.key:
            extras.also[key] = self.line
            if later_key is not None:
                extras.also.pop(later_key, None)
        extras.lines = extras.lines or [*self.lines]
        if later.stream != self.stream or later.key != self.key or later.is_of_shared_key != self.is_of_shared_key:
            extras.sources.append((len(extras.lines), self.stream, None if self.is_of_shared_key else self.key))
        extras.sources.extend((len(extras.lines) + count, stream, key) for count, stream, key in later.sources)
        extras.lines.extend(later.lines)
        if later.stream != self.stream or later.extras is not None:
            others = () if later.extras is None else later.extras.streams
            extras.streams = tuple({*extras.streams, *others, self.stream} - {later.stream})
        extras.is_of_shared_key, extras.lost_address = later.is_of_shared_key, later.lost_address
        self.contact = EncodedContact(later.email, self.address, content, later.contact.reference)
        if self.raw:
            extras.superseded.append(self.raw)
        self.line, self.raw, self.stream, self.key = later.line, later.raw, later.stream, later.key
        if later.extras is not None:
            extras.superseded.extend(later.raw_lines())
            self.raw = extras.superseded.pop() if extras.superseded else b""  # which settles no line
            later.extras.plan = None
        self.fingerprint = fingerprint

    def leave_too(self, formers: Sequence[Row]) -> None:
        """Take over the former contacts of a row that superseded this one, to be removed after it."""
        if not formers:
            return
        extras = self.extend()
        plan = extras.plan = extras.plan or Plan(self, [], under_way=1)
        plan.later.extend(formers)
        for old in formers:
            old.extend().plan = plan

    def records(self) -> Iterator[tuple[bytes, int]]:
        """The records of all of its lines, oldest first, as `record_in` returns them."""
        return map(record_in, self.raw_lines())

    def raw_lines(self) -> Iterator[bytes]:
        """The lines themselves that it settles, oldest first."""
        kept = [] if self.extras is None else self.extras.kept
        for each, position in kept:
            yield from each.lines(position)
        if isinstance(self.held, Kept):
            yield from self.held.lines(self.position)
        elif lines := self.lines_in_memory():
            yield from lines.split(b"\n")


class Extras(msgspec.Struct):
    """What the usual row does not have; see the properties of `Row`.

    Attributes:
        kept: where the first of its lines are kept, if its contact changed since.
        superseded: then those of rows that it superseded, as far as they are in memory.
        was_held: it waited until removals might be made, and whether its key is shared was found out before that.
        sources: streams and keys of rows that it superseded, where they are others; see `Row.sources`.
        streams: of rows that it superseded, where they are others.
        is_absent: it takes off a contact that a whole input did not name; it has no line.
    """

    lines: list[int] = []
    kept: list[tuple[Kept, int]] = []
    superseded: list[bytes] = []
    also: dict[bytes, int] = {}
    sources: list[tuple[int, str, bytes | None]] = []
    tickets: dict[Resource, None] | None = None
    plan: Plan | None = None
    former_of: bytes | None = None
    lost_address: bool = False
    is_of_shared_key: bool = False
    was_held: bool = False
    streams: tuple[str, ...] = ()
    is_absent: bool = False


class Plan(msgspec.Struct):
    """A row and what is done with the other addresses of its key, before it or after it.

    Attributes:
        row: of the input.
        later: what is begun when everything that was begun has ended.
        under_way: how many of them have been begun and have not ended.
        ends: outcomes of those that have ended, with their codes.
        refusal: why the provider did not say whether a former contact opted out.
        opted_out: former contacts that opted out.
    """

    row: Row
    later: list[Row]
    under_way: int = 0
    ends: list[tuple[Outcome, str | None]] = []
    refusal: Refusal | None = None
    opted_out: list[Row] = []

    @property
    def is_clean(self) -> bool:
        """Whether everything begun has ended, and nothing was found out that the row depends on."""
        return not (self.under_way or self.refusal or self.opted_out or self.has_reject)

    @property
    def has_reject(self) -> bool:
        """Whether something that has ended was rejected, so that the row will be."""
        return any(outcome is Outcome.REJECTED for outcome, _ in self.ends)


def have_extras(rows: Iterable[Row]) -> bool:
    """Whether any of these rows has something that the usual row does not have."""
    return any(map(attrgetter("extras"), rows))


def by_place(rows: Iterable[Row]) -> Iterator[tuple[EncodedContact | Kept, list[int]]]:
    """Rows that follow each other and are kept in one place: the place, and their positions in it."""
    for held, together in groupby(rows, attrgetter("held")):
        yield held, [row.position for row in together]


def emails_of(rows: Iterable[Row]) -> list[str]:
    """The addresses of rows, in order; for the thread that owns them."""
    emails: list[str] = []
    for held, positions in by_place(rows):
        read = [held.email] if isinstance(held, EncodedContact) else held.emails()
        emails.extend([read[at] for at in positions])
    return emails


def size_of(rows: Iterable[Row]) -> int:
    """Bytes of the contents of rows."""
    return sum(
        len(held.content) * len(positions) if isinstance(held, EncodedContact) else sum(map(held.size, positions))
        for held, positions in by_place(rows)
    )


def keep_on_disk(rows: Iterable[Row], spool: Spool) -> None:
    """Move contacts and lines of rows from memory to disk.

    Raises:
        SpoolError: they cannot be written; the rows stay as they are.
    """
    inside = [row for row in rows if type(row.held) is EncodedContact]
    contacts = [held for row in inside if isinstance(held := row.held, EncodedContact)]
    lines = [row.raw if row.extras is None else row.lines_in_memory() for row in inside]
    following = iter(inside)
    for kept in spool.keep(contacts, lines):
        for position, row in enumerate(islice(following, len(kept))):
            row.keep(kept, position)
