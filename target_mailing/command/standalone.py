"""The options that are commands of their own: they deliver nothing, and read no input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from target_mailing.delivery.router import Router
from target_mailing.journal.stores import Store

__all__ = ["Circumstances", "Standalone", "standalone"]


class Circumstances(msgspec.Struct, frozen=True):
    """What such a command works with.

    Attributes:
        config: the plugin's settings.
        open_router: makes the account, which only reads.
        places_of: the place of the journal, and the folder of the rejects files.
    """

    config: Mapping[str, Any]
    open_router: Callable[[], Router]
    places_of: Callable[[Router], tuple[Store, Path]]


class Standalone(msgspec.Struct, frozen=True):
    """Such an option.

    Attributes:
        run: takes its value, and the values of those options that it may have beside it.
        beside: the names of these.
    """

    run: Callable[[Any, Mapping[str, Any], Circumstances], None]
    beside: frozenset[str] = frozenset()


def _explain(value: str, beside: Mapping[str, Any], around: Circumstances) -> None:  # noqa: ARG001 - as all
    from target_mailing.explain.explain import explain  # noqa: PLC0415 - few need it

    explain(value, around.config, around.open_router, around.places_of)


def _erase(value: str, beside: Mapping[str, Any], around: Circumstances) -> None:
    from target_mailing.erase.erase import erase  # noqa: PLC0415 - few need it

    erase(value, around.config, around.open_router, around.places_of, is_sure=beside["yes"] is True)


def _history(value: str, beside: Mapping[str, Any], around: Circumstances) -> None:  # noqa: ARG001 - as all
    from target_mailing.past_runs.answer import tell_history  # noqa: PLC0415 - few need it

    tell_history(value, around.config, around.open_router, around.places_of)


#: By the names of the parameters.
_STANDALONE: Final[Mapping[str, Standalone]] = {
    "erase": Standalone(_erase, frozenset({"yes"})),
    "explain": Standalone(_explain),
    "history": Standalone(_history),
}
#: Options of any run.
_OF_ALL: Final = frozenset({"config", "about", "about_format"})


def standalone(chosen: Mapping[str, Any]) -> Callable[[Circumstances], None] | None:
    """The command of the option that was chosen; None if the input is to be read.

    Args:
        chosen: the options by the names of their parameters; those that are absent are None, False or ().

    Raises:
        ConfigurationError: another option wants something else.
    """
    given = {name: value for name, value in chosen.items() if value not in {None, False, ()}}
    name = next((name for name in given if name in _STANDALONE), None)
    if name is None:
        _check_not_alone(given)
        return None
    command = _STANDALONE[name]
    if others := sorted(given.keys() - {name} - command.beside - _OF_ALL):
        raise ConfigurationError(f"Option {_shown(name)} stands alone: omit {', '.join(map(_shown, others))}.")
    beside = {one: chosen.get(one) for one in command.beside}
    return lambda around: command.run(given[name], beside, around)


def _check_not_alone(given: Mapping[str, Any]) -> None:
    """Refuse options that only stand beside such a command: the input would be delivered."""
    for name, command in _STANDALONE.items():
        if lonely := sorted(given.keys() & command.beside):
            raise ConfigurationError(f"Option {_shown(lonely[0])} needs {_shown(name)}.")


def _shown(name: str) -> str:
    return "--input" if name == "file_input" else f"--{name.replace('_', '-')}"
