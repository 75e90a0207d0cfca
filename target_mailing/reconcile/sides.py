"""The two sides of one list: what the input says and what the provider holds, merged by address on disk."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from mailing_api.addresses import fold_address, fold_addresses
from target_mailing.contacts.consent import Actions
from target_mailing.delivery.shared_keys import SharedKeys
from target_mailing.interface.list_members import ComparesMembers, Held
from target_mailing.reconcile.holders import Holders
from target_mailing.rows.row import Row

__all__ = ["ALIKE", "DIFFERENT", "EXTRA", "MISSING", "OFF", "OPTED_OUT", "SUPPRESSED", "UNCOMPARED", "Finding", "Sides"]

ALIKE: Final = "alike"
MISSING: Final = "missing"
EXTRA: Final = "extra"
DIFFERENT: Final = "different"
OPTED_OUT: Final = "opted_out"
SUPPRESSED: Final = "suppressed"
OFF: Final = "off"
UNCOMPARED: Final = "uncompared"

#: The name of the difference between subscribed and opted out.
_SUBSCRIPTION: Final = "subscription"

_TABLES: Final = """
CREATE TABLE rows (address TEXT PRIMARY KEY, email TEXT NOT NULL, line INTEGER NOT NULL,
    stream TEXT NOT NULL, action TEXT NOT NULL, content BLOB NOT NULL, moved INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE held (address TEXT PRIMARY KEY, email TEXT NOT NULL, opted_out TEXT NOT NULL, fields BLOB NOT NULL,
    suppressed TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE suppressed (address TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE named (contact INTEGER PRIMARY KEY);
"""
_PUT_ROW: Final = "INSERT OR REPLACE INTO rows (address, email, line, stream, action, content) VALUES (?,?,?,?,?,?)"
#: Another address has come under the only key of this one, or a row takes it off by its key alone.
_MOVE: Final = "UPDATE rows SET moved = 1 WHERE address = ?"
_ACT: Final = "UPDATE rows SET action = ? WHERE address = ?"
#: Whether the contact that comes second is spelled as the last row of its address.
_IS_NAMED: Final = "lower(excluded.email) = (SELECT lower(rows.email) FROM rows WHERE rows.address = excluded.address)"
#: Providers that take two spellings of an address for two contacts: if one opted out, the person did. The fields that
#: are compared are those of the contact that the row names.
_PUT_HELD: Final = (
    "INSERT INTO held VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET "  # noqa: S608 - the expression is ours
    "opted_out = MAX(opted_out, excluded.opted_out), suppressed = MAX(suppressed, excluded.suppressed), "
    f"email = CASE WHEN {_IS_NAMED} THEN excluded.email ELSE email END, "
    f"fields = CASE WHEN {_IS_NAMED} THEN excluded.fields ELSE fields END"
)
_MERGED: Final = (
    "SELECT rows.email, rows.line, rows.stream, rows.action, rows.content, rows.moved, held.email, held.opted_out, "
    "held.fields, COALESCE(suppressed.reason, NULLIF(held.suppressed, '')) "
    "FROM rows LEFT JOIN held USING (address) LEFT JOIN suppressed USING (address)"
)
_UNNAMED: Final = (
    "SELECT address, email, opted_out FROM held WHERE NOT EXISTS (SELECT 1 FROM rows WHERE rows.address = held.address)"
)
#: Addresses that are looked up together.
_TOGETHER: Final = 500


class Finding(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A contact that is not alike on both sides.

    Attributes:
        found: how it differs.
        destination: the list.
        email: its address.
        stream: of the last row of this contact; "" if no line names it.
        line: of that row in the input.
        reason: more about it, in a word.
        row: the values of the fields that differ, in the row.
        provider: the same at the provider.
    """

    found: str
    destination: str
    email: str
    stream: str = ""
    line: int = 0
    reason: str = ""
    row: Mapping[str, Any] = {}
    provider: Mapping[str, Any] = {}


class Sides:
    """What the input and the provider say of the contacts of one list.

    They are in a database without a name, which SQLite keeps on disk and which ends with this. Of several rows of a
    contact, the last one counts. Who leaves because of another row is decided in the order of the rows.

    Attributes:
        offered: rows that were taken.
        fields: that rows would write.
        counts: contacts that were compared, by what was found and its reason.
        by_field: contacts that differ in a field.
    """

    def __init__(
        self, name: str, actions: Actions, destination: ComparesMembers, shared: SharedKeys, *, moves: bool
    ) -> None:
        """Begin with empty sides.

        Args:
            name: of the destination.
            actions: of it.
            destination: the same, to be asked.
            shared: keys that stand for several addresses.
            moves: if the address of a key changes, its former address leaves the list.
        """
        self.name = name
        self._actions = actions
        self._destination = destination
        self.offered = 0
        self.fields: set[str] = set()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.by_field: Counter[str] = Counter()
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)
        self._holders = Holders(self._database, actions, shared, moves=moves)

    def close(self) -> None:
        """Forget both sides."""
        self._database.close()

    # The input

    def take(self, rows: Sequence[Row]) -> None:
        """Take rows of the input, in their order."""
        self.offered += len(rows)
        self._database.execute("BEGIN")
        for row in rows:
            taken = self._holders.take(row)
            if taken.former:
                self._database.execute(_MOVE, (taken.former,))
            if not taken.stays:
                self._put_row(row, taken.address)
        self._database.execute("COMMIT")

    def _put_row(self, row: Row, address: str) -> None:
        """Note a row, as the last one of a contact."""
        contact = row.contact
        if address and address != contact.address:  # found by its key
            is_gone = row.action == self._actions.remove
            self._database.execute(*((_MOVE, (address,)) if is_gone else (_ACT, (row.action, address))))
            return
        action = row.action
        if address:
            self.fields.update(self._destination.fields_in(contact.content))
        else:
            address, action = f"\0{row.key.hex() if row.key else row.line}", self._actions.remove
        values = (address, contact.email, row.line, row.stream, action, contact.content)
        self._database.execute(_PUT_ROW, values)

    def name_contacts(self, contacts: Iterable[int]) -> None:
        """Note whom rows name that are compared no further, by keyed hashes of their addresses."""
        self._put("INSERT OR IGNORE INTO named VALUES (?)", [(contact,) for contact in contacts])

    # The provider

    def read(self) -> None:
        """Read what the provider holds.

        Raises:
            MailingError: it could not be asked.
        """
        for page in self._destination.held(self.fields):
            self._put_held(page)
        for some in self._destination.suppressions():
            folded = fold_addresses([email for email, _ in some])
            values = [(address, reason) for address, (_, reason) in zip(folded, some, strict=True)]
            self._put("INSERT OR REPLACE INTO suppressed VALUES (?, ?)", values)

    def _put_held(self, page: Sequence[Held]) -> None:
        values = [(fold_address(it.address), it.address, it.opted_out, it.fields, it.suppressed) for it in page]
        self._put(_PUT_HELD, values)

    def _put(self, statement: str, values: Sequence[tuple[Any, ...]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(statement, values)
        self._database.execute("COMMIT")

    # Both

    @property
    def contacts(self) -> int:
        """Contacts that the input names by address, and whose rows can be compared."""
        return self._count("SELECT count(*) FROM rows")

    @property
    def held(self) -> int:
        """Contacts on the list."""
        return self._count("SELECT count(*) FROM held")

    def _count(self, query: str) -> int:
        number: int = self._database.execute(query).fetchone()[0]
        return number

    def findings(self, contact_ids: Callable[[Sequence[str]], Sequence[int]]) -> Iterator[Finding]:
        """Compare the sides, once, and count: first the contacts of the input, then the others on the list.

        Args:
            contact_ids: the keyed hashes of addresses, as `name_contacts` got them.
        """
        for email, line, stream, action, content, moved, *held, suppressed in self._database.execute(_MERGED):
            there = None if held[0] is None else Held(*held)
            found, reason, fields = self._judged(action, content, there, is_moved=moved, suppressed=suppressed)
            self.counts[found, reason] += 1
            self.by_field.update(fields.keys())
            if found not in {ALIKE, OFF, UNCOMPARED}:
                yield Finding(
                    found=found,
                    destination=self.name,
                    email=email,
                    stream=stream,
                    line=line,
                    reason=reason,
                    row={name: after for name, (_, after) in fields.items()},
                    provider={name: before for name, (before, _) in fields.items()},
                )
        yield from self._unnamed(contact_ids)

    def _judged(
        self, action: str, content: bytes, held: Held | None, *, is_moved: bool, suppressed: str | None
    ) -> tuple[str, str, Mapping[str, tuple[Any, Any]]]:
        """What is found of a contact of the input, the reason, and the fields that differ."""
        actions = self._actions
        if is_moved or action == actions.remove:
            is_there = held is not None and not held.opted_out  # who opted out stays: the opt-out would be forgotten
            return (EXTRA, "moved" if is_moved else "removed", {}) if is_there else (OFF, "", {})
        if action in actions.account_wide or (action == actions.decline and held is None):
            return UNCOMPARED, action, {}
        if held is None:
            return MISSING, "", {}
        fields = dict(self._destination.differences(content, held.fields))
        if action == actions.unsubscribe and not actions.removing_undoes_opt_out:
            if not held.opted_out:
                fields[_SUBSCRIPTION] = ("subscribed", "unsubscribed")
        elif held.opted_out:
            return OPTED_OUT, held.opted_out, {}
        elif suppressed is not None:
            return SUPPRESSED, suppressed, {}
        return (DIFFERENT if fields else ALIKE), "", fields

    def _unnamed(self, contact_ids: Callable[[Sequence[str]], Sequence[int]]) -> Iterator[Finding]:
        """Who is on the list and named by no line."""
        others = iter(self._database.execute(_UNNAMED))
        while some := [*islice(others, _TOGETHER)]:
            ids = contact_ids([address for address, _, _ in some])
            marks = ",".join("?" * len(ids))
            query = f"SELECT contact FROM named WHERE contact IN ({marks})"  # noqa: S608 - only marks
            named = {contact for (contact,) in self._database.execute(query, [*ids])}
            for contact, (_, email, opted_out) in zip(ids, some, strict=True):
                if contact in named:
                    continue
                reason = "opted_out" if opted_out else "unnamed"
                self.counts[EXTRA, reason] += 1
                yield Finding(found=EXTRA, destination=self.name, email=email, reason=reason)
