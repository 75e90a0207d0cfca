"""What is said of a stream that could not be read completely."""

from __future__ import annotations

from mailing_api.errors import MailingError

__all__ = ["failure_message"]


def failure_message(error: Exception) -> str:
    """The reason, for the log; of unexpected errors only the type, since their messages may quote a row."""
    if isinstance(error, MailingError):
        return str(error)
    if isinstance(error, RecursionError):
        return "the provider's response is nested too deeply."
    return f"{type(error).__name__}. This is a bug in the tap: please report it with a log at level DEBUG."
