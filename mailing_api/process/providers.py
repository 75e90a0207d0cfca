"""The installed providers, found by the entry points of packages, this one included."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.settings import Setting, given, named

__all__ = ["InstalledProvider", "installed", "load", "package_of", "points_of"]


class InstalledProvider(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a provider that tap and target share.

    Attributes:
        name: the prefix of its settings.
        title: its name for people.
        settings: all of its settings.
        selected_by: settings each of which selects this provider for the run.
        needed_with: settings that are required beside any of these.
    """

    name: str
    title: str
    settings: Sequence[Setting]
    selected_by: Sequence[Setting]
    needed_with: Sequence[Setting] = ()

    def is_set(self, config: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> bool:
        """Return whether the settings select this provider."""
        return any(given(setting, config, environ) for setting in self.selected_by)

    @property
    def required(self) -> Sequence[Sequence[Setting]]:
        """Groups of settings; any one group is enough to use this provider."""
        return [[setting, *self.needed_with] for setting in self.selected_by]

    @property
    def required_text(self) -> str:
        """The same for messages."""
        return " or ".join(named(group) for group in self.required) + f" for {self.title}"


P = TypeVar("P", bound=InstalledProvider)


def installed(group: str, kind: type[P]) -> tuple[P, ...]:
    """Return the providers of installed packages, in order of their names.

    Args:
        group: of the entry points, each of which has the provider's name and refers to it.
        kind: the class of a provider.

    Raises:
        ConfigurationError: there is none, one cannot be loaded, or two have the same name or a common setting.
    """
    found: dict[str, P] = {}
    owner: dict[str, EntryPoint] = {}
    for point in points_of(group):
        provider = _loaded(point, kind)
        names = [f"provider {provider.name!r}", *(f"setting `{one.name}`" for one in provider.settings)]
        if twice := next((name for name in names if name in owner), None):
            raise ConfigurationError(
                f"Two installed packages have a {twice}: {package_of(owner[twice])} and {package_of(point)}. "
                "Uninstall one."
            )
        owner |= dict.fromkeys(names, point)
        found[provider.name] = provider
    if not found:
        raise ConfigurationError(
            f"No provider is installed: no package has an entry point in the group {group!r}. Install this project "
            "again; an editable installation must be repeated when pyproject.toml has changed."
        )
    return tuple(found.values())


def points_of(group: str) -> Sequence[EntryPoint]:
    """Return the entry points of a group, in order of their names."""
    return sorted(entry_points(group=group), key=lambda point: point.name)


def load(point: EntryPoint) -> Any:
    """Return the object that an entry point refers to.

    Raises:
        ConfigurationError: its package cannot be loaded.
    """
    try:
        return point.load()
    except Exception as exc:  # noqa: BLE001 - the package may raise anything
        why = f": {exc}" if isinstance(exc, (ImportError, AttributeError)) else ""
        raise ConfigurationError(
            f"Provider {point.name!r} of {package_of(point)} cannot be loaded ({type(exc).__name__}{why}). Correct or "
            "uninstall that package."
        ) from None


def package_of(point: EntryPoint) -> str:
    """Return the package that has an entry point, for messages."""
    return f"package {point.dist.name!r}" if point.dist else "an unknown package"


def _loaded(point: EntryPoint, kind: type[P]) -> P:
    provider: Any = load(point)
    if not isinstance(provider, kind) or provider.name != point.name:
        raise ConfigurationError(
            f"Entry point {point.name!r} of {package_of(point)} is not a {kind.__module__}.{kind.__name__} with that "
            "name. Correct or uninstall that package."
        )
    return provider
