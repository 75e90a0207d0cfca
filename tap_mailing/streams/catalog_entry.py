"""A stream's entry in a catalog, completed by what the tap's own discovery tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from singer_sdk.singerlib.catalog import CatalogEntry, Metadata, MetadataMapping
from singer_sdk.singerlib.schema import Schema

from mailing_api.errors import ConfigurationError
from mailing_api.settings import shown

__all__ = ["complete", "include"]


def complete(entry: CatalogEntry, schema: Mapping[str, Any], automatic: Iterable[str], *, selected: bool) -> None:
    """Fill in what a stream's entry leaves out.

    Args:
        entry: of the stream.
        schema: all of the stream's columns.
        automatic: the columns that cannot be deselected.
        selected: whether the stream is selected where the catalog does not say.

    Raises:
        ConfigurationError: a key is none of the stream's columns.
    """
    own = Schema.from_dict(dict(schema))
    columns = dict(own.properties or {})
    if unknown := set(entry.key_properties or ()) - columns.keys():
        raise ConfigurationError(
            f"The catalog given by --catalog, stream {entry.tap_stream_id}: `key_properties` names "
            f"{shown(min(unknown))}, which the stream does not have."
        )
    if entry.schema.properties:
        always = {name: columns[name] for name in automatic}
        told = {name: one for name, one in entry.schema.properties.items() if one != Schema()}
        entry.schema.properties = {
            name: told.get(name) or columns.get(name, Schema()) for name in {**entry.schema.properties, **always}
        }
    else:
        entry.schema = own
    root = entry.metadata.root
    if root.selected is None and root.selected_by_default is None:
        root.selected_by_default = selected
    for name in automatic:
        include(entry.metadata, name)


def include(metadata: MetadataMapping, column: str) -> None:
    """Make a column one that cannot be deselected."""
    metadata["properties", column].inclusion = Metadata.InclusionType.AUTOMATIC
