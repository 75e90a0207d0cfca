"""One stream of the input: its records become rows, many together, or end with an outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Hashable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import did_you_mean
from target_mailing.contacts.consent import Withheld, decide, is_obeyed
from target_mailing.contacts.consent_words import asks_for_opt_out
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.deletion import tells_changes
from target_mailing.contacts.fields import RowRejected, attempt
from target_mailing.contacts.mapping import Values
from target_mailing.contacts.properties import PropertyNames, chosen_properties
from target_mailing.input.actions import check_action, respectful_action
from target_mailing.input.messages import Message, MessageDecoder
from target_mailing.input.partial_maps import Part
from target_mailing.input.records import RecordReader
from target_mailing.input.row_encoder import Records, RowEncoder
from target_mailing.input.row_key import RowKey
from target_mailing.input.row_names import RowNames
from target_mailing.input.schemas import MappedSchema
from target_mailing.input.stream_mapping import mapping_of
from target_mailing.interface.destination import DefinesProperties
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.journal import Reject
from target_mailing.rows.lines import Line, Lines
from target_mailing.rows.outcome import Outcome
from target_mailing.rows.row import Row
from target_mailing.rows.row_queue import RowQueue
from target_mailing.settings.settings import StreamSettings

__all__ = ["End", "Stream", "WithOptOut", "is_rejected"]

#: How a record ends without becoming a row: outcome, code, and the reject to be written.
End = tuple[Outcome, str | None, Reject | None]


logger = logging.getLogger("target-mailing.streams")

_RECORD: Final = attrgetter("record")

#: The warning for unreadable rows that may be opt-outs.
_MAYBE_OPT_OUTS = (
    "rows that cannot be read may hold opt-outs or deletions, which were not applied: the unreadable columns include "
    "those that would say so, or identify the contact. Correct the rows in the rejects file, or at the source, and "
    "deliver them again"
)
_UNMAPPED = "the stream maps need an unreadable column, so it is unknown whether this is an opt-out"


class WithOptOut(msgspec.Struct, frozen=True):
    """A record that is rejected or withheld, and the row of its opt-out, which is delivered anyway."""

    row: Row
    end: End


def is_rejected(one: End | WithOptOut) -> bool:
    """Whether a record that became no row is a reject."""
    return (one.end if isinstance(one, WithOptOut) else one)[0] is Outcome.REJECTED


class Stream:
    """Turns the records of one stream into rows, or into their end.

    Attributes:
        queue: the queue of its rows.
        source: its name in the input.
        report: the log lines about its columns.
        decoder: of messages of this stream with their records; None where its records are checked one by one.
        message_type: the type of the messages that it decodes.
    """

    decoder: MessageDecoder | None
    message_type: type[Message] | None

    def __init__(
        self,
        schema: MappedSchema,
        *,
        source: str,
        bookmarks: Sequence[str],
        settings: StreamSettings,
        queue: RowQueue,
        hashes: Hashes,
    ) -> None:
        """Compile a stream.

        Args:
            schema: its SCHEMA, after stream maps.
            source: its name in the input.
            bookmarks: the columns by which it is replicated.
            settings: resolved for it.
            queue: the queue of its rows.
            hashes: the journal's keyed hashes.

        Raises:
            ConfigurationError: its columns do not fit the settings, or its schema is invalid.
        """
        self.queue = queue
        self.source = source
        self._stream = schema.stream
        self._settings = settings
        self._destination = queue.destination
        self._actions = queue.destination.actions
        check_action(settings, queue.destination)
        respectful = respectful_action(settings, queue.destination)
        if respectful != settings.action:
            logger.warning(
                "Stream %r: without `consent: force`, setting `action: %s` is treated as %r, which keeps opt-outs. Set "
                "`action: %s`, or `consent: force` to re-subscribe contacts",
                self._stream,
                settings.action,
                respectful,
                respectful,
            )
        if settings.create_properties:
            self._create_properties(schema)
        self._mapping, self.report = mapping_of(schema, self._destination.fields, settings)
        needed = [*self._mapping.needed]
        #: The place of the column of `whole_count` among a record's values.
        self._total_at = None if settings.whole_count is None else len(needed)
        if settings.whole_count is not None:
            self._check_whole_count(schema, settings.whole_count)
            needed.append((settings.whole_count, None))
        self._reader = RecordReader(
            self._stream,
            schema.schema,
            [*needed, *((name, None) for name in schema.keys)],
            checks=settings.validate_records,
            need_not_fit=self._mapping.need_not_fit,
        )
        record_type = self._reader.record_type
        self.decoder = self.message_type = None
        if record_type is not None:
            self.decoder = MessageDecoder(record_type)
            self.message_type = self.decoder.message_type
        self._hints: set[str] = set()
        self._action = lru_cache(self._decided)  # few cases occur
        # In a provider's own stream, contacts without an e-mail address are normal.
        columns = schema.schema.get("properties", {})
        self._may_lack_address = "provider" in columns
        is_address = [*schema.keys] == [settings.mapping.get("email", "email")]
        is_address = is_address and queue.destination.fields.identify is None
        #: Whether its rows have no key but their address, or what else identifies contacts.
        self.is_by_address = is_address or not schema.keys
        key_ids = hashes.key_ids(queue.destination.name, self._stream)
        #: The columns of the key, and the place of their first value among a record's values.
        self.keys, self.key_at = schema.keys, len(needed)
        self._key = RowKey(schema.keys, len(needed), key_ids, is_address=is_address)
        #: A mirror must know the addresses of contacts that will be absent, which the journal has by key.
        self._address_keys = key_ids if settings.is_mirror and self.is_by_address else None
        #: Whether each row should have a key of its own.
        self.is_keyed = bool(schema.keys)
        #: Whether other fields than an address identify contacts.
        self.has_identity = queue.destination.fields.identify is not None
        identify = queue.destination.fields.identify
        #: Whom its records name that became no rows.
        self.names = RowNames(
            self._mapping,
            self._key,
            queue.destination.name,
            contact_ids=hashes.contact_ids(queue.destination.name),
            address_keys=self._address_keys,
            identify=None if identify is None else lambda contact: identify(contact, settings.action),
            may_lack_address=self._may_lack_address,
        )
        #: The columns that say whom a record names.
        self.identifying = frozenset([self._mapping.needed[0][0], *schema.keys])
        self._encoder = RowEncoder(
            source,
            self._stream,
            self._destination,
            self._key,
            hashes,
            tells_changes=tells_changes(columns, bookmarks),
        )

    def _check_whole_count(self, schema: MappedSchema, column: str) -> None:
        if column not in schema.columns.types:
            raise ConfigurationError(
                f"Stream {self._stream!r}: `whole_count` is {column!r}, which the stream does not have."
                f"{did_you_mean([column], schema.columns.types)} Correct the name, or select the column at the tap."
            )

    def _create_properties(self, schema: MappedSchema) -> None:
        fields, columns = self._destination.fields, schema.columns
        chosen = chosen_properties(columns, fields, self._settings)
        names, types = PropertyNames(fields), columns.types
        missing = {name: types[column] for name, column in chosen.items() if column in types and not names.like(name)}
        if missing and isinstance(self._destination, DefinesProperties):
            self._destination.create_properties(missing)

    def decoded(self, raw: bytes) -> Values | None:
        """The values of the record in a line; None where it is no such message, or its record does not fit."""
        message = None if self.decoder is None else self.decoder.one(raw)
        return None if message is None else self._reader.values(message.record)

    def values_of(self, messages: Sequence[Message]) -> Sequence[Values] | None:
        """The values of the records in messages that `decoder` decoded; None where one has no record."""
        records = [*map(_RECORD, messages)]
        return [*map(self._reader.values, records)] if all(records) else None  # a record is true

    def check(self, record: Mapping[str, Any]) -> Values:
        """The values of a record that was decoded without a check.

        Raises:
            RowRejected: it does not fit the schema.
        """
        return self._reader.check(record)

    def rows(self, lines: Lines, numbers: Sequence[int], values: Sequence[Values]) -> list[Row | End | WithOptOut]:
        """The rows or ends of records of which these are the values, in order.

        Args:
            lines: of the input; the records are among them.
            numbers: of their lines.
            values: by `values_of` or `check`.
        """
        rows: list[Any] = self._rows(lines, numbers, values)
        ends = [at for at, row in enumerate(rows) if type(row) is not Row]
        for at in ends:
            rows[at] = self._ended(rows[at], Line(numbers[at], lines), values[at])
        return rows

    def take_unfit(self, line: Line, record: Mapping[str, Any], no: RowRejected) -> End | WithOptOut:
        """The end of a record that does not fit the schema."""
        return self._ended(no, line, self._reader.values_of(record))

    def take_damaged(self, line: Line, part: Part, reason: str) -> Row | End | WithOptOut:
        """The row or the end of a record that cannot be read as a whole.

        Args:
            line: where it is.
            part: its readable columns.
            reason: the defects of the others.
        """
        if not part.is_known:
            no = RowRejected("unreadable", f"{reason}; {_UNMAPPED}")
            no.hint = _MAYBE_OPT_OUTS
            return self._rejected(no, line, None)
        values, damaged = self._reader.values_of(part.columns), part.damaged
        if not part.is_whole:
            damaged |= {name for name, _ in self._mapping.needed} - part.columns.keys()
        if part.is_whole and attempt(self._mapping.deletes, values, damaged) is True:
            row = self._rows(line.lines, [line.number], [values])[0]
            if not isinstance(row, RowRejected):
                return row
        no = RowRejected("unreadable", reason)
        if not part.columns or not self._mapping.of_consent.isdisjoint(damaged):
            no.hint = _MAYBE_OPT_OUTS
        return self._ended(no, line, values, damaged)

    def read(self, record: Mapping[str, Any]) -> Values:
        """The values of a record, whether or not it fits the schema."""
        return self._reader.values_of(record)

    def told_by(self, mapped: Collection[str]) -> tuple[type, ...]:
        """What names the person of a record if these columns are not as they will be: keys, contacts, or nothing."""
        tells_key = {*self.keys}.isdisjoint(mapped)
        tells_contact = self._mapping.needed[0][0] not in mapped
        return (*((bytes,) if tells_key else ()), *((int,) if tells_contact else ()))

    def totals(self, values: Sequence[Values]) -> set[Any] | None:
        """The values of the column of `whole_count`; None where it is not set."""
        if (at := self._total_at) is None:
            return None
        return {one[at] if isinstance(one[at], Hashable) else None for one in values}

    def is_opt_out(self, row: Row) -> bool:
        """Whether the row of a rejected record is an opt-out, not a removal."""
        return row.action != self._actions.remove

    def _rejected(self, no: RowRejected, line: Line, values: Values | None) -> End:
        """The end of a record that cannot be delivered; without values, it is not known whose it is."""
        if no.hint and no.hint not in self._hints:
            self._hints.add(no.hint)
            logger.warning("Stream %r: %s", self._stream, no.hint)
        record, nth = line.record()
        reason = no.message(self._settings.mapping)
        origin = None if values is None else self.names.origin(line.number, values)
        return Outcome.REJECTED, no.code, Reject(self.source, record, no.code, reason, None, nth, time.time(), origin)

    def _ended(
        self, end: End | RowRejected, line: Line, values: Values, damaged: Collection[str] = ()
    ) -> End | WithOptOut:
        """The end of a record that became no row; with the row of its opt-out if it is not to be contacted."""
        if isinstance(end, RowRejected):
            end = self._rejected(end, line, values)
        elif end[0] is not Outcome.WITHHELD:
            return end
        contact = self._mapping.opt_out(values, self._settings.action, self._is_obeyed, damaged)
        if contact is None or (contact.declines and not self._actions.decline):
            return end
        key = None if contact.declines else self._key.of([values])[0]
        key = None if isinstance(key, RowRejected) else key
        row = self._rows_of(line.lines, Records([line.number], [values], [key], [contact]))[0]
        return WithOptOut(row, end) if isinstance(row, Row) else end

    def _rows(self, lines: Lines, numbers: Sequence[int], values: Sequence[Values]) -> list[Row | End | RowRejected]:
        """The rows of records, or why they become none."""
        contacts = self._mapping.contacts(values)
        lost = self._lost_addresses(values, contacts) if self._may_lack_address else ()
        for at in lost:
            contacts[at] = attempt(self._mapping.without_address, values[at])
        rows = self._rows_of(lines, Records(numbers, values, self._key.of(values), contacts), lost)
        for at in lost:
            if isinstance(row := rows[at], Row):
                row.extend().lost_address = True
        if self._address_keys is not None:
            for row in rows:
                if isinstance(row, Row) and row.key is None and row.email:
                    row.key = self._address_keys([row.address.encode()])[0]
        return rows

    def _lost_addresses(
        self, values: Sequence[Values], contacts: Sequence[MappedContact | RowRejected]
    ) -> Sequence[int]:
        """The positions of rows that are not deleted and have no address."""
        without = (at for at, one in enumerate(contacts) if isinstance(one, RowRejected) or not one.email)
        return [at for at in without if attempt(self._mapping.lacks_address, values[at]) is True]

    def _rows_of(self, lines: Lines, records: Records, lost: Sequence[int] = ()) -> list[Row | End | RowRejected]:
        """The same, given their keys and contacts, and the places of those that lost their address."""
        actions = [*map(self._action_or_end, records.keys, records.contacts)]
        for at in lost:
            actions[at] = self._action_or_end(records.keys[at], records.contacts[at], lost_address=True)
        return self._encoder.rows(lines, records, actions)

    def _action_or_end(
        self, key: bytes | RowRejected | None, contact: MappedContact | RowRejected, *, lost_address: bool = False
    ) -> str | End | RowRejected:
        """The action for a record, or how it ends, by its own words and the settings."""
        if isinstance(key, RowRejected):
            return key
        if isinstance(contact, RowRejected):
            return contact
        if contact.declines:
            return self._actions.decline
        if not lost_address:
            return self._action(contact.status, contact.action, contact.deleted)
        if key is None or not self._may_leave(contact.status):
            return Outcome.SKIPPED, "no_address", None
        return self._action(contact.status, contact.action, contact.status != "unsubscribed")

    def _is_obeyed(self, action: str) -> bool:
        return asks_for_opt_out(action) or is_obeyed(self._actions, action)

    def _may_leave(self, status: str | None) -> bool:
        """Whether a contact that lost its address leaves the list: one who opted out does."""
        if status == "unsubscribed":
            return True
        moves = self._settings.on_key_change == "remove" and self._actions.remove in self._actions.known
        return moves and status not in {"excluded", "pending"}

    def _decided(self, status: str | None, own_action: str | None, is_deleted: bool) -> str | End | RowRejected:
        """The action for a row, or its end."""
        actions, consent = self._actions, self._settings.consent
        requested = self._settings.action if own_action is None else own_action
        if asks_for_opt_out(requested):
            requested = actions.unsubscribe
        action = decide(actions, status=status, action=requested, deleted=is_deleted, consent=consent)
        if isinstance(action, Withheld):
            return Outcome.WITHHELD, action.reason, None
        if action in actions.known:
            return action
        if status == "unsubscribed":
            return Outcome.WITHHELD, "unsubscribed", None
        return RowRejected("unknown_action", f"action {action!r} is not supported by the destination")
