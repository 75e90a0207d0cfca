"""One run: its thread owns the delivery, and waits here for lines, for results of jobs, and for the clock."""

from __future__ import annotations

import logging
import queue
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any

from singer_sdk.mapper import PluginMapper

from mailing_api.counted import counted
from mailing_api.process.standard_output import hurry
from mailing_api.suggestions import listed
from target_mailing.delivery.checkpoints import Ledger
from target_mailing.delivery.engine import Delivery
from target_mailing.delivery.errors import DeliveryFailed
from target_mailing.delivery.outcomes import Outcomes
from target_mailing.delivery.queues import Queues
from target_mailing.delivery.reject_limit import RejectLimit
from target_mailing.delivery.removal_guard import RemovalGuard
from target_mailing.delivery.removal_limit import RemovalLimit
from target_mailing.delivery.router import Router
from target_mailing.foresight.foresight import Foresight
from target_mailing.input.intake import Intake
from target_mailing.input.mirror import Mirror, has_mirror
from target_mailing.input.reader import LineReader
from target_mailing.input.retried_lines import Reader, RetriedLines
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.rejects_file import Rejects, write_pending
from target_mailing.journal.retried import Retried
from target_mailing.rows.lines import InputError, Lines
from target_mailing.rows.outcome import Outcome
from target_mailing.run.progress import Progress, Standing
from target_mailing.run.state_output import StdoutClosedError, write_state
from target_mailing.run_events import History

__all__ = ["Run", "Terminated", "TooManyRejectsError"]

logger = logging.getLogger("target-mailing.run")

#: What too many rejects mean for the run, and what to do.
_THEN = (
    "Nothing more is sent and no STATE is written, so a rerun reads these rows again. Fix the causes in the rejects "
    "file, or raise `max_rejected`."
)
_THEN_OF_PLAN = (
    "A delivery would fail here, send nothing more and write no STATE. The plan has the codes, and the file that "
    "`plan_path` names shows some of the rows. Fix the causes, or raise `max_rejected`."
)

#: Minimum seconds between two STATEs; the last one is always written.
_STATE_INTERVAL = 1.0
#: Seconds to wait after a signal for responses to submissions, so that the next run need not send them again.
_REPLY_PATIENCE = 2.5
#: Seconds to wait after a signal for the reader of standard output to accept a STATE that is being written.
_OUTPUT_PATIENCE = 1.0


class TooManyRejectsError(Exception):
    """`max_rejected` is exceeded."""


