"""Names that a package offers, loaded when they are used: who reads a provider's settings needs no client."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["offered"]


def offered(package: str, *modules: str) -> Callable[[str], Any]:
    """Return a package's `__getattr__`: it looks for the names of the package's `__all__` in these of its modules."""

    def load(name: str) -> Any:
        if name in import_module(package).__all__:
            for module in modules:
                place = import_module(f"{package}.{module}")
                if hasattr(place, name):
                    return getattr(place, name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
