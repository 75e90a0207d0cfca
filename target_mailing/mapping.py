"""From a row to a contact, or to a reject: pure, compiled once per stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.kinds import Contact, column_schemas

__all__ = [
    "CANONICAL_COLUMNS",
    "DELETED_AT",
    "Converter",
    "Field",
    "Fields",
    "MappedContact",
    "RowRejected",
    "StreamMapping",
    "chosen_properties",
    "fold_address",
]

#: Turns a column's value into the destination's; raises ValueError, whose text may be shown in the rejects file.
Converter = Callable[[Any], Any]

CANONICAL_COLUMNS = tuple(column_schemas(Contact))

#: The Singer column that says when a row was deleted at the source.
DELETED_AT = "_sdc_deleted_at"

_ABOUT_THE_ROW = frozenset({"provider", "account", "id", "created_at", "updated_at"})
_STATUSES = frozenset({"subscribed", "unsubscribed", "excluded", "pending", "unknown"})
_ADDRESS = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,255}")


class RowRejected(Exception):
    """This row cannot be delivered.

    Attributes:
        code: stable, holds no data.
        reason: for people; may quote the row, so it goes to the rejects file only.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason


class Field(msgspec.Struct, frozen=True):
    """One field of a destination.

    Attributes:
        convert: makes a value fit.
        exact: values of exactly this type fit as they are.
    """

    convert: Converter
    exact: type | None = None


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """What a destination takes.

    Attributes:
        columns: the canonical columns that it knows.
        properties: the account's own fields.
    """

    columns: Mapping[str, Field]
    properties: Mapping[str, Field]


