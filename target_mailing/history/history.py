"""The history of a run: every row, every job, and the run itself, in one file."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from target_mailing.contacts.effects import Effect
from target_mailing.history.file import HistoryFile
from target_mailing.history.open_lines import OpenLines
from target_mailing.history.records import RUNS, job_record, moment, outcome_records, record, schemas
from target_mailing.rows.outcome import Outcome
from target_mailing.run_events import History, Job, Keys, SentBy
from target_mailing.run_identity import AboutRun, exit_code

__all__ = ["RunHistory"]

logger = logging.getLogger("target-mailing.history")

#: Records that are written together, at most, so that they take little memory.
_TOGETHER: Final = 4096


class RunHistory(History):
    """Writes the history of a run; for the thread that owns the delivery.

    An error of the disk ends the history with a warning, and nothing else: rows are still delivered.
    """

    is_kept = takes_jobs = True

    def __init__(self, folder: Path, about: AboutRun) -> None:
        """Begin the file.

        Args:
            folder: of history files.
            about: the run.
        """
        super().__init__()
        self._run_id = about.run_id
        self._about = {**msgspec.structs.asdict(about), "started_at": moment(about.began_at)}
        self._open_lines = OpenLines(folder)
        #: By line, what rows were sent by that end only with other rows of their keys.
        self._sent: dict[int, SentBy] = {}
        self._folder = folder
        self._file: HistoryFile | None = None
        self._has_failed = False
        self._guarded(self._begin)

    def _begin(self) -> None:
        self._file = HistoryFile(self._folder, self._run_id)
        self.path = self._file.path
        self._file.append(schemas() + record(RUNS, self._about))

    def take(self, first: int, lines: int, keys: Iterable[Keys]) -> None:
        """See `History`."""
        if self._file is None:
            return
        parts = [b""] * lines
        for numbers, encoded in keys:
            for number, part in zip(numbers, encoded, strict=True):
                parts[number - first] = part
        self._guarded(lambda: self._open_lines.add(first, parts))

    def sent(self, line: int, by: SentBy) -> None:
        """See `History`."""
        if self._file is not None:
            self._sent[line] = by

    def ended(
        self, lines: Sequence[int], outcome: Outcome, code: str | None, destination: str, by: SentBy | None
    ) -> None:
        """See `History`."""
        if self._file is None or not lines:
            return
        sent_by = {by: sorted(lines)} if by is not None or not self._sent else self._by_sender(lines)
        for sender, ordered in sent_by.items():
            for at in range(0, len(ordered), _TOGETHER):
                self._write(ordered[at : at + _TOGETHER], outcome, code, destination, sender)

    def job(self, job: Job) -> None:
        """See `History`."""
        super().job(job)
        self._guarded(lambda: self._append(job_record(self._run_id, job)))

    def end(self, failure: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        """The run has ended, with this error if it failed; as the exit of a context."""
        code = exit_code(failure, error)
        super().end(failure, error)
        totals = self.totals()
        effects = {f"{effect}_rows": totals["effects"].get(effect, 0) for effect in Effect} if totals else {}
        now = {"ended_at": moment(time.time()), "exit_code": code, "row_count": totals.get("rows")}
        ended = {**self._about, **totals, **effects, **now}
        self._guarded(lambda: self._append(record(RUNS, ended)))
        self._guarded(lambda: self._finish(is_hurried=code > 128))
        with suppress(OSError):
            self._open_lines.close()

    def _by_sender(self, lines: Iterable[int]) -> dict[SentBy | None, list[int]]:
        """Lines, in order, by what their rows were sent by before others of their keys."""
        found: dict[SentBy | None, list[int]] = {}
        for line in sorted(lines):
            found.setdefault(self._sent.pop(line, None), []).append(line)
        return found

    def _write(
        self, lines: Sequence[int], outcome: Outcome, code: str | None, destination: str, by: SentBy | None
    ) -> None:
        alike: dict[str, Any] = {"destination": destination, "outcome": outcome, "code": code, "by": by}

        def write() -> None:
            parts = self._open_lines.take(lines)
            self._append(outcome_records(self._run_id, lines, parts, at=time.time(), **alike))

        self._guarded(write)

    def _append(self, lines: bytes) -> None:
        if self._file is not None:
            self._file.append(lines)

    def _finish(self, *, is_hurried: bool) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.finish(is_hurried=is_hurried)
            logger.info("History: %s", file.path)

    def _guarded(self, call: Callable[[], None]) -> None:
        """Do something with files, unless that failed before: then the history has ended."""
        if self._has_failed:
            return
        try:
            call()
        except OSError as exc:
            self._has_failed = True
            logger.warning(
                "Setting `history_path`: %s cannot be written (%s), so this run's history is not complete. Rows are "
                "still delivered. Fix the cause, choose another place, or set `off`",
                self._folder,
                exc.strerror or type(exc).__name__,
            )
            with suppress(OSError):
                self._finish(is_hurried=True)
            self._open_lines.close()
