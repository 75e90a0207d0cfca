"""Stream maps on a record with unreadable columns: applied to the other columns, with nothing guessed."""

from __future__ import annotations

import ast
import copy
import logging
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from singer_sdk.mapper import PluginMapper, StreamMap

__all__ = ["Part", "PartialMaps", "columns_of"]

#: Names of the whole record in an expression.
_RECORDS: Final = frozenset({"record", "_"})
#: The placeholder of an unreadable value; no record has it.
_UNREAD: Final = f"unread-{secrets.token_hex(16)}"
_AS_EXPRESSION: Final = repr(_UNREAD)
#: Replaces a filter that needs an unreadable column: whether the record passes is unknown.
_FAILS: Final = "1 / 0"
#: Sets of damaged columns whose maps are kept compiled.
_MOST_KEPT: Final = 32

logger = logging.getLogger("target-mailing.intake")


class Part(msgspec.Struct, frozen=True):
    """The output of a map for a record that cannot be read as a whole.

    Attributes:
        columns: the columns that are certain.
        damaged: the names of those that are not.
        is_known: false if a filter needs an unreadable column, or an expression fails: then no column is certain.
        is_whole: the names of all columns are known.
    """

    columns: Mapping[str, Any] = {}
    damaged: frozenset[str] = frozenset()
    is_known: bool = True
    is_whole: bool = True


class PartialMaps:
    """The maps of a run, for records with unreadable columns."""

    def __init__(self, mapper: PluginMapper, config: Mapping[str, Any]) -> None:
        """Keep the SDK's mapper and the plugin's settings."""
        self._mapper = mapper
        self._config = config
        self._compiled: dict[tuple[str, frozenset[str]], tuple[Sequence[StreamMap], Sequence[StreamMap]]] = {}

    def __call__(self, stream: str, columns: Mapping[str, Any], damaged: frozenset[str]) -> Iterator[Part | None]:
        """The output of each of the stream's maps for the readable columns; None where it omits the record.

        Args:
            stream: its name in the input.
            columns: the readable columns.
            damaged: the names of the others.
        """
        # The SDK treats an empty record as one that is omitted.
        record = {**columns, **dict.fromkeys(damaged, _UNREAD)} or {_UNREAD: _UNREAD}
        for original, safe in zip(self._mapper.stream_maps[stream], self._maps(stream, damaged), strict=True):
            try:
                output = safe.transform(copy.copy(record))
            except Exception:  # noqa: BLE001 - an expression may do anything
                yield Part(is_known=False)
                continue
            yield None if output is None else self._part(output, original, damaged)

    def _part(self, output: Mapping[str, Any], original: StreamMap, damaged: Collection[str]) -> Part:
        unread = {name for name, value in output.items() if value == _UNREAD}
        if (flattening := original.flattening_options) is not None:
            prefixes = tuple(f"{name}{flattening.separator}" for name in damaged)
            unread |= {name for name in original.transformed_schema.get("properties", {}) if name.startswith(prefixes)}
        return Part({name: value for name, value in output.items() if name not in unread}, frozenset(unread))

    def _maps(self, stream: str, damaged: frozenset[str]) -> Sequence[StreamMap]:
        """The stream's maps without the expressions that need these columns."""
        originals = self._mapper.stream_maps[stream]
        compiled = self._compiled.get((stream, damaged))
        if compiled is None or compiled[0] is not originals:
            if len(self._compiled) == _MOST_KEPT:
                del self._compiled[next(iter(self._compiled))]
            compiled = self._compiled[stream, damaged] = originals, self._compile(stream, originals, damaged)
        return compiled[1]

    def _compile(self, stream: str, originals: Sequence[StreamMap], damaged: frozenset[str]) -> Sequence[StreamMap]:
        maps = self._config.get("stream_maps") or {}
        config = {**self._config, "stream_maps": {name: _without(one, damaged) for name, one in maps.items()}}
        mapper = PluginMapper(plugin_config=config, logger=logger)
        mapper.default_mapper_type = self._mapper.default_mapper_type  # the SDK removes `__else__` from its settings
        mapper.register_raw_stream_schema(stream, originals[0].raw_schema, originals[0].raw_key_properties)
        for safe, original in zip(mapper.stream_maps[stream], originals, strict=True):
            safe.transformed_schema = original.transformed_schema
        return mapper.stream_maps[stream]


def _without(stream_map: Any, damaged: frozenset[str]) -> Any:
    """A map whose expressions need none of these columns."""
    if not isinstance(stream_map, Mapping):
        return stream_map
    safe = dict(stream_map)
    for column, expression in stream_map.items():
        is_option = column.startswith("__") and column.endswith("__") and column != "__filter__"
        if isinstance(expression, str) and expression != "__NULL__" and not is_option:
            needed = columns_of(expression, column)
            if needed is None or not needed.isdisjoint(damaged):
                safe[column] = _FAILS if column == "__filter__" else _AS_EXPRESSION
    return safe


def columns_of(expression: str, own: str) -> frozenset[str] | None:
    """The columns that an expression may read, and other names in it; None where it may read any.

    Args:
        expression: of a stream map.
        own: the column that the expression fills, which is `self` in it.
    """
    try:
        tree = ast.parse(expression)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names: set[str] = set()
    resolved: set[ast.expr] = set()
    for node in ast.walk(tree):
        if (access := _access(node)) is not None:
            resolved.add(access[0])
            names.add(access[1])
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node.id in _RECORDS and node not in resolved:
                return None
            names |= {node.id, own} if node.id == "self" else {node.id}
    return frozenset(names)


def _access(node: ast.AST) -> tuple[ast.expr, str] | None:
    """The node of the whole record, and the column that is read from it, in `record['x']` or `record.get('x')`."""
    match node:
        case ast.Subscript(value=ast.Name(id=name) as record, slice=ast.Constant(value=str(column))):
            pass
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id=name) as record, attr="get"),
            args=[ast.Constant(value=str(column)), *_],
        ):
            pass
        case _:
            return None
    return (record, column) if name in _RECORDS else None
