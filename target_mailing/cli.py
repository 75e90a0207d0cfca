"""The target's command, and the errors whose messages are written for users."""

from __future__ import annotations

from mailing_api.process.command import USER_ERRORS, PluginCommand
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.journal.stores import JournalError
from target_mailing.lines import InputError
from target_mailing.run import StdoutClosedError, TooManyRejectsError
from target_mailing.spool import SpoolError

__all__ = ["TargetCommand"]


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
        TooManyRejectsError,
    )
