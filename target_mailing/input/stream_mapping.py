"""The mapping of a stream's rows, with the log lines about its columns; pure."""

from __future__ import annotations

from target_mailing.contacts.fields import Fields
from target_mailing.contacts.mapping import StreamMapping
from target_mailing.contacts.properties_object import check_members
from target_mailing.contacts.stream_columns import holds_structures_only
from target_mailing.input.column_report import ColumnReport, column_report, shown_column
from target_mailing.input.column_types import ColumnTypes
from target_mailing.input.schemas import MappedSchema
from target_mailing.settings.settings import StreamSettings

__all__ = ["mapping_of"]


def mapping_of(schema: MappedSchema, fields: Fields, settings: StreamSettings) -> tuple[StreamMapping, ColumnReport]:
    """The mapping of a stream's rows, and the log lines about its columns.

    Raises:
        ConfigurationError: its columns do not fit the settings.
    """
    columns = schema.columns
    mapping = StreamMapping(columns, fields, settings)
    takes_all = settings.properties == "all"
    report = column_report(
        columns.stream, list(columns.types), mapping.sent, keys=schema.keys, all_properties=takes_all
    )
    warnings = [*report.warnings]
    used = {name for name, _ in mapping.needed}
    positions = {name: position for position, name in enumerate(columns.types, 1)}
    omitted = [repr(shown_column(name, positions[name])) for name in sorted(columns.structures) if name not in used]
    if omitted and takes_all and fields.defines_properties:
        warnings.append(
            f"Stream {columns.stream!r}: `properties: all` omits {', '.join(omitted)}, since no property can hold "
            "objects or arrays"
        )
    missing = [
        repr(shown_column(name, position)) for position, name in enumerate(schema.keys, 1) if name not in columns.types
    ]
    if missing:
        warnings.append(
            f"Stream {columns.stream!r}: key column {', '.join(missing)} is not in the SCHEMA; rows without "
            "it are rejected as missing_key. Fix `key_properties` at the tap"
        )
    if warning := _warning_of_object(schema, fields, settings):
        warnings.append(warning)
    return mapping, ColumnReport(report.line, warnings)


def _warning_of_object(schema: MappedSchema, fields: Fields, settings: StreamSettings) -> str | None:
    column = settings.mapping.get("properties", "properties")
    columns = schema.schema.get("properties", {})
    if column not in columns or "properties" in settings.left_out:
        return None
    types = ColumnTypes(schema.schema)
    members = {name: holds_structures_only(values) for name, values in types.members(columns[column]).items()}
    return check_members(schema.stream, column, members, types.of(columns[column]), fields)
