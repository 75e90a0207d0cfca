"""The command line: the SDK's, with errors told in one line."""

from __future__ import annotations

import sys
import traceback
from typing import Any, Final

from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.plugin_base import SingerCommand

from mailing_api.errors import MailingError
from mailing_api.process.log_filter import guard_logs
from mailing_api.process.standard_output import failure, flush_before, install

__all__ = ["TapCommand"]

_UNWRITABLE: Final = "stdout cannot be written (%s), so the run failed."


class TapCommand(SingerCommand):
    """Ends with status 1 and one line in the log for whatever goes wrong, also while options are read."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command."""
        if sys.stdout is None:  # as in `>&-`
            self.logger.error("stdout is closed: nobody could take the records. Leave it open.")
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
                self.logger.error("%s", _told(exc))  # noqa: TRY400
            # The places, not the exception: its text may quote a setting.
            self.logger.debug("%s", "".join(traceback.format_tb(exc.__traceback__)))
        sys.exit(1)


def _told(exc: Exception) -> str:
    if isinstance(exc, (MailingError, MapExpressionError, StreamMapConfigError, OSError)):
        return str(exc)
    # The SDK reads files with another JSON library than Python's own; both tell the place like this.
    if isinstance(exc, ValueError) and hasattr(exc, "lineno") and hasattr(exc, "colno"):
        return f"A file given to the tap is not JSON: line {exc.lineno}, column {exc.colno}."
    return f"{type(exc).__name__}. Please report it with a log at level DEBUG."
