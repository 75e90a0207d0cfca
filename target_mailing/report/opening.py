"""The report of a run, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from target_mailing.settings.declared_settings import value_of

if TYPE_CHECKING:
    from target_mailing.delivery.router import Router
    from target_mailing.foresight.foresight import Foresight
    from target_mailing.journal.rejects_file import Rejects
    from target_mailing.run.run import Run
    from target_mailing.run_events import History
    from target_mailing.run_identity import AboutRun

__all__ = ["NoReport", "open_report"]


class NoReport:
    """What happens to a run without a report: nothing.

    Attributes:
        page: the page of the report; None for none.
    """

    page: str | None = None

    def listen(self, history: History) -> None:
        """Learn of the jobs that the run tells its history."""

    def observe(self, run: Run, rejects: Rejects, foresight: Foresight | None) -> None:
        """The run begins."""

    def end(self, failure: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        """The run has ended, with this error if it failed; as the exit of a context."""


def open_report(
    config: Mapping[str, Any], router: Router, about: AboutRun, *, words_of: Callable[[Exception], str]
) -> NoReport:
    """The report of a run, if the settings want one; arguments and errors as of `Report`."""
    if value_of("report_path", config) is None:
        return NoReport()
    from target_mailing.report.report import Report  # noqa: PLC0415 - few runs need it

    return Report(config, router, about, words_of=words_of)
