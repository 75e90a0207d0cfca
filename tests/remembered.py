"""What each run of a plugin works out anew, once for all runs in this process, of which tests make thousands."""

from __future__ import annotations

import functools
import importlib.metadata
import json
from collections.abc import Callable
from typing import Any

import fastjsonschema
import sqlalchemy as sa

__all__ = ["remember_between_runs"]

#: Validators that are kept: most tests share a few schemas, and some draw thousands.
_MOST_VALIDATORS = 200


class _Statements(dict[tuple[Any, ...], Any]):
    """Compiled statements by their keys, whose first part is the dialect of one engine; all of SQLite are alike."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get((type(key[0]), *key[1:]), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__((type(key[0]), *key[1:]), compiled)


def remember_between_runs() -> None:
    """Let engines of SQLite share the statements that they compiled, and runs the validators of equal schemas.

    SQLAlchemy keeps compiled statements for each engine, and each run of the target has an engine of its own. The
    versions of packages are read once, too.
    """
    statements = _Statements()
    create = sa.create_engine

    def create_sharing(url: Any, **options: Any) -> sa.Engine:
        engine = create(url, **options)
        if engine.dialect.name == "sqlite":
            engine.update_execution_options(compiled_cache=statements)
        return engine

    sa.create_engine = create_sharing
    importlib.metadata.version = functools.cache(importlib.metadata.version)
    fastjsonschema.compile = _compiling_once(fastjsonschema.compile)


def _compiling_once(compile_validator: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a JSON Schema once; one that cannot be written as JSON each time."""
    known: dict[str, Any] = {}

    def compile_once(definition: Any, **options: Any) -> Any:
        try:
            key = json.dumps([definition, {name: repr(value) for name, value in sorted(options.items())}])
        except (RecursionError, TypeError, ValueError):
            return compile_validator(definition, **options)
        if key not in known:
            if len(known) >= _MOST_VALIDATORS:
                known.clear()
            known[key] = compile_validator(definition, **options)
        return known[key]

    return compile_once
