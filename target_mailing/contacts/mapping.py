"""From a row to a contact, or to a reject: pure, compiled once per stream."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from msgspec import UNSET

from mailing_api.addresses import without_hidden
from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import did_you_mean, misspelt
from target_mailing.contacts.consent_columns import address_meant, tells_opt_outs
from target_mailing.contacts.consent_words import status_reader
from target_mailing.contacts.contact import MappedContact
from target_mailing.contacts.deletion import DELETED_AT, deletion_column, is_deleted
from target_mailing.contacts.fields import UNFIT, Converter, Field, Fields, RowRejected, wrong_type
from target_mailing.contacts.properties import CANONICAL_COLUMNS, check_left_out, chosen_properties, no_property
from target_mailing.contacts.properties_object import PropertiesObject
from target_mailing.contacts.row_address import ascii_address, clean_address, lone_address

__all__ = ["StreamMapping", "Values"]

#: Columns that tell who may be written to.
_OF_CONSENT: Final = ("subscription_status", DELETED_AT)

#: A row's values of the columns that its mapping needs, in their order.
Values = tuple[Any, ...]


class StreamMapping:
    """Maps the rows of one stream."""

    def __init__(
        self,
        *,
        stream: str,
        columns: Sequence[str],
        fields: Fields,
        mapping: Mapping[str, str],
        properties: Sequence[str] | str | None,
        clear_nulls: bool,
        action_column: str | None,
        structures: Collection[str] = (),
        left_out: frozenset[str] = frozenset(),
    ) -> None:
        """Compile the mapping.

        Args:
            stream: for messages.
            columns: the stream's columns.
            fields: what the destination takes.
            mapping: canonical column or property -> the stream's column that holds it.
            properties: columns that go to properties of the same name; `all` for every column that is none of
                the canonical ones.
            clear_nulls: a null clears the property instead of leaving it as it is.
            action_column: a column that holds the row's action.
            structures: the columns whose values are all objects or arrays.
            left_out: columns that are not read, although they are canonical.

        Raises:
            ConfigurationError: a column is missing, or a property is unknown to the destination.
        """
        self._clear_nulls = clear_nulls
        self._fields = fields
        known = set(columns)
        check_left_out(stream, left_out, known, fields)
        usual = dict.fromkeys(name for name in (*CANONICAL_COLUMNS, *fields.columns) if name in known - left_out)
        sources = {name: name for name in usual} | dict(mapping)
        for name, column in mapping.items():
            if (meant := _consent_meant(name, known | mapping.keys(), fields)) is not None:
                raise ConfigurationError(
                    f"Stream {stream!r}: `mapping` has {name!r}, which would be a property. Did you mean {meant!r}?"
                )
            if column not in known:
                raise ConfigurationError(
                    f"Stream {stream!r}: `mapping` takes {name!r} from column {column!r}, which the stream lacks."
                    f"{did_you_mean([column], known)}"
                )
        if action_column is not None and action_column not in known:
            raise ConfigurationError(
                f"Stream {stream!r}: `action_column` is {action_column!r}, which the stream does not have."
                f"{did_you_mean([action_column], known)}"
            )
        own = [column for column in columns if fields.own_prefix and column.startswith(fields.own_prefix)]
        if unknown := sorted(set(own) - set(sources.values())):
            raise ConfigurationError(
                f"Stream {stream!r}: {', '.join(map(repr, unknown))} is nothing that the destination knows, which has: "
                f"{', '.join(sorted(one for one in fields.columns if one.startswith(fields.own_prefix)))}. Correct it, "
                "name what it is meant for in `mapping`, or leave the column out."
            )
        for name in fields.required:
            if name not in sources:
                raise ConfigurationError(
                    f"Stream {stream!r} has no column `{name}`.{address_meant(name, columns, mapping)} Name the "
                    "column that holds the address in `mapping`, "
                    f'for example {{"{name}": "{name}_address"}}, or leave the stream out.'
                )
        self.deletion_column = deletion_column(stream, columns, mapping)
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
        self._read_object = PropertiesObject(sources.pop("properties", "properties"), fields, clear_nulls=clear_nulls)
        self._action = self._place(action_column)
        found = [
            (self._place(column), name, _field_for(column, name, fields))
            for name, column in sources.items()
            if name in fields.columns
        ]
        self._columns = [(at, name, field.convert) for at, name, field in found]
        self._for_removals = [(at, name, field.convert) for at, name, field in found if field.for_removals]
        self._readable = [(at, name, field) for at, name, field in found if field.for_removals or field.opt_outs]
        chosen = chosen_properties(
            stream=stream,
            columns=columns,
            fields=fields,
            mapping=mapping,
            properties=properties,
            action_column=action_column,
            structures=structures,
            left_out=left_out,
        )
        if unknown := sorted(name for name in chosen if name not in fields.properties):
            raise no_property(f"Stream {stream!r}", unknown, fields)
        absent = UNSET if clear_nulls else None
        self._properties = [
            (self._place(column, absent), name, fields.properties[name].convert) for name, column in chosen.items()
        ]
        #: The columns that are read, each with what it is at the destination.
        self.sent: list[tuple[str, str]] = [
            *([(self.needed[0][0], "email")] if by_email else []),
            *((self.needed[at][0], name) for at, name, _ in self._columns),
            *((self.needed[at][0], name) for at, name, _ in self._properties),
            *((self.needed[at][0], name) for at, name in self._roles() if at),
        ]

    @property
    def of_consent(self) -> frozenset[str]:
        """The columns that tell whose a row is, and whether they opted out or are deleted."""
        topics = [at for at, _, field in self._readable if field.opt_outs]
        return frozenset(self.needed[at][0] for at in (0, 1, self._status, self._action, *topics))

    def _roles(self) -> Sequence[tuple[int, str]]:
        """The places of the columns that are no fields, each with its role; 0 for none."""
        return (
            (self._object, "properties"),
            (self._status, "subscription_status"),
            (self._action, "action"),
            (1, DELETED_AT),
        )

    def _place(self, column: str | None, absent: Any = None) -> int:
        """Where the values of a column will be; 0 for none."""
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
        columns, properties = self._converted(self._columns, values), self._properties_of(values)
        return MappedContact(email, columns, properties, status, action, deleted=False)

    def deletes(self, values: Values, damaged: Container[str]) -> bool:
        """Whether a row is deleted, and what tells whom it is about can be read although these columns cannot.

        Raises:
            RowRejected: bad_deletion_mark.
        """
        tells = [self.needed[at][0] for at, _, _ in self._for_removals]
        return is_deleted(self.deletion_column, values[1]) and not any(name in damaged for name in tells)

    def opt_out(
        self, values: Values, asked: str, is_obeyed: Callable[[str], bool], damaged: Container[str] = ()
    ) -> MappedContact | None:
        """What a row that is rejected tells of an opt-out, which is obeyed all the same; None for nothing.

        Where the row's own action cannot be read, the setting's is none of it: the row may have asked to be added.

        Args:
            values: as in a call.
            asked: the setting's action.
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
        status, action = None, None
        with suppress(RowRejected):
            status = self._status_of(values) if self._status else None
        tells_action = not self._action or self.needed[self._action][0] not in damaged
        try:
            action = self._action_of(values) if self._action else None
        except RowRejected:
            tells_action = False
        wanted = action or asked
        if status == "unsubscribed" or (tells_action and is_obeyed(wanted)):
            return MappedContact(email, self._read(values), {}, status, wanted, deleted=False)
        columns = self._read(values, only_opt_outs=True)
        return MappedContact(email, columns, {}, status, None, deleted=False, declines=True) if columns else None

    def _read(self, values: Values, *, only_opt_outs: bool = False) -> dict[str, Any]:
        """What can be read of the columns in which opt-outs are, or that leaving needs."""
        found: dict[str, Any] = {}
        for at, name, field in self._readable:
            with suppress(RowRejected, *UNFIT):
                value = values[at]
                if value is not None:
                    value = (field.readable or field.convert)(value)
                if value is not None and only_opt_outs:
                    value = field.opt_outs(value) if field.opt_outs else None
                if value is not None:
                    found[name] = value
        return found

    def _properties_of(self, values: Values) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        if self._object and (given := values[self._object]) is not None:
            self._read_object(given, properties)
        at = 0
        try:
            for at, name, convert in self._properties:
                value = values[at]
                if value is not None and value is not UNSET:
                    value = convert(value)
                if value is not None:
                    if value is not UNSET:
                        properties[name] = value
                elif self._clear_nulls:
                    properties[name] = None
        except UNFIT as exc:
            raise wrong_type(self._said(at), values[at], exc) from None
        return properties

    def _deleted(self, email: Any, values: Values) -> MappedContact:
        """A deleted row: most of what it holds is not checked, for it may be null, or what was there at its end.

        Where its address was erased, whatever stands in its place counts as none, and the row's key decides.
        """
        told = None
        if self._status:
            with suppress(RowRejected):
                told = "unsubscribed" if self._status_of(values) == "unsubscribed" else None
        try:
            address = self._address(email)
        except RowRejected:
            address = None
        return MappedContact(address, self._converted(self._for_removals, values), {}, told, None, deleted=True)

    def need_not_fit(self, record: Mapping[str, Any]) -> bool:
        """Whether a record counts though it does not fit its SCHEMA: it is deleted, or it tells of an opt-out.

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
        is_blank = values[0] is None or (isinstance(values[0], str) and not without_hidden(values[0]).strip())
        return is_blank and not is_deleted(self.deletion_column, values[1])

    def without_address(self, values: Values) -> MappedContact:
        """A row of somebody who has no address: only their key can tell who it is, as with a deleted one.

        Raises:
            RowRejected: bad_subscription_status, wrong_type.
        """
        status = self._status_of(values) if self._status else None
        return MappedContact(None, self._converted(self._for_removals, values), {}, status, None, deleted=True)

    def _converted(self, columns: Sequence[tuple[int, str, Converter]], values: Values) -> dict[str, Any]:
        """The values that these columns have, as the destination takes them."""
        found: dict[str, Any] = {}
        at = 0
        try:
            for at, name, convert in columns:
                value = values[at]
                if value is not None and (value := convert(value)) is not None:
                    found[name] = value
        except UNFIT as exc:
            raise wrong_type(self._said(at), values[at], exc) from None
        return found

    def _status_of(self, values: Values) -> str | None:
        status = values[self._status]
        if status is None:
            return None
        try:
            return self._read_status(status)
        except ValueError as no:
            raise RowRejected("bad_subscription_status", f"{self._said(self._status)}: {status!r} is {no}") from None

    def _action_of(self, values: Values) -> str | None:
        action = values[self._action]
        if action is None:
            return None
        if isinstance(action, str):
            return action.strip().lower() or None
        raise RowRejected("unknown_action", f"{self._said(self._action)}: {action!r} is no action")

    def _said(self, at: int) -> str:
        return f"column {self.needed[at][0]}"


def _consent_meant(name: str, known: Container[str], fields: Fields) -> str | None:
    """The column of consent that a name in `mapping` is misspelt from, which nothing else gives; None if it is not."""
    if name in fields.columns or (fields.defines_properties and name in fields.properties):
        return None
    meant = misspelt(name, _OF_CONSENT)
    return None if meant == name or meant in known else meant


def _field_for(column: str, name: str, fields: Fields) -> Field:
    """A destination's field, as it reads a column of this name."""
    field = fields.columns[name]
    is_turned = field.turned is not None and column != name and tells_opt_outs(column)
    return field.turned if is_turned and field.turned is not None else field


def _no_address(_: Any) -> None:
    """What a row's e-mail address is where nobody is reached by one."""
