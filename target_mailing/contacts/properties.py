"""Which of a stream's columns go to properties, the account's own fields, and to which; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mailing_api.errors import ConfigurationError
from mailing_api.kinds import Contact, column_schemas
from mailing_api.suggestions import did_you_mean, listed, misspelt
from target_mailing.contacts.deletion import DELETED_AT
from target_mailing.contacts.fields import Fields
from target_mailing.contacts.stream_columns import StreamColumns
from target_mailing.settings.settings import StreamSettings

__all__ = ["CANONICAL_COLUMNS", "PropertyNames", "check_omitted", "chosen_properties", "unknown_properties"]

CANONICAL_COLUMNS = tuple(column_schemas(Contact))

#: Columns that are read whatever the settings say.
_ALWAYS_READ = frozenset({"email", "subscription_status", DELETED_AT})
_ABOUT_THE_ROW = frozenset({"provider", "account", "id", "created_at", "updated_at"})
#: Canonical columns that never become a property.
_NO_PROPERTIES = frozenset({"email", "subscription_status", "properties"}) | _ABOUT_THE_ROW


class PropertyNames:
    """The names of the account's properties, found in any case where the name is not ambiguous."""

    def __init__(self, fields: Fields) -> None:
        """Index the names of a destination's properties."""
        self._properties = fields.properties
        self._folded: dict[str, list[str]] = {}
        for name in fields.properties:
            self._folded.setdefault(name.lower(), []).append(name)

    def find(self, name: str) -> str | None:
        """The property's own name; None where there is none, or several that differ in case only."""
        if name in self._properties:
            return name
        alike = self.like(name)
        return alike[0] if len(alike) == 1 else None

    def like(self, name: str) -> Sequence[str]:
        """The properties whose names differ from this one in case only."""
        return self._folded.get(name.lower(), ())


def chosen_properties(columns: StreamColumns, fields: Fields, settings: StreamSettings) -> dict[str, str]:
    """The properties that a stream's columns go to, each with its column.

    Names are the account's own where it has such a property, else as in the settings. `all` omits columns with values
    that no property can hold.

    Args:
        columns: the stream's columns.
        fields: the fields of the destination.
        settings: the stream's settings.

    Raises:
        ConfigurationError: a listed column is missing or has values that no property can hold, or two columns go to
            the same property.
    """
    stream = f"Stream {columns.stream!r}"
    names = PropertyNames(fields)
    structures = columns.structures if fields.defines_properties else set()
    no_properties = _NO_PROPERTIES | {DELETED_AT, *fields.columns}
    chosen = {name: column for name, column in settings.mapping.items() if name not in no_properties}
    if settings.properties == "all":
        omitted = {settings.action_column, *settings.mapping.values(), *settings.left_out, *structures}
        omitted |= {settings.whole_count} | _NO_PROPERTIES | fields.columns.keys() - set(CANONICAL_COLUMNS)
        for column in columns.types:
            is_canonical = column in CANONICAL_COLUMNS and names.find(column) is None
            if not is_canonical and column not in omitted and not column.startswith(("_sdc_", "_reject_")):
                chosen.setdefault(column, column)
    elif settings.properties:
        listed_columns = [settings.properties] if isinstance(settings.properties, str) else settings.properties
        if missing := [column for column in listed_columns if column not in columns.types]:
            raise ConfigurationError(
                f"{stream}: `properties` lists {', '.join(map(repr, missing))}, which the stream does not have."
                f"{did_you_mean(missing, columns.types)} Correct the name, or remove it from `properties`."
            )
        chosen.update({column: column for column in listed_columns})
    if unfit := sorted(structures.intersection(chosen.values())):
        raise ConfigurationError(
            f"{stream}: no property can hold objects or arrays, but `properties` or `mapping` names columns of them: "
            f"{listed([*map(repr, unfit)])}. Remove these, or flatten them: set `flattening_enabled: true` and "
            "`flattening_max_depth: 1`, and name the new columns, such as 'address__city'."
        )
    return _by_own_name(stream, chosen, names)


def check_omitted(columns: StreamColumns, fields: Fields, omitted: Collection[str]) -> None:
    """Check the columns that `mapping` omits, by null.

    Raises:
        ConfigurationError: one of them says who may be contacted, or is misspelt.
    """
    for name in sorted(omitted):
        field = fields.columns.get(name)
        where = f"Stream {columns.stream!r}: `mapping` sets {name!r} to null"
        if name in _ALWAYS_READ or (field is not None and field.opt_outs is not None):
            raise ConfigurationError(
                f"{where}, but that column says who may be contacted, and is always read. Remove the entry, or "
                "deselect the column at the tap."
            )
        if name not in columns.types and (meant := misspelt(name, columns.types)) is not None:
            raise ConfigurationError(f"{where}, which is not a column of the stream. Did you mean {meant!r}?")


def _by_own_name(stream: str, chosen: Mapping[str, str], names: PropertyNames) -> dict[str, str]:
    """The columns by the account's own names of their properties."""
    by_name: dict[str, str] = {}
    folded: dict[str, str] = {}
    for name, column in chosen.items():
        own = names.find(name)
        if own is None:
            # A property that is not defined yet: a provider may fold its name to lower case.
            other = folded.setdefault(name.lower(), column)
            own = name
        else:
            other = by_name.get(own, column)
        if other != column:
            raise ConfigurationError(
                f"{stream}: columns {other!r} and {column!r} both go to the property {own!r}, since the case of its "
                "name does not matter. Keep only one of them in `properties` or `mapping`."
            )
        by_name[own] = column
    return by_name


def unknown_properties(place: str, names: Sequence[str], fields: Fields) -> ConfigurationError:
    """The error for names in `properties` or `mapping` that are no properties of the account."""
    known = PropertyNames(fields)
    verb = "is not a property" if len(names) == 1 else "are not properties"
    message = f"{place}: {listed([*map(repr, names)])} in `properties` or `mapping` {verb} of the account"
    if alike := [other for name in names for other in known.like(name)]:
        return ConfigurationError(
            f"{message}, which has {', '.join(map(repr, alike))}. Use the exact name of one of them in `mapping`."
        )
    if fields.defines_properties:
        question = did_you_mean(names, [*fields.columns, *fields.properties])
        return ConfigurationError(
            f"{message}.{question} Set `create_properties: true`, define it at the provider, or remove it from the "
            "setting."
        )
    return ConfigurationError(f"{message}, but a field of every contact: remove it from `properties`.")
