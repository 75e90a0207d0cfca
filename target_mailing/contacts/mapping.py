"""Maps rows to contacts, or rejects them: pure, compiled once per stream."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import compress, repeat
from operator import not_
from typing import Any, Final

import msgspec
from msgspec import UNSET

from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import did_you_mean, listed, misspelt
from target_mailing.contacts.columns import Column, Rows, Values
from target_mailing.contacts.consent_columns import address_meant, tells_opt_outs
from target_mailing.contacts.consent_words import status_reader
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.deletion import DELETED_AT, deletion_column, is_deleted
from target_mailing.contacts.fields import UNFIT, Field, Fields, RowRejected
from target_mailing.contacts.properties import CANONICAL_COLUMNS, check_omitted, chosen_properties, unknown_properties
from target_mailing.contacts.properties_object import PropertiesObject
from target_mailing.contacts.row_address import (
    addresses_in,
    ascii_address,
    clean_address,
    clean_addresses,
    is_blank,
    lone_address,
    require_valid,
)
from target_mailing.contacts.stream_columns import StreamColumns
from target_mailing.settings.settings import StreamSettings

__all__ = ["StreamMapping", "Values"]

#: Columns that say who may be contacted.
_OF_CONSENT: Final = ("subscription_status", DELETED_AT)


class StreamMapping:
    """Maps the rows of one stream."""

    def __init__(self, columns: StreamColumns, fields: Fields, settings: StreamSettings) -> None:
        """Compile the mapping.

        Args:
            columns: the stream's columns.
            fields: the fields of the destination.
            settings: the stream's settings.

        Raises:
            ConfigurationError: a column is missing, or the destination has no such property.
        """
        self._clear_nulls = settings.nulls == "clear"
        self._fields = fields
        check_omitted(columns, fields, settings.left_out)
        usual = dict.fromkeys(name for name in (*CANONICAL_COLUMNS, *fields.columns) if name in columns.types)
        sources = {name: name for name in usual if name not in settings.left_out} | settings.mapping
        _check_sources(columns, fields, settings, sources)
        self.deletion_column = deletion_column(columns.stream, list(columns.types), settings.mapping)
        sources.pop(DELETED_AT, None)
        #: The columns that a row is mapped from, each with the value that stands for its absence.
        self.needed: list[tuple[str, Any]] = []
        by_email = fields.identify is None
        clean = ascii_address if fields.ascii_only else clean_address
        address = self._placed(
            sources.pop("email") if by_email else sources[fields.required[0]], "email", Field(clean, clean_addresses)
        )
        self._address = msgspec.structs.replace(address, is_required=True) if by_email else None
        self._mark = self._placed(self.deletion_column, DELETED_AT, Field(partial(is_deleted, self.deletion_column)))
        self._status = self._optional(sources.pop("subscription_status", None), "subscription_status", _status_field)
        self._object = self._optional(
            sources.pop("properties", None),
            "properties",
            lambda column: PropertiesObject(column, fields, clear_nulls=self._clear_nulls).field,
        )
        self._action = self._optional(settings.action_column, "action", _action_field)
        by_name = {name: _field_for(column, name, fields) for name, column in sources.items() if name in fields.columns}
        placed = [(self._placed(sources[name], name, field), field) for name, field in by_name.items()]
        self._columns = [column for column, _ in placed]
        self._for_removals = [column for column, field in placed if field.for_removals]
        self._readable = [(column, field) for column, field in placed if field.for_removals or field.opt_outs]
        chosen = chosen_properties(columns, fields, settings)
        if unknown := sorted(name for name in chosen if name not in fields.properties):
            raise unknown_properties(f"Stream {columns.stream!r}", unknown, fields)
        absent = UNSET if self._clear_nulls else None
        self._properties = [
            self._placed(column, name, fields.properties[name], absent) for name, column in chosen.items()
        ]
        read = (
            self._address, *self._columns, *self._properties, self._object, self._status, self._action, self._mark,
        )  # fmt: skip
        #: The columns that are read, each with its name at the destination.
        self.sent: list[tuple[str, str]] = [(column.source, column.name) for column in read if column is not None]

    def _optional(self, source: str | None, name: str, field_of: Callable[[str], Field]) -> Column | None:
        return None if source is None else self._placed(source, name, field_of(source))

    def _placed(self, source: str, name: str, field: Field, absent: Any = None) -> Column:
        """A column whose values are the next ones of a row."""
        self.needed.append((source, absent))
        return Column(len(self.needed) - 1, source, name, field.convert, field.convert_all)

    @property
    def of_consent(self) -> frozenset[str]:
        """The columns that say whose row it is, and whether the contact opted out or is deleted."""
        topics = [column for column, field in self._readable if field.opt_outs]
        read = (self._status, self._action, *topics)
        return frozenset([self.needed[0][0], self._mark.source, *(one.source for one in read if one is not None)])

    def contacts(self, values: Sequence[Values]) -> list[MappedContact | RowRejected]:
        """Map rows: for each its contact, or why it is rejected.

        The codes of rejections: bad_address, bad_deletion_mark, bad_subscription_status, unknown_action, wrong_type,
        unknown_property, and those of the destination's fields.

        Args:
            values: of each row those of the columns `needed`; more may follow them.
        """
        rows = Rows.of(values)
        marks = rows.read(self._mark)
        if not any(marks):
            return self._kept(rows)
        deleted = iter(self._deleted(Rows.of([*compress(values, marks)])))
        kept = iter(self._kept(Rows.of([*compress(values, map(not_, marks))])))
        return rows.or_rejected(next(deleted if mark else kept) for mark in marks)

    def _kept(self, rows: Rows) -> list[MappedContact | RowRejected]:
        emails, statuses, actions = (rows.read(column) for column in (self._address, self._status, self._action))
        columns, objects = rows.by_name(self._columns), rows.read(self._object)
        properties = rows.by_name(self._properties, keep_nulls=self._clear_nulls)
        if self._object is not None:
            properties = [{**(members or {}), **own} for members, own in zip(objects, properties, strict=True)]
        return rows.or_rejected(
            map(MappedContact, emails, columns, properties, statuses, actions, repeat(False))  # noqa: FBT003 - `map`
        )

    def _deleted(self, rows: Rows) -> list[MappedContact | RowRejected]:
        """Deleted rows: most of their values are not checked, since they may be null, or the contact's last ones.

        Where the address was erased, whatever stands in its place is ignored, and the row's key decides.
        """
        emails, statuses = rows.readable(self._address), rows.readable(self._status)
        opt_outs = [status if status == "unsubscribed" else None for status in statuses]
        columns = rows.by_name(self._for_removals)
        properties = rows.by_name([])
        return rows.or_rejected(
            map(MappedContact, emails, columns, properties, opt_outs, repeat(None), repeat(True))  # noqa: FBT003 - `map`
        )

    def deletes(self, values: Values, damaged: Container[str]) -> bool:
        """Whether a row is deleted, and its contact can be identified although these columns cannot be read.

        Raises:
            RowRejected: bad_deletion_mark.
        """
        identifying = [column.source for column in self._for_removals]
        return is_deleted(self.deletion_column, values[1]) and not any(name in damaged for name in identifying)

    def opt_out(
        self, values: Values, default: str, is_obeyed: Callable[[str], bool], damaged: Container[str] = ()
    ) -> MappedContact | None:
        """The opt-out in a row that is rejected, which is recorded anyway; None where there is none.

        Where the row's own action cannot be read, the default action is not used: the row may have asked to be added.

        Args:
            values: of the columns `needed`.
            default: the action of a row without its own.
            is_obeyed: whether an action is such an opt-out.
            damaged: columns that cannot be read.
        """
        email: str | None
        try:
            email = _value(self._address, values)
        except RowRejected:
            email = lone_address(values[0], ascii_only=self._fields.ascii_only)
            if email is None:
                return None
        status, own_action = None, None
        with suppress(RowRejected):
            status = _value(self._status, values)
        is_action_known = self._action is None or self._action.source not in damaged
        try:
            own_action = _value(self._action, values)
        except RowRejected:
            is_action_known = False
        action = own_action or default
        if status == "unsubscribed" or (is_action_known and is_obeyed(action)):
            return MappedContact(email, self._read(values), {}, status, action, deleted=False)
        columns = self._read(values, only_opt_outs=True)
        return MappedContact(email, columns, {}, status, None, deleted=False, declines=True) if columns else None

    def addresses_in(self, values: Values) -> list[str]:
        """The addresses in a row, whatever else is in it."""
        try:
            email: str | None = _value(self._address, values)
        except RowRejected:
            return addresses_in(values[0], ascii_only=self._fields.ascii_only)
        if not email:
            return []
        try:
            require_valid(email, ascii_only=self._fields.ascii_only)
        except RowRejected:
            return addresses_in(email, ascii_only=self._fields.ascii_only)
        return [email]

    def _read(self, values: Values, *, only_opt_outs: bool = False) -> dict[str, Any]:
        """The readable values of the columns that hold opt-outs, or that a removal needs."""
        readable: dict[str, Any] = {}
        for column, field in self._readable:
            with suppress(RowRejected, *UNFIT):
                value = values[column.at]
                if value is not None:
                    value = (field.readable or field.convert)(value)
                if value is not None and only_opt_outs:
                    value = field.opt_outs(value) if field.opt_outs else None
                if value is not None:
                    readable[column.name] = value
        return readable

    def need_not_fit(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is accepted although it does not fit its SCHEMA: it is deleted, or an opt-out.

        Raises:
            RowRejected: bad_deletion_mark.
        """
        if is_deleted(self.deletion_column, record.get(self.deletion_column)):
            return True
        status = None
        with suppress(RowRejected):
            status = None if self._status is None else self._status.convert(record.get(self._status.source))
        return bool(status == "unsubscribed")

    def lacks_address(self, values: Values) -> bool:
        """Whether a row that is not deleted has no address.

        Raises:
            RowRejected: bad_deletion_mark.
        """
        return is_blank(values[0]) and not is_deleted(self.deletion_column, values[1])

    def without_address(self, values: Values) -> MappedContact:
        """A contact without an address: only its key identifies it, as with a deleted row.

        Raises:
            RowRejected: bad_subscription_status, wrong_type.
        """
        status = _value(self._status, values)
        columns = {column.name: column.value(values) for column in self._for_removals}
        present = {name: value for name, value in columns.items() if value is not None}
        return MappedContact(None, present, {}, status, None, deleted=True)


