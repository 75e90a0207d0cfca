"""One stream of the input, and what becomes of each of its records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from mailing_api.addresses import fold_address
from target_mailing.contacts.consent import Withheld, decide, is_obeyed
from target_mailing.contacts.consent_words import asks_for_opt_out
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.deletion import tells_changes
from target_mailing.contacts.fields import Fields, RowRejected
from target_mailing.contacts.mapping import StreamMapping, Values
from target_mailing.contacts.properties import PropertyNames, chosen_properties
from target_mailing.contacts.properties_object import check_members
from target_mailing.contacts.row_address import meant_address
from target_mailing.delivery.outcomes import Outcome
from target_mailing.delivery.queue import DestinationQueue
from target_mailing.destination import DefinesProperties
from target_mailing.input.actions import check_action, respectful_action
from target_mailing.input.column_report import ColumnReport, column_report
from target_mailing.input.column_types import holds_structures_only, members_of, types_of
from target_mailing.input.messages import Message, MessageDecoder
from target_mailing.input.partial_maps import Part
from target_mailing.input.records import RecordReader
from target_mailing.input.row_key import RowKey
from target_mailing.journal.journal import Journal, Reject
from target_mailing.lines import Lines
from target_mailing.row import Row
from target_mailing.settings import StreamSettings

__all__ = ["Both", "End", "Stream", "compiled"]

#: How a record ends without becoming a row: outcome, code, and the reject to be written.
End = tuple[Outcome, str | None, Reject | None]


logger = logging.getLogger("target-mailing.streams")

#: What is said where nobody can tell whether a row that cannot be read is an opt-out.
_UNKNOWN = (
    "rows that cannot be read may hold opt-outs or deletions, of which nothing is known: what tells so, or whose the "
    "rows are, is among what cannot be read. Correct them in the rejects file, or at the source, and deliver them again"
)
_UNMAPPED = "the stream maps need what cannot be read, so it is not known whether this is an opt-out"

_encode = msgspec.json.Encoder(order="deterministic").encode


class Both(msgspec.Struct, frozen=True):
    """A record that is rejected or withheld, and the row of the opt-out that it tells of all the same."""

    row: Row
    end: End


class Stream:
    """Turns the records of one stream into rows, or into their end.

    Attributes:
        queue: where its rows go.
        source: its name in the input.
        report: what is said of its columns.
        decoder: of messages of this stream with their records; None where its records are checked one by one.
        message_type: what it decodes.
    """

    decoder: MessageDecoder | None
    message_type: type[Message] | None

    def __init__(
        self,
        *,
        stream: str,
        source: str,
        schema: Mapping[str, Any],
        key_properties: Sequence[str],
        bookmarks: Sequence[str] = (),
        settings: StreamSettings,
        queue: DestinationQueue,
        journal: Journal,
    ) -> None:
        """Compile a stream.

        Args:
            stream: its name, after stream maps.
            source: its name in the input.
            schema: JSON Schema of its records.
            key_properties: its key.
            bookmarks: the columns by which it is replicated.
            settings: resolved for it.
            queue: where its rows go.
            journal: for keyed hashes.

        Raises:
            ConfigurationError: its columns do not fit the settings, or its schema is invalid.
        """
        self.queue = queue
        self._stream = stream
        self.source = source
        self._settings = settings
        hashes, there = journal.hashes, queue.destination.name
        self._contact_id = hashes.contact_id(there)
        self._hashes = hashes
        self._fingerprints = {one: hashes.fingerprint(one) for one in queue.destination.actions.known}
        self._destination = queue.destination
        self._contact_of = queue.destination.encode
        self._identify = queue.destination.fields.identify
        check_action(settings, queue.destination)
        asked = settings.action
        if (meek := respectful_action(settings, queue.destination)) != asked:
            logger.warning(
                "Stream %r: setting `action` is %r, but without `consent: force` it is taken as %r, which leaves "
                "opt-outs alone. Set either to what you mean",
                stream,
                asked,
                meek,
            )
        columns = schema.get("properties", {})
        if settings.create_properties:
            self._create_properties(schema)
        self._mapping, self.report = compiled(stream, schema, key_properties, self._destination.fields, settings)
        needed = [*self._mapping.needed, *((name, None) for name in key_properties)]
        self._reader = RecordReader(
            stream,
            schema,
            needed,
            checks=settings.validate_records,
            need_not_fit=self._mapping.need_not_fit,
        )
        record_type = self._reader.record_type
        self.decoder = None
        if record_type is not None:
            self.decoder = MessageDecoder(record_type)
            self._values = self._reader.values
        self.message_type = None if self.decoder is None else self.decoder.message_type
        self._hints: set[str] = set()
        self._decisions: dict[tuple[str | None, str, bool], str | End] = {}
        # In a provider's own stream, people whom nobody can write to by e-mail are no fault.
        self._may_lack_address = "provider" in columns
        self._tells_changes = tells_changes(columns, bookmarks)
        is_address = [*key_properties] == [settings.mapping.get("email", "email")] and self._identify is None
        at = len(self._mapping.needed)
        self._key = RowKey(key_properties, at, hashes.key_id(there, stream), is_address=is_address)

    def _create_properties(self, schema: Mapping[str, Any]) -> None:
        settings, fields = self._settings, self._destination.fields
        types = _types(schema)
        chosen = chosen_properties(
            stream=self._stream,
            columns=list(types),
            fields=fields,
            mapping=settings.mapping,
            properties=settings.properties,
            action_column=settings.action_column,
            structures=_structures(types),
            left_out=settings.left_out,
        )
        names = PropertyNames(fields)
        missing = {name: types[column] for name, column in chosen.items() if column in types and not names.like(name)}
        if missing and isinstance(self._destination, DefinesProperties):
            self._destination.create_properties(missing)

    def decode(self, line: bytes) -> Message | None:
        """The message of a line with its record; None where it is none, or its record does not fit."""
        return None if self.decoder is None else self.decoder.one(line)

    def take(self, line: int, record: Any, source: Lines) -> Row | End | Both:
        """What becomes of a record that `decoder` decoded.

        Args:
            line: its number in the input.
            record: the record.
            source: where the line is.
        """
        return self._row(line, record, self._values, source)

    def take_checked(self, line: int, record: dict[str, Any], source: Lines) -> Row | End | Both:
        """What becomes of a record that was decoded without a check; arguments as in `take`."""
        return self._row(line, record, self._reader.check, source)

    def take_damaged(self, line: int, part: Part, reason: str, source: Lines) -> Row | End | Both:
        """What becomes of a record of which not all could be read.

        Args:
            line: its number in the input.
            part: what is told of it.
            reason: what cannot be read.
            source: where the line is.
        """
        if not part.is_told:
            no = RowRejected("unreadable", f"{reason}; {_UNMAPPED}")
            no.hint = _UNKNOWN
            return self.rejected(no, line, source)
        values, damaged = self._reader.values_of(part.columns), part.damaged
        if not part.is_whole:
            damaged |= {name for name, _ in self._mapping.needed} - part.columns.keys()
        with suppress(RowRejected):
            if part.is_whole and self._mapping.deletes(values, damaged):
                return self._row_of(self._mapping(values), values, self._key.of(values), line, source)
        no = RowRejected("unreadable", reason)
        if not part.columns or not self._mapping.of_consent.isdisjoint(damaged):
            no.hint = _UNKNOWN
        return self._with_opt_out(self.rejected(no, line, source), values, line, source, damaged)

    def is_opt_out(self, row: Row) -> bool:
        """Whether a row that a rejected record makes is an opt-out, and no removal."""
        return row.action != self._destination.actions.remove

    def rejected(self, no: RowRejected, line: int, source: Lines) -> End:
        """The end of a record that cannot be delivered."""
        if no.hint and no.hint not in self._hints:
            self._hints.add(no.hint)
            logger.warning("Stream %r: %s", self._stream, no.hint)
        record, attempt = source.record(line)
        reason = no.told(self._settings.mapping)
        return Outcome.REJECTED, no.code, Reject(self.source, record, no.code, reason, None, attempt, time.time())

    def _row(self, line: int, record: Any, values_of: Callable[[Any], Values], source: Lines) -> Row | End | Both:
        try:
            values = values_of(record)
        except RowRejected as no:  # it does not fit the schema
            return self._with_opt_out(self.rejected(no, line, source), self._reader.values_of(record), line, source)
        try:
            key = self._key.of(values)
            lost_address = self._may_lack_address and self._mapping.lacks_address(values)
            contact = self._mapping.without_address(values) if lost_address else self._mapping(values)
            found = self._row_of(contact, values, key, line, source, lost_address=lost_address)
        except RowRejected as no:
            return self._with_opt_out(self.rejected(no, line, source), values, line, source)
        if isinstance(found, tuple) and found[0] is Outcome.WITHHELD:
            return self._with_opt_out(found, values, line, source)
        return found

    def _with_opt_out(
        self, end: End, values: Values, line: int, source: Lines, damaged: Collection[str] = ()
    ) -> End | Both:
        """The end of a record that is not delivered, with the row of the opt-out that it tells of."""
        actions = self._destination.actions
        contact = self._mapping.opt_out(values, self._settings.action, self._is_obeyed, damaged)
        if contact is None or (contact.declines and not actions.decline):
            return end
        key = None
        if not contact.declines:
            with suppress(RowRejected):
                key = self._key.of(values)
        with suppress(RowRejected):
            row = self._row_of(contact, values, key, line, source)
            if isinstance(row, Row):
                return Both(row, end)
        return end

    def _row_of(
        self,
        contact: MappedContact,
        values: Values,
        key: bytes | None,
        line: int,
        source: Lines,
        *,
        lost_address: bool = False,
    ) -> Row | End:
        """The row that a contact makes, or its end.

        Raises:
            RowRejected: it cannot be delivered.
        """
        if lost_address and (key is None or not self._may_leave(contact.status)):
            return Outcome.SKIPPED, "no_address", None
        asked = self._settings.action if contact.action is None else contact.action
        is_gone = contact.deleted and not (lost_address and contact.status == "unsubscribed")
        question = (contact.status, asked, is_gone)
        if contact.declines:
            action: str | End = self._destination.actions.decline
        else:
            action = self._decisions.get(question) or self._decide(question)
        if not isinstance(action, str):
            return action
        if action == self._destination.actions.unsubscribe and contact.email:
            contact.email = meant_address(contact.email, ascii_only=self._destination.fields.ascii_only)
        email = contact.email or "" if self._identify is None else self._identify(contact, action)
        if not email and key is None:
            raise RowRejected("unknown_key", "a delete without address or key")
        address = fold_address(email)
        encoded = self._contact_of(contact, action)
        row = Row(
            (line,),
            self.source,
            key,
            contact.deleted and key is not None,
            email,
            address,
            self._contact_id(address),
            action,
            encoded,
            self._fingerprint(action)(encoded),
            source,
            lost_address=lost_address,
            # A log leaves the mark empty, or tells when.
            tells_changes=self._tells_changes and (values[1] is None or contact.deleted),
        )
        if self._identify is not None and key is not None:
            row.reference = (self._stream, self._key.text(values))
        return row

    def _is_obeyed(self, action: str) -> bool:
        return asks_for_opt_out(action) or is_obeyed(self._destination.actions, action)

    def _fingerprint(self, action: str) -> Callable[[bytes], int]:
        found = self._fingerprints.get(action)
        if found is None:
            found = self._fingerprints[action] = self._hashes.fingerprint(action)
        return found

    def _may_leave(self, status: str | None) -> bool:
        """Whether somebody who has no address any more leaves where they were: whoever opted out does."""
        if status == "unsubscribed":
            return True
        actions = self._destination.actions
        moves = self._settings.on_key_change == "remove" and actions.remove in actions.known
        return moves and status not in {"excluded", "pending"}

    def _decide(self, question: tuple[str | None, str, bool]) -> str | End:
        """The action for a row, or its end; the same few questions are asked for every row."""
        found = self._decisions[question] = self._decision(*question)
        return found

    def _decision(self, status: str | None, asked: str, deleted: bool) -> str | End:
        actions, consent = self._destination.actions, self._settings.consent
        if asks_for_opt_out(asked):
            asked = actions.unsubscribe
        action = decide(actions, status=status, action=asked, deleted=deleted, consent=consent)
        if isinstance(action, Withheld):
            return Outcome.WITHHELD, action.reason, None
        if action in actions.known:
            return action
        if status == "unsubscribed":
            return Outcome.WITHHELD, "unsubscribed", None
        raise RowRejected("unknown_action", f"action {action!r} is not possible here")


def compiled(
    stream: str, schema: Mapping[str, Any], keys: Sequence[str], fields: Fields, settings: StreamSettings
) -> tuple[StreamMapping, ColumnReport]:
    """The mapping of a stream's rows, and what is said of its columns.

    Raises:
        ConfigurationError: its columns do not fit the settings.
    """
    columns = list(schema.get("properties", {}))
    structures = _structures(_types(schema))
    mapping = StreamMapping(
        stream=stream,
        columns=columns,
        fields=fields,
        mapping=settings.mapping,
        properties=settings.properties,
        clear_nulls=settings.nulls == "clear",
        action_column=settings.action_column,
        structures=structures,
        left_out=settings.left_out,
    )
    takes_all = settings.properties == "all"
    report = column_report(stream, columns, mapping.sent, keys=keys, all_properties=takes_all)
    used = {name for name, _ in mapping.needed}
    left_out = [repr(name) for name in sorted(structures) if name not in used]
    if left_out and takes_all and fields.defines_properties:
        why = f"leaves out {', '.join(left_out)}, since no property can hold objects or arrays"
        report = ColumnReport(report.line, [*report.warnings, f"Stream {stream!r}: `properties: all` {why}"])
    if warning := _warning_of_object(stream, schema, fields, settings):
        report = ColumnReport(report.line, [*report.warnings, warning])
    return mapping, report


def _warning_of_object(stream: str, schema: Mapping[str, Any], fields: Fields, settings: StreamSettings) -> str | None:
    column = settings.mapping.get("properties", "properties")
    given = schema.get("properties", {})
    if column not in given or "properties" in settings.left_out:
        return None
    members = {name: holds_structures_only(types) for name, types in members_of(given[column], schema).items()}
    return check_members(stream, column, members, types_of(given[column], schema), fields)


def _types(schema: Mapping[str, Any]) -> dict[str, Collection[str]]:
    return {name: types_of(column, schema) for name, column in schema.get("properties", {}).items()}


def _structures(types: Mapping[str, Collection[str]]) -> set[str]:
    return {name for name, found in types.items() if holds_structures_only(found)}