class MappedContact(msgspec.Struct, gc=False):
    """A row, understood.

    Attributes:
        email: the address as it is sent: trimmed, its domain in lower case. None only for a deleted row.
        columns: values of canonical columns that the row has and the destination knows.
        properties: values of the account's own fields; None clears one.
        status: the row's `subscription_status`; of a deleted row only `unsubscribed` is of interest.
        action: what the row asks for, or None for the setting's.
        deleted: the row says that the contact is gone from the source.
    """

    email: str | None
    columns: dict[str, Any]
    properties: dict[str, Any]
    status: str | None
    action: str | None
    deleted: bool


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

        Raises:
            ConfigurationError: a column is missing, or a property is unknown to the destination.
        """
        self._clear_nulls = clear_nulls
        self._fields = fields
        known = set(columns)
        sources = {name: name for name in CANONICAL_COLUMNS if name in known} | dict(mapping)
        for name, column in mapping.items():
            if column not in known:
                raise ConfigurationError(
                    f"Stream {stream!r}: `mapping` takes {name!r} from column {column!r}, which the stream lacks."
                )
        if action_column is not None and action_column not in known:
            raise ConfigurationError(
                f"Stream {stream!r}: `action_column` is {action_column!r}, which the stream does not have."
            )
        if "email" not in sources:
            raise ConfigurationError(
                f"Stream {stream!r} has no column `email`. Name the column that holds the address in `mapping`, for "
                f'example {{"email": "email_address"}}, or leave the stream out.'
            )
        self._email = sources.pop("email")
        self._status = sources.pop("subscription_status", None)
        self._object = sources.pop("properties", None)
        self._action = action_column
        self._columns = [
            (column, name, fields.columns[name]) for name, column in sources.items() if name in fields.columns
        ]
        chosen = chosen_properties(
            stream=stream,
            columns=columns,
            fields=fields,
            mapping=mapping,
            properties=properties,
            action_column=action_column,
        )
        if unknown := sorted(name for name in chosen if name not in fields.properties):
            raise ConfigurationError(
                f"Stream {stream!r}: {', '.join(map(repr, unknown))} in `properties` or `mapping` is no property of "
                "the account. Set `create_properties: true`, define it at the provider, or leave it out."
            )
        self._properties = [(column, name, fields.properties[name]) for name, column in chosen.items()]

    def __call__(self, record: Mapping[str, Any]) -> MappedContact:
        """Map a row.

        Raises:
            RowRejected: bad_address, bad_subscription_status, wrong_type, unknown_property.
        """
        deleted = record.get(DELETED_AT) is not None
        value = record.get(self._email)
        status = None if self._status is None else record.get(self._status)
        if deleted:
            # What else it holds is not checked: it may be null, or what was there when the row was deleted.
            email = None if value is None else clean_address(value)
            told = "unsubscribed" if status == "unsubscribed" else None
            return MappedContact(email, {}, {}, told, None, deleted=True)
        email = clean_address(value)
        if status is not None and (not isinstance(status, str) or status not in _STATUSES):
            raise RowRejected("bad_subscription_status", f"column {self._status}: {status!r} is not known")
        columns: dict[str, Any] = {}
        for column, name, field in self._columns:
            value = record.get(column)
            if value is not None:
                columns[name] = value if type(value) is field.exact else _convert(column, value, field)
        properties: dict[str, Any] = {}
        if self._object is not None and (values := record.get(self._object)) is not None:
            self._from_object(values, properties)
        for column, name, field in self._properties:
            value = record.get(column)
            if value is not None:
                properties[name] = value if type(value) is field.exact else _convert(column, value, field)
            elif self._clear_nulls and column in record:
                properties[name] = None
        action = None if self._action is None else record.get(self._action)
        if action is not None and not isinstance(action, str):
            raise RowRejected("unknown_action", f"column {self._action}: {action!r} is no action")
        return MappedContact(email, columns, properties, status, action, deleted=False)

    def _from_object(self, values: Any, properties: dict[str, Any]) -> None:
        if not isinstance(values, dict):
            raise RowRejected("wrong_type", f"column {self._object}: not an object")
        fields = self._fields.properties
        for name, value in values.items():
            field = fields.get(name)
            if field is None:
                raise RowRejected("unknown_property", f"column {self._object}: {name!r} is no property of the account")
            if value is not None:
                exact = type(value) is field.exact
                properties[name] = value if exact else _convert(f"{self._object}.{name}", value, field)
            elif self._clear_nulls:
                properties[name] = None


def chosen_properties(
    *,
    stream: str,
    columns: Sequence[str],
    fields: Fields,
    mapping: Mapping[str, str],
    properties: Sequence[str] | str | None,
    action_column: str | None,
) -> dict[str, str]:
    """The properties that a stream's columns go to, each with its column; arguments as in `StreamMapping`.

    Raises:
        ConfigurationError: a listed column is missing.
    """
    chosen = {
        name: column
        for name, column in mapping.items()
        if name not in {"email", "subscription_status", "properties", *fields.columns} | _ABOUT_THE_ROW
    }
    if properties == "all":
        taken = {"email", "subscription_status", "properties", action_column, *mapping.values()} | _ABOUT_THE_ROW
        for column in columns:
            canonical = column in CANONICAL_COLUMNS and column not in fields.properties
            if column not in taken and not canonical and not column.startswith(("_sdc_", "_reject_")):
                chosen.setdefault(column, column)
    elif properties:
        wanted = [properties] if isinstance(properties, str) else properties
        if missing := [column for column in wanted if column not in columns]:
            raise ConfigurationError(
                f"Stream {stream!r}: `properties` lists {', '.join(map(repr, missing))}, "
                "which the stream does not have."
            )
        chosen.update({column: column for column in wanted})
    return chosen


def clean_address(value: Any) -> str:
    """An e-mail address as it is sent: trimmed, domain in lower case.

    Raises:
        RowRejected: it cannot be an address; only what every provider refuses is refused here.
    """
    if not isinstance(value, str) or not _ADDRESS.fullmatch(address := value.strip()):
        raise RowRejected("bad_address", "missing" if value is None else f"{value!r} is no e-mail address")
    if address.islower():
        return address
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def fold_address(address: str) -> str:
    """An address such that those which a provider may take as the same are the same (case is ignored)."""
    return address.lower()


def _convert(column: str, value: Any, field: Field) -> Any:
    try:
        return field.convert(value)
    except (ValueError, TypeError, OverflowError) as exc:
        raise RowRejected("wrong_type", f"column {column}: {value!r} is {exc}") from None
