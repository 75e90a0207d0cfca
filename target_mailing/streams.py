"""One stream of the input: is it to be delivered, and what becomes of each of its records."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import fastjsonschema
import msgspec

from mailing_api.errors import ConfigurationError
from target_mailing.batches import Row
from target_mailing.consent import Withheld, decide
from target_mailing.journal import Journal, Reject
from target_mailing.lanes import Lane
from target_mailing.mapping import DELETED_AT, RowRejected, StreamMapping, chosen_properties, fold_address
from target_mailing.outcomes import Outcome
from target_mailing.rejects import strip_reject_columns
from target_mailing.settings import StreamSettings

__all__ = ["Stream", "is_accepted"]

#: Streams of canonical contacts, whatever their settings.
_PEOPLE = "mpdx_people"

End = tuple[Outcome, str | None, Reject | None]


def is_accepted(stream: str, columns: Mapping[str, Any], settings: StreamSettings) -> bool:
    """Whether a stream is one of contacts.

    Other canonical kinds have addresses, too (a suppression list does), so an address alone does not make one.

    Raises:
        ConfigurationError: it is not, and `on_unknown_stream` is `fail`.
    """
    if settings.named or stream.endswith("_contacts") or stream == _PEOPLE:
        return True
    if "provider" not in columns and settings.mapping.get("email", "email") in columns:
        return True
    if settings.on_unknown_stream == "skip":
        return False
    raise ConfigurationError(
        f"Stream {stream!r} is not one of contacts: it is not called *_contacts and has no column "
        f"{settings.mapping.get('email', 'email')!r} of its own. Name it in `streams` to deliver it, leave it out at "
        "the tap, or set `on_unknown_stream: skip`."
    )


class Stream:
    """Turns the records of one stream into rows, or into their end."""

    def __init__(
        self,
        *,
        stream: str,
        source: str,
        schema: Mapping[str, Any],
        key_properties: Sequence[str],
        settings: StreamSettings,
        lane: Lane,
        journal: Journal,
    ) -> None:
        """Compile a stream.

        Args:
            stream: its name, after stream maps.
            source: its name in the input.
            schema: JSON Schema of its records.
            key_properties: its key.
            settings: resolved for it.
            lane: where its rows go.
            journal: for keyed hashes.

        Raises:
            ConfigurationError: its columns do not fit the settings, or its schema is invalid.
        """
        self.lane = lane
        self._stream = stream
        self._source = source
        self._settings = settings
        self._journal = journal
        self._destination = lane.destination
        if settings.action not in self._destination.actions.known:
            raise ConfigurationError(
                f"Setting `action` is {settings.action!r}, which is not possible here; these are: "
                f"{', '.join(sorted(self._destination.actions.known))}. Leaving or opting out needs a `list`."
            )
        self._validate = _validator(stream, schema)
        columns = schema.get("properties", {})
        if settings.create_properties:
            self._create_properties(columns)
        self._mapping = StreamMapping(
            stream=stream,
            columns=list(columns),
            fields=self._destination.fields,
            mapping=settings.mapping,
            properties=settings.properties,
            clear_nulls=settings.nulls == "clear",
            action_column=settings.action_column,
        )
        self._required = tuple(key_properties)
        # A key that is the address needs no remembering.
        address = settings.mapping.get("email", "email")
        self._key = () if self._required == (address,) else self._required

    def _create_properties(self, columns: Mapping[str, Mapping[str, Any]]) -> None:
        settings = self._settings
        chosen = chosen_properties(
            stream=self._stream,
            columns=list(columns),
            fields=self._destination.fields,
            mapping=settings.mapping,
            properties=settings.properties,
            action_column=settings.action_column,
        )
        known = self._destination.fields.properties
        missing = {name: columns[column] for name, column in chosen.items() if name not in known and column in columns}
        if missing:
            self._destination.create_properties(missing)

    def take(self, line: int, record: dict[str, Any], raw: bytes) -> Row | End:
        """What becomes of a record.

        Args:
            line: its number in the input.
            record: decoded.
            raw: as it came.
        """
        attempt = 1
        if "_reject_code" in record:
            attempt += strip_reject_columns(record)
            raw = msgspec.json.encode(record)
        try:
            return self._row(line, record, raw, attempt)
        except RowRejected as no:
            reject = Reject(self._source, raw, no.code, no.reason, None, attempt, time.time())
            return Outcome.REJECTED, no.code, reject

    def _row(self, line: int, record: dict[str, Any], raw: bytes, attempt: int) -> Row | End:
        for name in self._required:
            if record.get(name) is None:
                raise RowRejected("missing_key", f"key column {name} is missing or null")
        if record.get(DELETED_AT) is None:
            try:
                self._validate(record)
            except fastjsonschema.JsonSchemaValueException as no:
                raise RowRejected("schema_invalid", str(no.message)) from None
        contact = self._mapping(record)
        actions, settings = self._destination.actions, self._settings
        asked = settings.action if contact.action is None else contact.action
        action = decide(actions, status=contact.status, action=asked, deleted=contact.deleted, consent=settings.consent)
        if isinstance(action, Withheld):
            return Outcome.WITHHELD, action.reason, None
        if action not in actions.known:
            if contact.status == "unsubscribed":
                return Outcome.WITHHELD, "unsubscribed", None
            raise RowRejected("unknown_action", f"action {action!r} is not possible here")
        key = None
        if self._key:
            values = msgspec.json.encode([record[name] for name in self._key])
            key = self._journal.key_id(self._destination.name, self._stream, values)
        if contact.email is None and key is None:
            raise RowRejected("unknown_key", "a delete without address or key")
        email = contact.email or ""
        address = fold_address(email)
        encoded = self._destination.encode(contact, action)
        return Row(
            [line],
            self._source,
            key,
            contact.deleted and key is not None,
            email,
            address,
            self._journal.contact_id(self._destination.name, address),
            action,
            encoded,
            self._journal.fingerprint(action, encoded),
            raw,
            attempt,
        )


def _validator(stream: str, schema: Mapping[str, Any]) -> Any:
    try:
        return fastjsonschema.compile(dict(schema), use_formats=False, use_default=False)
    except (fastjsonschema.JsonSchemaDefinitionException, SyntaxError, AttributeError, TypeError, ValueError) as exc:
        raise ConfigurationError(
            f"Stream {stream!r}: its SCHEMA is no valid JSON Schema ({type(exc).__name__}). Correct it at the tap."
        ) from None