def _value(column: Column | None, values: Values) -> Any:
    return None if column is None else column.value(values)


def _check_sources(
    columns: StreamColumns, fields: Fields, settings: StreamSettings, sources: Mapping[str, str]
) -> None:
    """Check that the stream has the columns that the settings name, and those that the destination needs.

    Raises:
        ConfigurationError: one is missing, or misspelt in `mapping`.
    """
    stream, known, mapping = f"Stream {columns.stream!r}", columns.types.keys(), settings.mapping
    for name, column in mapping.items():
        if (meant := _consent_meant(name, known | mapping.keys(), fields)) is not None:
            raise ConfigurationError(
                f"{stream}: `mapping` has {name!r}, which would be a property. Did you mean {meant!r}?"
            )
        if column not in known:
            raise ConfigurationError(
                f"{stream}: `mapping` takes {name!r} from column {column!r}, which the stream does not have."
                f"{did_you_mean([column], known)} Correct or remove that entry."
            )
    if settings.action_column is not None and settings.action_column not in known:
        raise ConfigurationError(
            f"{stream}: `action_column` is {settings.action_column!r}, which the stream does not have."
            f"{did_you_mean([settings.action_column], known)} Correct or unset it."
        )
    own = {column for column in known if fields.own_prefix and column.startswith(fields.own_prefix)}
    if unknown := sorted(own - {*sources.values()}):
        raise ConfigurationError(
            f"{stream}: unknown column {listed([*map(repr, unknown)])}; the destination supports: "
            f"{', '.join(sorted(name for name in fields.columns if name.startswith(fields.own_prefix)))}. Correct the "
            "name, map the column in `mapping`, or deselect it at the tap."
        )
    for name in fields.required:
        if name not in sources:
            question = address_meant(name, known, mapping)
            column = name.removeprefix("address_") if name.startswith("address_") else f"{name}_address"
            example = f' If another column holds it, name that in `mapping`, for example {{"{name}": "{column}"}}.'
            raise ConfigurationError(
                f"{stream} has no column `{name}`.{question or example} If the stream holds no contacts, deselect it "
                "at the tap."
            )


def _consent_meant(name: str, known: Container[str], fields: Fields) -> str | None:
    """The column of consent that a name in `mapping` is misspelt from, and nothing else provides; None for none."""
    if name in fields.columns or (fields.defines_properties and name in fields.properties):
        return None
    meant = misspelt(name, _OF_CONSENT)
    return None if meant == name or meant in known else meant


def _field_for(column: str, name: str, fields: Fields) -> Field:
    """The destination's field that reads a column of this name."""
    field = fields.columns[name]
    if field.turned is not None and column != name and tells_opt_outs(column):
        return field.turned
    return field


def _status_field(column: str) -> Field:
    read = status_reader(column)

    def convert(value: Any) -> str | None:
        try:
            return read(value)
        except ValueError as no:
            raise RowRejected("bad_subscription_status", f"column {column}: {value!r} is {no}") from None

    return Field(convert)


def _action_field(column: str) -> Field:
    def convert(value: Any) -> str | None:
        if isinstance(value, str):
            return value.strip().lower() or None
        raise RowRejected("unknown_action", f"column {column}: {value!r} is not an action")

    return Field(convert)
