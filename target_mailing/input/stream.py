"""One stream of the input: each of its records becomes a row, or ends with an outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from mailing_api.addresses import fold_address
from target_mailing.contacts.consent import Withheld, decide, is_obeyed
from target_mailing.contacts.consent_words import asks_for_opt_out
from target_mailing.contacts.contact import EncodedContact, MappedContact
from target_mailing.contacts.deletion import tells_changes
from target_mailing.contacts.fields import RowRejected
from target_mailing.contacts.mapping import Values
from target_mailing.contacts.properties import PropertyNames, chosen_properties
from target_mailing.contacts.row_address import opt_out_address
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.destination import DefinesProperties
from target_mailing.input.actions import check_action, respectful_action
from target_mailing.input.messages import Message, MessageDecoder
from target_mailing.input.partial_maps import Part
from target_mailing.input.records import RecordReader
from target_mailing.input.row_key import RowKey
from target_mailing.input.schemas import MappedSchema
from target_mailing.input.stream_mapping import mapping_of
from target_mailing.journal.hashes import Hashes
from target_mailing.journal.journal import Reject
from target_mailing.lines import Line
from target_mailing.outcome import Outcome
from target_mailing.row import Row
from target_mailing.settings import StreamSettings

__all__ = ["End", "Stream", "WithOptOut"]

#: How a record ends without becoming a row: outcome, code, and the reject to be written.
End = tuple[Outcome, str | None, Reject | None]


logger = logging.getLogger("target-mailing.streams")

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
        queue: DestinationQueue,
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
        self._identify = queue.destination.fields.identify
        self._hashes = hashes
        self._contact_id = hashes.contact_id(queue.destination.name)
        self._fingerprints = {action: hashes.fingerprint(action) for action in self._actions.known}
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
        self._reader = RecordReader(
            self._stream,
            schema.schema,
            [*self._mapping.needed, *((name, None) for name in schema.keys)],
            checks=settings.validate_records,
            need_not_fit=self._mapping.need_not_fit,
        )
        record_type = self._reader.record_type
        self.decoder = None if record_type is None else MessageDecoder(record_type)
        self.message_type = None if self.decoder is None else self.decoder.message_type
        self._hints: set[str] = set()
        self._decisions: dict[tuple[str | None, str, bool], str | End] = {}
        # In a provider's own stream, contacts without an e-mail address are normal.
        columns = schema.schema.get("properties", {})
        self._may_lack_address = "provider" in columns
        self._tells_changes = tells_changes(columns, bookmarks)
        is_address = [*schema.keys] == [settings.mapping.get("email", "email")] and self._identify is None
        key_id = hashes.key_id(queue.destination.name, self._stream)
        self._key = RowKey(schema.keys, len(self._mapping.needed), key_id, is_address=is_address)

    def _create_properties(self, schema: MappedSchema) -> None:
        fields, columns = self._destination.fields, schema.columns
        chosen = chosen_properties(columns, fields, self._settings)
        names, types = PropertyNames(fields), columns.types
        missing = {name: types[column] for name, column in chosen.items() if column in types and not names.like(name)}
        if missing and isinstance(self._destination, DefinesProperties):
            self._destination.create_properties(missing)

    def decode(self, raw: bytes) -> Message | None:
        """The message of a line with its record; None where it is not such a message, or its record does not fit."""
        return None if self.decoder is None else self.decoder.one(raw)

    def take(self, line: Line, record: Any) -> Row | End | WithOptOut:
        """The row or the end of a record that `decoder` decoded."""
        return self._row(line, record, self._reader.values)

    def take_checked(self, line: Line, record: dict[str, Any]) -> Row | End | WithOptOut:
        """The row or the end of a record that was decoded without a check."""
        return self._row(line, record, self._reader.check)

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
            return self._rejected(no, line)
        values, damaged = self._reader.values_of(part.columns), part.damaged
        if not part.is_whole:
            damaged |= {name for name, _ in self._mapping.needed} - part.columns.keys()
        with suppress(RowRejected):
            if part.is_whole and self._mapping.deletes(values, damaged):
                return self._row_of(self._mapping(values), values, self._key.of(values), line)
        no = RowRejected("unreadable", reason)
        if not part.columns or not self._mapping.of_consent.isdisjoint(damaged):
            no.hint = _MAYBE_OPT_OUTS
        return self._with_opt_out(self._rejected(no, line), values, line, damaged)

    def is_opt_out(self, row: Row) -> bool:
        """Whether the row of a rejected record is an opt-out, not a removal."""
        return row.action != self._actions.remove

    def _rejected(self, no: RowRejected, line: Line) -> End:
        """The end of a record that cannot be delivered."""
        if no.hint and no.hint not in self._hints:
            self._hints.add(no.hint)
            logger.warning("Stream %r: %s", self._stream, no.hint)
        record, attempt = line.record()
        reason = no.message(self._settings.mapping)
        return Outcome.REJECTED, no.code, Reject(self.source, record, no.code, reason, None, attempt, time.time())

    def _row(self, line: Line, record: Any, values_of: Callable[[Any], Values]) -> Row | End | WithOptOut:
        try:
            values = values_of(record)
        except RowRejected as no:  # it does not fit the schema
            return self._with_opt_out(self._rejected(no, line), self._reader.values_of(record), line)
        try:
            key = self._key.of(values)
            lost_address = self._may_lack_address and self._mapping.lacks_address(values)
            contact = self._mapping.without_address(values) if lost_address else self._mapping(values)
            row = self._row_of(contact, values, key, line, lost_address=lost_address)
        except RowRejected as no:
            return self._with_opt_out(self._rejected(no, line), values, line)
        if isinstance(row, tuple) and row[0] is Outcome.WITHHELD:
            return self._with_opt_out(row, values, line)
        return row

    def _with_opt_out(self, end: End, values: Values, line: Line, damaged: Collection[str] = ()) -> End | WithOptOut:
        """The end of a record that is not delivered, with the row of its opt-out if there is one."""
        contact = self._mapping.opt_out(values, self._settings.action, self._is_obeyed, damaged)
        if contact is None or (contact.declines and not self._actions.decline):
            return end
        key = None
        with suppress(RowRejected):
            key = None if contact.declines else self._key.of(values)
        with suppress(RowRejected):
            row = self._row_of(contact, values, key, line)
            if isinstance(row, Row):
                return WithOptOut(row, end)
        return end

    def _row_of(
        self, contact: MappedContact, values: Values, key: bytes | None, line: Line, *, lost_address: bool = False
    ) -> Row | End:
        """The row of a contact, or its end.

        Raises:
            RowRejected: it cannot be delivered.
        """
        if lost_address and (key is None or not self._may_leave(contact.status)):
            return Outcome.SKIPPED, "no_address", None
        requested = self._settings.action if contact.action is None else contact.action
        is_gone = contact.deleted and not (lost_address and contact.status == "unsubscribed")
        case = (contact.status, requested, is_gone)
        if contact.declines:
            action: str | End = self._actions.decline
        else:
            action = self._decisions.get(case) or self._decide(case)
        if not isinstance(action, str):
            return action
        if action == self._actions.unsubscribe and contact.email:
            contact.email = opt_out_address(contact.email, ascii_only=self._destination.fields.ascii_only)
        email = contact.email or "" if self._identify is None else self._identify(contact, action)
        if not email and key is None:
            raise RowRejected("unknown_key", "a deleted row without address and key")
        address = fold_address(email)
        encoded = self._destination.encode(contact, action)
        reference = (self._stream, self._key.text(values)) if self._identify is not None and key is not None else ()
        row = Row(
            line.number,
            line.raw,
            self.source,
            key,
            self._contact_id(address),
            action,
            self._fingerprint(action)(encoded),
            EncodedContact(email, address, encoded, reference),
            contact.deleted and key is not None,
            # A log leaves the deletion mark empty, or fills it with a time.
            self._tells_changes and (values[1] is None or contact.deleted),
        )
        if lost_address:
            row.extend().lost_address = True
        return row

    def _is_obeyed(self, action: str) -> bool:
        return asks_for_opt_out(action) or is_obeyed(self._actions, action)

    def _fingerprint(self, action: str) -> Callable[[bytes], int]:
        if action not in self._fingerprints:
            self._fingerprints[action] = self._hashes.fingerprint(action)
        return self._fingerprints[action]

    def _may_leave(self, status: str | None) -> bool:
        """Whether a contact that lost its address leaves the list: one who opted out does."""
        if status == "unsubscribed":
            return True
        moves = self._settings.on_key_change == "remove" and self._actions.remove in self._actions.known
        return moves and status not in {"excluded", "pending"}

    def _decide(self, case: tuple[str | None, str, bool]) -> str | End:
        """The action for a row, or its end; cached, since few cases occur."""
        self._decisions[case] = self._decision(*case)
        return self._decisions[case]

    def _decision(self, status: str | None, requested: str, deleted: bool) -> str | End:
        actions, consent = self._actions, self._settings.consent
        if asks_for_opt_out(requested):
            requested = actions.unsubscribe
        action = decide(actions, status=status, action=requested, deleted=deleted, consent=consent)
        if isinstance(action, Withheld):
            return Outcome.WITHHELD, action.reason, None
        if action in actions.known:
            return action
        if status == "unsubscribed":
            return Outcome.WITHHELD, "unsubscribed", None
        raise RowRejected("unknown_action", f"action {action!r} is not supported by the destination")
