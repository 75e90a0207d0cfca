"""The command line: the SDK's, with --check, and errors told in one line."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any, Final

from singer_sdk.exceptions import (
    ConfigValidationError,
    MapExpressionError,
    StreamMapConfigError,
)
from singer_sdk.plugin_base import SingerCommand

from mailing_api.errors import MailingError
from mailing_api.process.log_filter import guard_logs
from mailing_api.process.standard_output import failure, flush_before, install
from target_mailing.delivery.batch import DeliveryFailed
from target_mailing.journal.journal import JournalError
from target_mailing.lines import InputError
from target_mailing.run import StdoutClosedError, TooManyRejectsError

__all__ = ["TargetCommand", "words"]

_UNWRITABLE: Final = "Standard output cannot be written (%s)."

#: Errors whose text is written for users and holds no row.
_TOLD = (
    MailingError,
    DeliveryFailed,
    InputError,
    JournalError,
    StdoutClosedError,
    TooManyRejectsError,
    MapExpressionError,
    StreamMapConfigError,
    OSError,
)


class TargetCommand(SingerCommand):
    """Ends with status 1 and one line in the log for whatever goes wrong, also while options are read."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command."""
        if sys.stdout is None:  # as in `>&-`
            self.logger.error("Standard output is closed: nobody could take the STATE. Leave it open.")
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
                self.logger.error("%s", words(exc))  # noqa: TRY400
        sys.exit(1)


def words(exc: Exception) -> str:
    """What is said of an error: nothing that quotes a row or a setting."""
    if isinstance(exc, _TOLD):
        return str(exc)
    if isinstance(exc, ValueError) and hasattr(exc, "lineno") and hasattr(exc, "colno"):
        return f"The file given by --config is not JSON: line {exc.lineno}, column {exc.colno}."
    # Its text may quote a row, so only its type and its places are told.
    places = traceback.extract_tb(exc.__traceback__)
    where = " < ".join(f"{Path(place.filename).name}:{place.lineno}" for place in reversed(places))
    return f"Unexpected {type(exc).__name__} at {where}. Please report this."
