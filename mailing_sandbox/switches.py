"""The switches of all providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailing_sandbox.provider import Provider

Switches = TypeVar("Switches", bound=msgspec.Struct)


def changed(switches: Switches, fields: Mapping[str, Any]) -> Switches:
    """Return a copy with `fields` set. Text is converted, so that ``"true"`` and ``"3"`` may come from a shell.

    Raises:
        ValueError: a name is unknown or a value does not fit; the message names it.
    """
    known = msgspec.structs.asdict(switches)
    for name in fields:
        if name not in known:
            raise ValueError(f"unknown switch {name!r}; the switches are {', '.join(sorted(known))}")
    try:
        return msgspec.convert(known | dict(fields), type(switches), strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"switch refused: {error}") from error


class SwitchBoard:
    """Reads and sets the switches of several providers. Their names must not collide."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._owners: dict[str, Provider] = {}
        for provider in providers:
            for name in msgspec.structs.asdict(provider.switches):
                if name in self._owners:
                    raise ValueError(f"{provider.name} and {self._owners[name].name} both have a switch {name!r}")
                self._owners[name] = provider

    def as_dict(self) -> dict[str, Any]:
        """Return every switch and its value."""
        return {name: getattr(owner.switches, name) for name, owner in self._owners.items()}

    def change(self, fields: Mapping[str, Any]) -> None:
        """Set some switches; ValueError when one is unknown or does not fit, and then that provider's stay."""
        shares: dict[str, dict[str, Any]] = {}
        for name, value in fields.items():
            if name not in self._owners:
                raise ValueError(f"unknown switch {name!r}; the switches are {', '.join(sorted(self._owners))}")
            shares.setdefault(self._owners[name].name, {})[name] = value
        for provider in {owner.name: owner for owner in self._owners.values()}.values():
            if provider.name in shares:
                provider.change(**shares[provider.name])
