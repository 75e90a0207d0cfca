"""Which of a stream's columns go to properties, the account's own fields, and to which; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mailing_api.errors import ConfigurationError
from mailing_api.kinds import Contact, column_schemas
from mailing_api.suggestions import did_you_mean, listed, misspelt
from target_mailing.contacts.deletion import DELETED_AT
from target_mailing.contacts.fields import Fields

__all__ = ["CANONICAL_COLUMNS", "PropertyNames", "check_left_out", "chosen_properties", "no_property"]

CANONICAL_COLUMNS = tuple(column_schemas(Contact))

#: Columns of which no setting makes that they are not read.
_ALWAYS_READ = frozenset({"email", "subscription_status", DELETED_AT})
_ABOUT_THE_ROW = frozenset({"provider", "account", "id", "created_at", "updated_at"})


class PropertyNames:
    """The names of the account's properties, found in any case where only one can be meant."""

    def __init__(self, fields: Fields) -> None:
        """Take them from what a destination takes."""
        self._properties = fields.properties
        self._folded: dict[str, list[str]] = {}
        for name in fields.properties:
            self._folded.setdefault(name.lower(), []).append(name)

    def find(self, name: str) -> str | None:
        """The property's own name; None where there is none, or another case could be any of several."""
        if name in self._properties:
            return name
        found = self._folded.get(name.lower(), ())
        return found[0] if len(found) == 1 else None

    def like(self, name: str) -> Sequence[str]:
        """Those that differ in case only."""
        return self._folded.get(name.lower(), ())


def chosen_properties(
    *,
    stream: str,
    columns: Sequence[str],
    fields: Fields,
    mapping: Mapping[str, str],
    properties: Sequence[str] | str | None,
    action_column: str | None,
    structures: Collection[str] = (),
    left_out: Collection[str] = (),
) -> dict[str, str]:
    """The properties that a stream's columns go to, each with its column; arguments as in `StreamMapping`.

    Names are the account's own where it has such a property, else as in the settings. `all` leaves out columns with
    values that no property takes.

    Raises:
        ConfigurationError: a listed column is missing or has values that no property takes, or two columns go to the
            same property.
    """
    names = PropertyNames(fields)
    structures = structures if fields.defines_properties else ()
    named = {
        name: column
        for name, column in mapping.items()
        if name not in {DELETED_AT, "email", "subscription_status", "properties", *fields.columns} | _ABOUT_THE_ROW
    }
    if properties == "all":
        taken = {"email", "subscription_status", "properties", action_column, *mapping.values()} | _ABOUT_THE_ROW
        taken |= fields.columns.keys() - set(CANONICAL_COLUMNS) | {*left_out}
        for column in columns:
            canonical = column in CANONICAL_COLUMNS and names.find(column) is None
            if not canonical and column not in taken | {*structures} and not column.startswith(("_sdc_", "_reject_")):
                named.setdefault(column, column)
    elif properties:
        wanted = [properties] if isinstance(properties, str) else properties
        if missing := [column for column in wanted if column not in columns]:
            raise ConfigurationError(
                f"Stream {stream!r}: `properties` lists {', '.join(map(repr, missing))}, "
                f"which the stream does not have.{did_you_mean(missing, columns)}"
            )
        named.update({column: column for column in wanted})
    if unfit := sorted({column for column in named.values() if column in structures}):
        raise ConfigurationError(
            f"Stream {stream!r}: {listed([*map(repr, unfit)])} in `properties` or `mapping` holds objects or arrays, "
            "which no property can hold. Leave it out, or flatten it (`flattening_enabled: true`)."
        )
    return _by_own_name(stream, named, names)


def check_left_out(stream: str, left_out: Collection[str], columns: Collection[str], fields: Fields) -> None:
    """See whether columns may be left out, which `mapping` takes from nowhere (null).

    Raises:
        ConfigurationError: one of them tells who may be written to, or is misspelt.
    """
    for name in sorted(left_out):
        field = fields.columns.get(name)
        if name in _ALWAYS_READ or (field is not None and field.opt_outs is not None):
            raise ConfigurationError(
                f"Stream {stream!r}: `mapping` leaves out {name!r}, which says who may be written to, and is always "
                "read. Take that entry out, or deselect the column at the tap."
            )
        if name not in columns and (meant := misspelt(name, columns)) is not None:
            raise ConfigurationError(f"Stream {stream!r}: `mapping` leaves out {name!r}. Did you mean {meant!r}?")


def _by_own_name(stream: str, named: Mapping[str, str], names: PropertyNames) -> dict[str, str]:
    """The columns by the account's own names."""
    found: dict[str, str] = {}
    folded: dict[str, str] = {}
    for name, column in named.items():
        own = names.find(name)
        if own is None:
            # Those that are to be defined: a provider may fold names to lower case.
            other = folded.setdefault(name.lower(), column)
            own = name
        else:
            other = found.get(own, column)
        if other != column:
            raise ConfigurationError(
                f"Stream {stream!r}: columns {other!r} and {column!r} both go to the property {own!r}, whose name is "
                "the same in any case. Name the one that is meant in `properties` or `mapping`."
            )
        found[own] = column
    return found


def no_property(who: str, names: Sequence[str], fields: Fields) -> ConfigurationError:
    """What is said of names in `properties` or `mapping` that are no properties of the account."""
    known = PropertyNames(fields)
    told = f"{who}: {listed([*map(repr, names)])} in `properties` or `mapping` is no property of the account"
    if alike := [one for name in names for one in known.like(name)]:
        return ConfigurationError(
            f"{told}, which has {', '.join(map(repr, alike))}: set `mapping` to say which of them is meant."
        )
    if fields.defines_properties:
        question = did_you_mean(names, [*fields.columns, *fields.properties])
        return ConfigurationError(
            f"{told}.{question} Set `create_properties: true`, define it at the provider, or leave it out."
        )
    return ConfigurationError(f"{told}, but a field of each contact: take it out of `properties`.")
