"""The options by which a run sends open rejects again instead of reading an input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from mailing_api.errors import ConfigurationError
from target_mailing.journal.retried import Selection
from target_mailing.settings.declared_settings import NO_JOURNAL, value_of

__all__ = ["retry_options", "selection_of"]

_CHOOSING: Final = ("reject_code", "reject_stream", "reject_run")
#: Options that read an input, or deliver nothing.
_OTHERS: Final[Mapping[str, str]] = {"file_input": "--input", "check": "--check", "reconcile": "--reconcile"}


def retry_options() -> list[click.Option]:
    """These options."""
    return [
        click.Option(
            ["--retry-rejects"],
            is_flag=True,
            help="Instead of reading an input, send rejected rows again of which nothing newer came since; with "
            "--plan, report what that would do.",
        ),
        *(
            click.Option(
                [f"--reject-{name}"], multiple=True, metavar=name.upper(), help=f"With --retry-rejects: {what}."
            )
            for name, what in (
                ("code", "only rejects with this code; may be repeated"),
                ("stream", "only rejects of this stream of the input; may be repeated"),
                ("run", "only rejects of this run, named as in the history; may be repeated"),
            )
        ),
    ]


def selection_of(options: Mapping[str, Any], others: Mapping[str, Any], config: Mapping[str, Any]) -> Selection | None:
    """Which open rejects are sent again; None where an input is read.

    Args:
        options: values by parameter, these options among them.
        others: those of options that do not go with them.
        config: the plugin's settings.

    Raises:
        ConfigurationError: the options do not go together, or not with the settings.
    """
    chosen: dict[str, Sequence[str]] = {name: tuple(options.get(name) or ()) for name in _CHOOSING}
    if not options.get("retry_rejects"):
        if given := [name for name, values in chosen.items() if values]:
            raise ConfigurationError(f"Option --{given[0].replace('_', '-')} needs --retry-rejects.")
        return None
    for name, shown in _OTHERS.items():
        if others.get(name) not in {None, False}:
            raise ConfigurationError(f"Options --retry-rejects and {shown} exclude each other.")
    if value_of("mode", config) == "reconcile":
        raise ConfigurationError("Option --retry-rejects delivers or plans, and `mode` is 'reconcile'.")
    if value_of("journal", config) == NO_JOURNAL:
        raise ConfigurationError(
            "Option --retry-rejects needs the journal, which keeps the rejects, and `journal` is off. Pipe the rejects "
            "file back in instead."
        )
    codes, streams, runs = chosen.values()
    return Selection(codes, streams, runs)
