"""A stream's entry in a catalog, completed from the tap's own discovery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from singer_sdk.singerlib.catalog import CatalogEntry, Metadata, MetadataMapping
from singer_sdk.singerlib.schema import Schema

from mailing_api.errors import ConfigurationError
from mailing_api.settings import shown

__all__ = ["complete", "include"]


def complete(entry: CatalogEntry, schema: Mapping[str, Any], automatic: Iterable[str], *, selected: bool) -> None:
    """Add to a stream's entry what it lacks.

    Args:
        entry: of the stream.
        schema: all of the stream's columns.
        automatic: the columns that cannot be deselected.
        selected: the default where the catalog neither selects nor deselects the stream.

    Raises:
        ConfigurationError: a key is not a column of the stream.
    """
    own = Schema.from_dict(dict(schema))
    columns = dict(own.properties or {})
    if unknown := set(entry.key_properties or ()) - columns.keys():
        raise ConfigurationError(
            f"The catalog given by --catalog, stream {entry.tap_stream_id}: `key_properties` names "
            f"{shown(min(unknown))}, which is not a column of the stream."
        )
    if entry.schema.properties:
        always = {name: columns[name] for name in automatic}
        filled = {name: schema for name, schema in entry.schema.properties.items() if schema != Schema()}
        entry.schema.properties = {
            name: filled.get(name) or columns.get(name, Schema()) for name in {**entry.schema.properties, **always}
        }
    else:
        entry.schema = own
    root = entry.metadata.root
    if root.selected is None and root.selected_by_default is None:
        root.selected_by_default = selected
    for name in automatic:
        include(entry.metadata, name)


def include(metadata: MetadataMapping, column: str) -> None:
    """Select a column always."""
    metadata["properties", column].inclusion = Metadata.InclusionType.AUTOMATIC
