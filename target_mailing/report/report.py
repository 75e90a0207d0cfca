"""The report of a run: what is noted meanwhile, and its files at the end, however the run ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from mailing_api.counted import counted, signal_in_words
from mailing_api.errors import ConfigurationError
from mailing_api.process.log_filter import safe_line
from target_mailing.delivery.router import Router
from target_mailing.foresight.foresight import Foresight
from target_mailing.journal.rejects_file import Rejects
from target_mailing.journal.store import JournalHeldError
from target_mailing.places import place_of
from target_mailing.report.contents import Contents, Head, contents, nothing
from target_mailing.report.files import ReportFiles, report_keep
from target_mailing.report.job_log import JobLog
from target_mailing.report.opening import NoReport
from target_mailing.report.series import Series
from target_mailing.run.run import Run
from target_mailing.run_events import History
from target_mailing.run_identity import AboutRun
from target_mailing.settings.declared_settings import value_of

__all__ = ["Report"]

logger = logging.getLogger("target-mailing")

#: Errors of a run that has not begun for which the report of an earlier run stays: a setting or an option is wrong, or
#: another run is under way, which will have a report.
_NOT_BEGUN: Final = (ConfigurationError, JournalHeldError)


class Report(NoReport):
    """Notes what a run does, and writes its report at the end. A report that cannot be written is only a warning."""

    def __init__(
        self, config: Mapping[str, Any], router: Router, about: AboutRun, *, words_of: Callable[[Exception], str]
    ) -> None:
        """Begin now.

        Args:
            config: the plugin's settings, among them `report_path`.
            router: of the run.
            about: the run.
            words_of: the message of an error.

        Raises:
            ConfigurationError: another file is at its place, or `report_keep` is no time.
        """
        self._config = config
        self._router = router
        self._version = about.version or ""
        self._words_of = words_of
        self._began = about.began_at
        self._run_id = about.run_id
        self._is_plan = value_of("mode", config) == "plan"
        place = place_of("report_path", value_of("report_path", config))
        self._files = ReportFiles(place, self._run_id, is_plan=self._is_plan)
        self._keep = report_keep(config)
        self.page = str(self._files.html)
        self._jobs = JobLog()
        self._series = Series()
        self._history = History()
        self._run: Run | None = None
        self._rejects: Rejects | None = None
        self._foresight: Foresight | None = None

    def listen(self, history: History) -> None:
        """See `NoReport`."""
        self._history = history
        history.tell(self._jobs.take)

    def observe(self, run: Run, rejects: Rejects, foresight: Foresight | None) -> None:
        """See `NoReport`."""
        self._run, self._rejects, self._foresight = run, rejects, foresight
        before = time.time() - self._began  # the run counts from its own beginning
        run.progress.watch = lambda seconds, look: self._series.watch(before + seconds, look)

    def end(self, failure: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        """See `NoReport`."""
        if self._run is None and isinstance(error, _NOT_BEGUN):
            return
        try:
            self._write(failure, error)
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
            logger.warning(
                "Setting `report_path`: %s cannot be written (%s), so this run has no report. Free the disk, or "
                "choose another place",
                self._files.html,
                reason,
            )
        except Exception as exc:  # noqa: BLE001 - what was delivered is delivered, whether or not it is reported
            logger.warning("Setting `report_path`: this run has no report. %s", self._words_of(exc))
        else:
            logger.info("Report: %s, and %s for CI job summaries", self._files.html, self._files.markdown.name)
            self._delete_old()

    def _write(self, failure: type[BaseException] | None, error: BaseException | None) -> None:
        from target_mailing.report.markdown import markdown  # noqa: PLC0415 - few runs need it
        from target_mailing.report.page import html  # noqa: PLC0415 - few runs need it

        ended = time.time()
        head = self._head(failure, error, ended)
        if self._run is None or self._rejects is None:
            told = nothing(head, self._router, self._config)
        else:
            self._series.add(max(ended - self._began, 0.0), self._run.progress.look())
            told = self._contents(head, self._run, self._rejects)
        self._files.write(html(told), markdown(told))

    def _delete_old(self) -> None:
        if self._keep is None:
            return
        if deleted := self._files.delete_old(time.time() - self._keep):
            logger.info("Setting `report_keep`: %s deleted", counted(deleted, "older report was", "older reports were"))

    def _contents(self, head: Head, run: Run, rejects: Rejects) -> Contents:
        return contents(
            head,
            run,
            self._router,
            rejects,
            config=self._config,
            jobs=self._jobs,
            points=self._series.points,
            folder=self._files.html.parent,
            history=self._history.path,
            jobs_planned=None if self._foresight is None else sum(self._foresight.jobs.values()),
        )

    def _head(self, failure: type[BaseException] | None, error: BaseException | None, ended: float) -> Head:
        status, words = "completed", ""
        if isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > 128:
            words = f"The run was stopped by {signal_in_words(error.code - 128)}. The next one continues it."
            status = "stopped"
        elif failure is not None:
            status = "failed"
            words = self._words_of(error) if isinstance(error, Exception) else failure.__name__
        return Head(
            is_plan=self._is_plan,
            run_id=self._run_id,
            provider=self._router.provider.title,
            account=safe_line(self._router.label),
            version=self._version,
            began=self._began,
            ended=ended,
            status=status,
            error=safe_line(words),
        )
