"""The command line of both plugins: the SDK's, with every error reported in one line."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any, ClassVar, Final

import click
from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.plugin_base import SingerCommand

from mailing_api.errors import ConfigurationError, MailingError
from mailing_api.process.log_filter import guard_logs
from mailing_api.process.standard_output import failure, flush_before, install

__all__ = ["USER_ERRORS", "GivenFile", "PluginCommand", "message_of"]

_UNWRITABLE: Final = "Standard output cannot be written (%s), so the run failed."

#: Errors of both plugins whose message is written for users and quotes no row.
USER_ERRORS: Final[tuple[type[Exception], ...]] = (MailingError, MapExpressionError, StreamMapConfigError, OSError)


class GivenFile(click.File):
    """A file that an option names; one that cannot be read is an error like any other, with exit code 1."""

    @classmethod
    def like(cls, kind: click.File) -> GivenFile:
        """One that opens files as another type does."""
        return cls(kind.mode, kind.encoding, kind.errors)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Open the file.

        Raises:
            ConfigurationError: it cannot be read.
        """
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            option = "a file" if param is None else param.opts[-1]
            cause = error.__context__
            if isinstance(cause, FileNotFoundError):
                raise ConfigurationError(f"The file in {option}, {value}, was not found.") from None
            reason = getattr(cause, "strerror", None) or "no file can have this name"
            raise ConfigurationError(f"The file in {option}, {value}, cannot be read ({reason}).") from None


class PluginCommand(SingerCommand):
    """Ends with status 1 and one line in the log for any error, also while options are read.

    Attributes:
        output: the content of standard output, for messages.
        user_errors: the plugin's errors whose message is written for users.
    """

    output: ClassVar[str]
    user_errors: ClassVar[tuple[type[Exception], ...]] = USER_ERRORS

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command."""
        if sys.stdout is None:  # as in `>&-`
            self.logger.error("Standard output is closed, so the %s cannot be written. Leave it open.", self.output)
            sys.exit(1)
        install()
        guard_logs()
        try:
            return super().main(*args, **kwargs)
        except SystemExit as end:
            flush_before(end, lambda why: self.logger.error(_UNWRITABLE, why))  # noqa: TRY400
            raise
        except ConfigValidationError as exc:
            self.logger.error("%s", " ".join(exc.errors))  # noqa: TRY400
        except Exception as exc:  # noqa: BLE001 - the last place to report an error
            if isinstance(exc, OSError) and (reason := failure()):
                self.logger.error(_UNWRITABLE, reason)  # noqa: TRY400
            else:
                self.logger.error("%s", message_of(exc, self.user_errors))  # noqa: TRY400
        sys.exit(1)


def message_of(exc: Exception, user_errors: tuple[type[Exception], ...] = USER_ERRORS) -> str:
    """Return the message for an error; it quotes no row and no setting."""
    if isinstance(exc, user_errors):
        return str(exc)
    # The SDK reads files with another JSON library than Python's own; the errors of both have these attributes.
    if isinstance(exc, ValueError) and hasattr(exc, "lineno") and hasattr(exc, "colno"):
        return f"A file given on the command line is not JSON: line {exc.lineno}, column {exc.colno}."
    # The error's message may quote a row, so only its type and its traceback are reported.
    places = traceback.extract_tb(exc.__traceback__)
    where = " < ".join(f"{Path(place.filename).name}:{place.lineno}" for place in reversed(places))
    return f"Unexpected {type(exc).__name__} at {where}. Please report this."
