"""The command line of both plugins: the SDK's, with every error told in one line."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any, ClassVar, Final

from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.plugin_base import SingerCommand

from mailing_api.errors import MailingError
from mailing_api.process.log_filter import guard_logs
from mailing_api.process.standard_output import failure, flush_before, install

__all__ = ["USER_ERRORS", "PluginCommand", "message_of"]

_UNWRITABLE: Final = "Standard output cannot be written (%s), so the run failed."

#: Errors of both plugins whose text is written for users and quotes no row.
USER_ERRORS: Final[tuple[type[Exception], ...]] = (MailingError, MapExpressionError, StreamMapConfigError, OSError)


class PluginCommand(SingerCommand):
    """Ends with status 1 and one line in the log for whatever goes wrong, also while options are read.

    Attributes:
        output: what standard output is for, in messages.
        user_errors: the plugin's errors whose text is written for users.
    """

    output: ClassVar[str]
    user_errors: ClassVar[tuple[type[Exception], ...]] = USER_ERRORS

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command."""
        if sys.stdout is None:  # as in `>&-`
            self.logger.error("Standard output is closed: nobody could take the %s. Leave it open.", self.output)
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
        except Exception as exc:  # noqa: BLE001 - nothing is left to see to it
            if isinstance(exc, OSError) and (reason := failure()):
                self.logger.error(_UNWRITABLE, reason)  # noqa: TRY400
            else:
                self.logger.error("%s", message_of(exc, self.user_errors))  # noqa: TRY400
        sys.exit(1)


def message_of(exc: Exception, user_errors: tuple[type[Exception], ...] = USER_ERRORS) -> str:
    """The message for an error: nothing that quotes a row or a setting."""
    if isinstance(exc, user_errors):
        return str(exc)
    # The SDK reads files with another JSON library than Python's own; both tell the place like this.
    if isinstance(exc, ValueError) and hasattr(exc, "lineno") and hasattr(exc, "colno"):
        return f"A file given on the command line is not JSON: line {exc.lineno}, column {exc.colno}."
    # The error's text may quote a row, so only its type and its places are told.
    places = traceback.extract_tb(exc.__traceback__)
    where = " < ".join(f"{Path(place.filename).name}:{place.lineno}" for place in reversed(places))
    return f"Unexpected {type(exc).__name__} at {where}. Please report this."
