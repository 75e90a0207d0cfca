"""Stream maps on a record of which some columns cannot be read: what they make of the others, and nothing guessed."""

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

#: What the whole record is called in an expression.
_RECORDS: Final = frozenset({"record", "_"})
#: Stands for what cannot be read; no record has it.
_UNREAD: Final = f"unread-{secrets.token_hex(16)}"
_AS_EXPRESSION: Final = repr(_UNREAD)
#: Instead of a filter of which nobody can tell whether it lets the record pass.
_FAILS: Final = "1 / 0"
#: Sets of columns of which maps are kept.
_MOST_KEPT: Final = 32

logger = logging.getLogger("target-mailing.intake")


class Part(msgspec.Struct, frozen=True):
    """What a map makes of a record that cannot be read as a whole.

    Attributes:
        columns: those that can be told for sure.
        damaged: those that cannot.
        is_told: whether anything can be told at all: not if a filter needs what cannot be read, or an expression fails.
        is_whole: whether no other column can be missing.
    """

    columns: Mapping[str, Any] = {}
    damaged: frozenset[str] = frozenset()
    is_told: bool = True
    is_whole: bool = True


class PartialMaps:
    """The maps of a run, for such records."""

    def __init__(self, mapper: PluginMapper, config: Mapping[str, Any]) -> None:
        """Take the SDK's mapper, and the plugin's settings."""
        self._mapper = mapper
        self._config = config
        self._kept: dict[tuple[str, frozenset[str]], tuple[Sequence[StreamMap], Sequence[StreamMap]]] = {}

    def __call__(self, stream: str, columns: Mapping[str, Any], damaged: frozenset[str]) -> Iterator[Part | None]:
        """What each of the stream's maps makes of the columns that can be read; None where it leaves the record out.

        Args:
            stream: its name in the input.
            columns: those that can be read.
            damaged: those that cannot.
        """
        # The SDK takes an empty record for one that is left out.
        record = {**columns, **dict.fromkeys(damaged, _UNREAD)} or {_UNREAD: _UNREAD}
        for whole, one in zip(self._mapper.stream_maps[stream], self._maps(stream, damaged), strict=True):
            try:
                made = one.transform(copy.copy(record))
            except Exception:  # noqa: BLE001 - an expression may do anything
                yield Part(is_told=False)
                continue
            yield None if made is None else self._part(made, whole, damaged)

    def _part(self, made: Mapping[str, Any], whole: StreamMap, damaged: Collection[str]) -> Part:
        unread = {name for name, value in made.items() if value == _UNREAD}
        if (flattening := whole.flattening_options) is not None:
            parts = tuple(f"{name}{flattening.separator}" for name in damaged)
            unread |= {name for name in whole.transformed_schema.get("properties", {}) if name.startswith(parts)}
        return Part({name: value for name, value in made.items() if name not in unread}, frozenset(unread))

    def _maps(self, stream: str, damaged: frozenset[str]) -> Sequence[StreamMap]:
        """The stream's maps without the expressions that need these columns."""
        now = self._mapper.stream_maps[stream]
        kept = self._kept.get((stream, damaged))
        if kept is None or kept[0] is not now:
            if len(self._kept) == _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            kept = self._kept[stream, damaged] = now, self._made(stream, now, damaged)
        return kept[1]

    def _made(self, stream: str, maps: Sequence[StreamMap], damaged: frozenset[str]) -> Sequence[StreamMap]:
        given = self._config.get("stream_maps") or {}
        config = {**self._config, "stream_maps": {name: _without(one, damaged) for name, one in given.items()}}
        mapper = PluginMapper(plugin_config=config, logger=logger)
        mapper.default_mapper_type = self._mapper.default_mapper_type  # the SDK takes `__else__` out of its settings
        mapper.register_raw_stream_schema(stream, maps[0].raw_schema, maps[0].raw_key_properties)
        for one, whole in zip(mapper.stream_maps[stream], maps, strict=True):
            one.transformed_schema = whole.transformed_schema
        return mapper.stream_maps[stream]


def _without(given: Any, damaged: frozenset[str]) -> Any:
    """A map in which nothing needs these columns."""
    if not isinstance(given, Mapping):
        return given
    return {name: _untouched(name, expression, damaged) for name, expression in given.items()}


def _untouched(column: str, expression: Any, damaged: frozenset[str]) -> Any:
    is_expression = isinstance(expression, str) and expression != "__NULL__"
    if not is_expression or (column.startswith("__") and column.endswith("__") and column != "__filter__"):
        return expression
    needed = columns_of(expression, column)
    if needed is not None and needed.isdisjoint(damaged):
        return expression
    return _FAILS if column == "__filter__" else _AS_EXPRESSION


def columns_of(expression: str, own: str) -> frozenset[str] | None:
    """The columns that an expression may read, and other names in it; None where it may be any.

    Args:
        expression: of a stream map.
        own: the column that it makes, which is `self` in it.
    """
    try:
        tree = ast.parse(expression)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    names: set[str] = set()
    told: set[ast.expr] = set()
    for node in ast.walk(tree):
        found = _read(node)
        if found is not None:
            names.add(found[1])
            told.add(found[0])
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node.id in _RECORDS and node not in told:
                return None
            names |= {node.id, own} if node.id == "self" else {node.id}
    return frozenset(names)


def _read(node: ast.AST) -> tuple[ast.expr, str] | None:
    """The node of the whole record, and the column that is read of it, in `record['x']` or `record.get('x')`."""
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
