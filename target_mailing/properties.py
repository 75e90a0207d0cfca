"""Which of a stream's columns go to properties, the account's own fields; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailing_api.errors import ConfigurationError
from mailing_api.kinds import Contact, column_schemas
from target_mailing.deletion import DELETED_AT
from target_mailing.fields import Fields

__all__ = ["CANONICAL_COLUMNS", "chosen_properties", "no_property"]

CANONICAL_COLUMNS = tuple(column_schemas(Contact))

_ABOUT_THE_ROW = frozenset({"provider", "account", "id", "created_at", "updated_at"})


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
        if name not in {DELETED_AT, "email", "subscription_status", "properties", *fields.columns} | _ABOUT_THE_ROW
    }
    if properties == "all":
        taken = {"email", "subscription_status", "properties", action_column, *mapping.values()} | _ABOUT_THE_ROW
        taken |= fields.columns.keys() - set(CANONICAL_COLUMNS)
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


def no_property(who: str, names: Sequence[str], fields: Fields) -> ConfigurationError:
    """What is said of names in `properties` or `mapping` that are no properties of the account."""
    told = f"{who}: {', '.join(map(repr, names))} in `properties` or `mapping` is no property of the account"
    if fields.defines_properties:
        return ConfigurationError(f"{told}. Set `create_properties: true`, define it at the provider, or leave it out.")
    return ConfigurationError(f"{told}, but a field of each contact: take it out of `properties`.")
