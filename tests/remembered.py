"""What each run of a plugin works out anew, once for all runs in this process, of which tests make thousands."""

from __future__ import annotations

import functools
import importlib.metadata
from typing import Any

import sqlalchemy as sa

__all__ = ["remember_between_runs"]


class _Statements(dict[tuple[Any, ...], Any]):
    """Compiled statements by their keys, whose first part is the dialect of one engine; all of SQLite are alike."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get((type(key[0]), *key[1:]), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__((type(key[0]), *key[1:]), compiled)


def remember_between_runs() -> None:
    """Let engines of SQLite share the statements that they compiled, and read the versions of packages once.

    SQLAlchemy keeps compiled statements for each engine, and each run of the target has an engine of its own.
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