class Terminated(BaseException):
    """A signal requested the end of the run."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class Run:
    """Delivers one input."""

    def __init__(
        self,
        *,
        config: Mapping[str, Any],
        mapper: PluginMapper | None,
        journal: Journal,
        rejects: Rejects,
        limit: RejectLimit,
        removal_limit: RemovalLimit,
        allowed_removals: int,
        router: Router,
        jobs_in_flight: int,
        max_line_bytes: int,
        foresight: Foresight | None = None,
        history: History | None = None,
    ) -> None:
        """Make a run; nothing is read or sent yet.

        Args:
            config: the plugin's settings.
            mapper: the SDK's stream maps and flattening, or None when there are none.
            journal: open; closed by the caller.
            rejects: where rejects are written.
            limit: the setting `max_rejected`.
            removal_limit: the setting `max_removals`.
            allowed_removals: the setting `allow_removals_once`; 0 if it is unset.
            router: finds the streams' destinations.
            jobs_in_flight: maximum number of batches under way at the same time.
            max_line_bytes: a longer line is an error.
            foresight: of a plan: nothing is delivered, and no STATE leaves.
            history: gets the outcomes of rows, and jobs.
        """
        self._journal = journal
        self._rejects = rejects
        self._limit = limit
        self._router = router
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ledger = Ledger()
        self.outcomes = Outcomes(self._ledger, history)
        self.delivery = Delivery(
            journal=journal,
            outcomes=self.outcomes,
            queues=Queues(
                RemovalGuard(
                    journal,
                    removal_limit,
                    allowed_removals,
                    is_plan=foresight is not None,
                    most_shown=0 if foresight is None else foresight.most,
                )
            ),
            jobs_in_flight=jobs_in_flight,
            foresight=foresight,
            notify=self._inbox.put,
        )
        self._mirror = Mirror(config, journal) if has_mirror(config) else None
        self.intake = Intake(
            config=config,
            mapper=mapper,
            journal=journal,
            ledger=self._ledger,
            outcomes=self.outcomes,
            delivery=self.delivery,
            rejects=rejects,
            router=router,
            mirror=self._mirror,
        )
        self.delivery.queues.guard.key_columns = self.intake.key_columns
        self._chunks: deque[Lines] = deque()
        self._max_line_bytes = max_line_bytes
        self._input_ended = False
        #: All rows of the input have ended.
        self._has_added = False
        #: The error in the input; the lines before it are delivered first.
        self._input_error: InputError | None = None
        self._state_at = float("-inf")
        self._may_release = True
        self._is_plan = foresight is not None
        self.progress = Progress(self._standing, prefix="Plan: " if self._is_plan else "")
        #: Why STATE or the rejects before it could not be written.
        self._release_error: Exception | None = None
        self._has_too_many_rejects = False

    def __call__(self, source: IO[Any] | None, retried: Retried | None = None) -> None:
        """Read the input to its end and follow everything sent; the input may be rejects of earlier runs instead.

        Raises:
            Exception: the first error, after the batches under way have ended and settled STATE was written.
            Terminated: a signal came; settled STATE was written.
        """
        reader = self._reader(source, retried)
        reader.start()
        try:
            while not self._is_over() or self._closes():
                self._wait(reader)
                self._guarded(reader.turn)
                if self._input_ended and not self._chunks:
                    self.delivery.closing.is_whole = self._input_error is None and self.intake.ends_in_state
                    self.delivery.end(has_all=not self._mirrors())
                self._judge_rejects()
                self._guarded(self.delivery.pump)
                self._release_state(final=False)
                self.progress.turn()
        except Terminated:
            self._await_replies()
            self._release_state(final=True)
            if isinstance(self.delivery.error, StdoutClosedError):
                logger.error("%s", self.delivery.error)  # noqa: TRY400 - its message is complete
            raise
        self._release_state(final=True)
        if self.delivery.error is not None:
            raise self._with_files(self.delivery.error)
        if self._input_error is not None:
            raise self._input_error
        if retried is None:
            self.intake.end()
            if self._mirror is not None:
                self._mirror.end()

    def _reader(self, source: IO[Any] | None, retried: Retried | None) -> Reader:
        take, end = self._lines_came, self._input_ended_event
        if retried is None:
            return LineReader(source, take=take, end=end, max_line_bytes=self._max_line_bytes)
        self.intake.retried = retried
        return RetriedLines(retried, self.intake, self.delivery, take=take, end=end)

    @property
    def has_worked(self) -> bool:
        """Whether any row has an outcome, or any batch was sent or followed."""
        return bool(self.outcomes.rows or self.delivery.counts.total())

    def terminate(self, signum: int) -> None:
        """End within seconds: called by the signal handler, in the thread that runs this."""
        hurry(_OUTPUT_PATIENCE)
        if self._router.is_asking:
            raise Terminated(signum)
        self._inbox.put(lambda: _terminate(signum))

    def _await_replies(self) -> None:
        """Submit nothing more, but wait a moment for responses to submissions, unless another signal comes."""
        self.delivery.fail(DeliveryFailed("The run was stopped by a signal."))
        deadline = time.monotonic() + _REPLY_PATIENCE
        with suppress(Terminated, queue.Empty):
            while self.delivery.is_submitting() and (seconds := deadline - time.monotonic()) > 0:
                self._guarded(self._inbox.get(timeout=seconds))

    def _is_over(self) -> bool:
        if not self.delivery.is_idle():
            return False
        return self.delivery.error is not None or (self._input_ended and not self._chunks)

    def _mirrors(self) -> bool:
        """Whether people who are absent from a whole input may still have to be taken off: when all rows have ended."""
        if self._mirror is None or self._mirror.is_over or self._has_too_many_rejects:
            return False
        return self._input_ended and not self._chunks and self._input_error is None and self.delivery.error is None

    def _closes(self) -> bool:
        """Whether steps remained for the end of the run, and are started now."""
        if self.delivery.error is not None or self._input_error is not None:
            return False
        if self._has_too_many_rejects:
            return False
        if (error := self.delivery.queues.guard.error) is not None:
            self.delivery.fail(error)
            return False
        self.delivery.queues.remember()
        if not self.delivery.closing.holds_state():
            self.delivery.queues.remember_allowance()
            return False
        return self.delivery.close()

    def _wait(self, reader: Reader) -> None:
        """Take in a chunk of lines if there is one and room for it, else wait for an event."""
        if self._chunks and self.delivery.error is None and self.delivery.may_take_more():
            lines = self._chunks.popleft()
            self._guarded(lambda: self._take(lines))
            self._guarded(reader.more)
        elif self._mirror is not None and self._mirrors() and self._may_mirror():
            self._guarded(self._mirror.go_on)
        else:
            due, patience = self.delivery.next_event_at(), self.progress.patience
            try:
                event = self._inbox.get(
                    timeout=patience if due is None else min(patience, max(0.0, due - time.monotonic()))
                )
            except queue.Empty:
                return
            self._handle(event)
        while not self._inbox.empty():
            self._handle(self._inbox.get())

    def _may_mirror(self) -> bool:
        """Whether rows that take people off are taken in now: the others have ended, and there is room."""
        if not self._has_added and not self.delivery.unfinished() and self.delivery.queues.are_settled():
            self._judge_rejects()
            self._has_added = not self._has_too_many_rejects
        return self._has_added and self.delivery.may_take_more()

    def _take(self, lines: Lines) -> None:
        try:
            self.intake.take(lines)
        except InputError as error:
            self._input_ended, self._input_error = True, error
            self._chunks.clear()

    def _handle(self, event: Callable[[], None]) -> None:
        """Handle an event. An error is a defect: its batch would stay under way forever, so the run ends at once."""
        try:
            event()
        except Exception:
            self._may_release = False
            raise

    def _guarded(self, call: Callable[[], None]) -> None:
        """Make a call; its error ends the run, after the batches under way have ended."""
        try:
            call()
        except JournalError:
            self._may_release = False  # later outcomes cannot be stored
            raise
        except Exception as error:  # noqa: BLE001 - raised again when the run is over
            self.delivery.fail(error)

    def _standing(self) -> Standing:
        """How far the run is."""
        jobs, sent = self.delivery.in_jobs()
        read, ended = self.intake.messages["RECORD"], self.outcomes.rows
        delivered, is_whole = self.outcomes.counts[Outcome.DELIVERED], self._input_ended and not self._chunks
        return Standing(
            read=read,
            delivered=delivered,
            ended=ended,
            sent=sent,
            jobs=jobs,
            is_whole=is_whole,
            is_unreachable=self.delivery.following.is_unreachable,
        )

    # From the reader's thread

    def _lines_came(self, lines: Lines) -> None:
        self._inbox.put(lambda: self._add(lines))

    def _input_ended_event(self, error: InputError | None) -> None:
        self._inbox.put(lambda: self._end_input(error))

    def _end_input(self, error: InputError | None) -> None:
        self._input_ended = True
        self._input_error = self._input_error or error

    def _add(self, lines: Lines) -> None:
        if not self._input_ended:
            self._chunks.append(lines)

    # STATE

    def _release_state(self, *, final: bool) -> None:
        """Write the newest STATE that is settled: the rejects before it are on disk, and not too many."""
        now = time.monotonic()
        if not self._may_release or (not final and now - self._state_at < _STATE_INTERVAL):
            return
        self._judge_rejects()
        is_held = self._has_too_many_rejects or self.delivery.closing.holds_state()
        state = None if is_held else self._ledger.release()
        if state is None and not final:
            return
        try:
            if self._router.lists is not None:
                self._router.lists.check()
            write_pending(self._journal, self._rejects)
            if state is not None and not self._is_plan:
                self.progress.clear()
                write_state(state)
                self._state_at = now
        except Exception as error:  # noqa: BLE001 - raised again when the run is over
            self._may_release = False
            self._release_error = error
            self.delivery.fail(error)

    def _judge_rejects(self) -> None:
        """Check whether too many rows were rejected: then nothing is sent, and no STATE is written."""
        outcomes, read = self.outcomes, self.intake.messages["RECORD"]
        rejected, again = outcomes.counts[Outcome.REJECTED], outcomes.replayed.rows
        verdict = self._limit.judge(
            rejected,
            rejected_again=outcomes.rejected_again,
            read=read,
            read_again=again,
            whole=self._input_ended and not self._chunks,
            strict=self.delivery.closing.holds_state(),
        )
        self._has_too_many_rejects = self.delivery.is_held = verdict.exceeded
        if verdict.final:
            share = f"{rejected} of {counted(read, 'row')} {'was' if rejected == 1 else 'were'} rejected"
            if again:
                share += f" ({outcomes.rejected_again} of {again} earlier rejects, which a share does not count)"
            then = _THEN_OF_PLAN if self._is_plan else _THEN
            self.delivery.fail(TooManyRejectsError(f"Setting `max_rejected`: {share}, more than {self._limit}. {then}"))

    def _with_files(self, error: BaseException) -> BaseException:
        """The run's error; that of too many rejects with the names of the rejects files, or why there is none."""
        if not isinstance(error, TooManyRejectsError):
            return error
        seen = f" See {listed(files, 3)}." if (files := self._rejects.files) else ""
        other = "" if self._release_error is None else f" One more error: {self._release_error}"
        return TooManyRejectsError(f"{error}{seen}{other}")


def _terminate(signum: int) -> None:
    raise Terminated(signum)
