"""Maps a row to a contact, or rejects it: pure, compiled once per stream."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from msgspec import UNSET

from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import did_you_mean, listed, misspelt
from target_mailing.contacts.consent_columns import address_meant, tells_opt_outs
from target_mailing.contacts.consent_words import status_reader
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.deletion import DELETED_AT, deletion_column, is_deleted
from target_mailing.contacts.fields import UNFIT, Converter, Field, Fields, RowRejected, wrong_type
from target_mailing.contacts.properties import CANONICAL_COLUMNS, check_omitted, chosen_properties, unknown_properties
from target_mailing.contacts.properties_object import PropertiesObject
from target_mailing.contacts.row_address import ascii_address, clean_address, is_blank, lone_address
from target_mailing.contacts.stream_columns import StreamColumns
from target_mailing.settings import StreamSettings

__all__ = ["StreamMapping", "Values"]

#: Columns that say who may be contacted.
_OF_CONSENT: Final = ("subscription_status", DELETED_AT)

#: A row's values of the columns that its mapping needs, in their order.
Values = tuple[Any, ...]


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
        by_email = fields.identify is None
        self._address = (ascii_address if fields.ascii_only else clean_address) if by_email else _no_address
        #: The columns that a row is mapped from, each with the value that stands for its absence.
        self.needed: list[tuple[str, Any]] = [
            (sources.pop("email") if by_email else sources[fields.required[0]], None),
            (self.deletion_column, None),
        ]
        status_column = sources.pop("subscription_status", None)
        self._status = self._place(status_column)
        self._read_status = status_reader(status_column or "subscription_status")
        self._object = self._place(sources.get("properties"))
        self._read_object = PropertiesObject(
            sources.pop("properties", "properties"), fields, clear_nulls=self._clear_nulls
        )
        self._action = self._place(settings.action_column)
        by_place = [
            (self._place(column), name, _field_for(column, name, fields))
            for name, column in sources.items()
            if name in fields.columns
        ]
        self._columns = [(at, name, field.convert) for at, name, field in by_place]
        self._for_removals = [(at, name, field.convert) for at, name, field in by_place if field.for_removals]
        self._readable = [(at, name, field) for at, name, field in by_place if field.for_removals or field.opt_outs]
        chosen = chosen_properties(columns, fields, settings)
        if unknown := sorted(name for name in chosen if name not in fields.properties):
            raise unknown_properties(f"Stream {columns.stream!r}", unknown, fields)
        absent = UNSET if self._clear_nulls else None
        self._properties = [
            (self._place(column, absent), name, fields.properties[name].convert) for name, column in chosen.items()
        ]
        roles = (
            (self._object, "properties"),
            (self._status, "subscription_status"),
            (self._action, "action"),
            (1, DELETED_AT),
        )
        #: The columns that are read, each with its name at the destination.
        self.sent: list[tuple[str, str]] = [
            *([(self.needed[0][0], "email")] if by_email else []),
            *((self.needed[at][0], name) for at, name, _ in (*self._columns, *self._properties)),
            *((self.needed[at][0], name) for at, name in roles if at),
        ]

    @property
    def of_consent(self) -> frozenset[str]:
        """The columns that say whose row it is, and whether the contact opted out or is deleted."""
        topics = [at for at, _, field in self._readable if field.opt_outs]
        return frozenset(self.needed[at][0] for at in (0, 1, self._status, self._action, *topics))

    def _place(self, column: str | None, absent: Any = None) -> int:
        """The position of a column's values among those of a row; 0 for no column."""
        if column is None:
            return 0
        self.needed.append((column, absent))
        return len(self.needed) - 1

    def __call__(self, values: Values) -> MappedContact:
        """Map a row, given its values of the columns `needed`; more may follow them.

        Raises:
            RowRejected: bad_address, bad_deletion_mark, bad_subscription_status, wrong_type, unknown_property.
        """
        email, mark = values[0], values[1]
        if mark is not None and is_deleted(self.deletion_column, mark):
            return self._deleted(email, values)
        email = self._address(email)
        status = self._status_of(values) if self._status else None
        action = self._action_of(values) if self._action else None
        columns = self._converted(self._columns, values)
        properties: dict[str, Any] = {}
        if self._object and (value := values[self._object]) is not None:
            properties = self._read_object(value)
        properties |= self._converted(self._properties, values, keep_nulls=self._clear_nulls)
        return MappedContact(email, columns, properties, status, action, deleted=False)

    def contacts(self, rows: Sequence[Values]) -> list[MappedContact | RowRejected]:
        """Map many rows: for each, what a call returns, or the error that it raises."""
        return [self._mapped(values) for values in rows]

    def _mapped(self, values: Values) -> MappedContact | RowRejected:
        try:
            return self(values)
        except RowRejected as no:
            return no

    def deletes(self, values: Values, damaged: Container[str]) -> bool:
        """Whether a row is deleted, and its contact can be identified although these columns cannot be read.

        Raises:
            RowRejected: bad_deletion_mark.
        """
        identifying = [self.needed[at][0] for at, _, _ in self._for_removals]
        return is_deleted(self.deletion_column, values[1]) and not any(name in damaged for name in identifying)

    def opt_out(
        self, values: Values, default: str, is_obeyed: Callable[[str], bool], damaged: Container[str] = ()
    ) -> MappedContact | None:
        """The opt-out in a row that is rejected, which is recorded anyway; None where there is none.

        Where the row's own action cannot be read, the default action is not used: the row may have asked to be added.

        Args:
            values: as in a call.
            default: the action of a row without its own.
            is_obeyed: whether an action is such an opt-out.
            damaged: columns that cannot be read.
        """
        email: str | None
        try:
            email = self._address(values[0])
        except RowRejected:
            email = lone_address(values[0], ascii_only=self._fields.ascii_only)
            if email is None:
                return None
        status, own_action = None, None
        with suppress(RowRejected):
            status = self._status_of(values) if self._status else None
        is_action_known = not self._action or self.needed[self._action][0] not in damaged
        try:
            own_action = self._action_of(values) if self._action else None
        except RowRejected:
            is_action_known = False
        action = own_action or default
        if status == "unsubscribed" or (is_action_known and is_obeyed(action)):
            return MappedContact(email, self._read(values), {}, status, action, deleted=False)
        columns = self._read(values, only_opt_outs=True)
        return MappedContact(email, columns, {}, status, None, deleted=False, declines=True) if columns else None

    def _read(self, values: Values, *, only_opt_outs: bool = False) -> dict[str, Any]:
        """The readable values of the columns that hold opt-outs, or that a removal needs."""
        readable: dict[str, Any] = {}
        for at, name, field in self._readable:
            with suppress(RowRejected, *UNFIT):
                value = values[at]
                if value is not None:
                    value = (field.readable or field.convert)(value)
                if value is not None and only_opt_outs:
                    value = field.opt_outs(value) if field.opt_outs else None
                if value is not None:
                    readable[name] = value
        return readable

    def _deleted(self, email: Any, values: Values) -> MappedContact:
        """A deleted row: most of its values are not checked, since they may be null, or the contact's last ones.

        Where its address was erased, whatever stands in its place is ignored, and the row's key decides.
        """
        status = None
        if self._status:
            with suppress(RowRejected):
                status = "unsubscribed" if self._status_of(values) == "unsubscribed" else None
        try:
            address = self._address(email)
        except RowRejected:
            address = None
        return MappedContact(address, self._converted(self._for_removals, values), {}, status, None, deleted=True)

    def need_not_fit(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is accepted although it does not fit its SCHEMA: it is deleted, or an opt-out.

        Raises:
            RowRejected: bad_deletion_mark.
        """
        if is_deleted(self.deletion_column, record.get(self.deletion_column)):
            return True
        try:
            return bool(self._status) and self._read_status(record.get(self.needed[self._status][0])) == "unsubscribed"
        except ValueError:
            return False

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
        status = self._status_of(values) if self._status else None
        return MappedContact(None, self._converted(self._for_removals, values), {}, status, None, deleted=True)

    def _converted(
        self, columns: Sequence[tuple[int, str, Converter]], values: Values, *, keep_nulls: bool = False
    ) -> dict[str, Any]:
        """The values of these columns, as the destination takes them."""
        converted: dict[str, Any] = {}
        at = 0
        try:
            for at, name, convert in columns:
                value = values[at]
                if value is UNSET:
                    continue
                if value is not None:
                    value = convert(value)
                if value is not None or keep_nulls:
                    converted[name] = value
        except UNFIT as exc:
            raise wrong_type(self._column(at), values[at], exc) from None
        return converted

    def _status_of(self, values: Values) -> str | None:
        status = values[self._status]
        if status is None:
            return None
        try:
            return self._read_status(status)
        except ValueError as no:
            raise RowRejected("bad_subscription_status", f"{self._column(self._status)}: {status!r} is {no}") from None

    def _action_of(self, values: Values) -> str | None:
        action = values[self._action]
        if action is None:
            return None
        if isinstance(action, str):
            return action.strip().lower() or None
        raise RowRejected("unknown_action", f"{self._column(self._action)}: {action!r} is not an action")

    def _column(self, at: int) -> str:
        return f"column {self.needed[at][0]}"


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
            example = (
                f' Name the column that holds the address in `mapping`, for example {{"{name}": "{name}_address"}}.'
            )
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


def _no_address(_: Any) -> None:
    """The e-mail address of a row at a destination that reaches nobody by e-mail."""
