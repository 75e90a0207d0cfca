"""The target's command, its options, and the errors whose messages are written for users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import click

from mailing_api.process.asking import TERMINAL
from mailing_api.process.command import USER_ERRORS, PluginCommand
from target_mailing.command.retry_options import retry_options
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.journal.stores import JournalError
from target_mailing.reconcile.tolerance import TooManyDifferencesError
from target_mailing.rows.lines import InputError
from target_mailing.rows.spool import SpoolError
from target_mailing.run.run import TooManyRejectsError
from target_mailing.run.state_output import StdoutClosedError

__all__ = ["TargetCommand", "options"]


#: The parts of the help, each with the names of its parameters; all others are in the last part.
_PARTS: Final[Mapping[str, Sequence[str]]] = {
    "What to do; without any of these, the input is delivered": (
        "check", "plan", "reconcile", "retry_rejects", "history", "explain", "erase",
    ),
    "Settings and input": ("config", "file_input"),
    "With --plan": ("detailed_exitcode",),
    "With --retry-rejects": ("reject_code", "reject_stream", "reject_run"),
    "With --erase": ("yes",),
}  # fmt: skip
_LAST: Final = "About this program"
_EXAMPLE: Final = (
    "target-mailing --config=target.json --check",
    "target-mailing --config=target.json --plan --input=people.jsonl",
    "target-mailing --config=target.json --input=people.jsonl > state.jsonl",
)


class TargetCommand(PluginCommand):
    """The command `target-mailing`."""

    output = "STATE"
    user_errors = (
        *USER_ERRORS,
        DeliveryFailed,
        InputError,
        JournalError,
        SpoolError,
        StdoutClosedError,
        TooManyDifferencesError,
        TooManyRejectsError,
    )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in parts, and an example."""
        rows = {one.name: row for one in self.get_params(ctx) if (row := one.get_help_record(ctx))}
        parts = [(title, [rows.pop(name) for name in names]) for title, names in _PARTS.items()]
        for title, options_of in (*parts, (_LAST, [*rows.values()])):
            with formatter.section(title):
                formatter.write_dl(options_of)
        with formatter.section("Examples"):
            for line in _EXAMPLE:
                formatter.write(f"  {line}\n")


def options() -> list[click.Option]:
    """The target's own options."""
    return [
        click.Option(
            ["--check"],
            is_flag=True,
            help="Check credentials, list, properties, journal and rejects path without writing, and exit. With an "
            "input (--input or standard input), also list which columns of its streams are sent.",
        ),
        click.Option(
            ["--plan"],
            is_flag=True,
            help="Report what a delivery of the input would do, and write nothing, as with `mode: plan`.",
        ),
        click.Option(
            ["--reconcile"],
            is_flag=True,
            help="Compare the input with what the list holds, and write nothing, as with `mode: reconcile`.",
        ),
        click.Option(
            ["--detailed-exitcode"],
            is_flag=True,
            help="With a plan: exit with 3 if a delivery would change something, 0 if not, 1 after an error.",
        ),
        click.Option(
            ["--explain"],
            is_flag=False,
            flag_value=TERMINAL,
            metavar="[FILE]",
            help="Tell what is known of one person, here and at the provider, write nothing, and exit. FILE holds the "
            "key or the e-mail address; without it, the terminal asks.",
        ),
        click.Option(
            ["--erase"],
            is_flag=False,
            flag_value=TERMINAL,
            metavar="[FILE]",
            help="Remove what journal, rejects and history hold of one person, and exit; the provider is only read. "
            "FILE is as for --explain. The terminal shows what was found, and asks before it is removed.",
        ),
        click.Option(["--yes"], is_flag=True, help="With --erase: do not ask."),
        click.Option(
            ["--history"],
            is_flag=False,
            flag_value="",
            metavar="[RUN]",
            help="List the last runs that the journal remembers (`all`: every one), or tell one: RUN is its name, a "
            "beginning of it, or `last`. Nothing is written.",
        ),
        *retry_options(),
    ]
