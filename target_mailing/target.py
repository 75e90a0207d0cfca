"""TargetMailing: the Singer target; settings, command line, signals and exit codes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import FrameType
from typing import IO, Any, ClassVar, Final

import click
from singer_sdk import Target
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities
from singer_sdk.plugin_base import _ConfigInput

from mailing_api.counted import counted, signal_in_words
from mailing_api.errors import ConfigurationError
from mailing_api.process.command import message_of
from mailing_api.process.configuration import check_not_empty, given_settings
from mailing_api.process.log_filter import safe_line
from mailing_api.process.plugin import MailingPlugin
from mailing_api.settings import json_schema, positive
from target_mailing.command.cli import TargetCommand, options
from target_mailing.command.free_space import full_folders
from target_mailing.command.retry_options import selection_of
from target_mailing.command.standalone import Circumstances, standalone
from target_mailing.contacts.properties import PropertyNames, unknown_properties
from target_mailing.delivery.reject_limit import reject_limit
from target_mailing.delivery.removal_limit import allowed_removals, removal_limit
from target_mailing.delivery.router import Router
from target_mailing.foresight.foresight import Foresight
from target_mailing.history.opening import check_history, history_keep, open_history
from target_mailing.input.actions import check_action
from target_mailing.input.retried_lines import retried_rejects
from target_mailing.input.stream_check import StreamCheck, given_input
from target_mailing.input.stream_maps import StreamMaps
from target_mailing.input.whole_input import WholeInput
from target_mailing.interface.registry import SETTINGS, chosen
from target_mailing.journal.journal import Journal
from target_mailing.journal.list_locks import ListLocks, locks_folder
from target_mailing.journal.rejects_file import check_folder
from target_mailing.journal.retried import Selection
from target_mailing.journal.stores import Store
from target_mailing.past_runs.recorder import NoNotes, open_notes, totals_of
from target_mailing.places import journal_hash_key, journal_store, refuse_missing_journal, rejects_folder
from target_mailing.report.files import check_report
from target_mailing.report.opening import open_report
from target_mailing.rows.lines import InputError
from target_mailing.run.memory import open_memory
from target_mailing.run.run import Run, Terminated
from target_mailing.run.run_report import RunReport, run_totals
from target_mailing.run_identity import about_run
from target_mailing.settings.declared_settings import value_of
from target_mailing.settings.settings import StreamSettings, check_entries

__all__ = ["TargetMailing"]

#: The exit code of a plan that found something to do, with --detailed-exitcode.
_SOMETHING_TO_DO: Final = 3
#: Modes in which nothing is written, and what they make.
_ONLY_READING: Final = {"plan": "a plan", "reconcile": "a reconciliation"}


class TargetMailing(MailingPlugin, Target):
    """Delivers contacts to mailing providers, and writes STATE only after every bulk job before it has ended."""

    name = "target-mailing"
    package_name = "tap-target-mailing"
    declared_settings = SETTINGS
    config_jsonschema: ClassVar[dict[str, Any]] = json_schema(SETTINGS)
    command_class = TargetCommand
    option_help: ClassVar[Mapping[str, str]] = {
        **MailingPlugin.option_help,
        "file_input": "File with Singer messages to read instead of standard input.",
    }
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(self, **options: Any) -> None:
        """Take the settings; see the SDK's Target."""
        options.setdefault("message_reader", WholeInput(self._deliver))
        given = options.get("config")
        check_not_empty(given, ("list", "scope", "action", "action_column", "consent"), self._env_var_prefix)
        options["config"] = given_settings(given)
        if isinstance(given, dict) and (empty := sorted(name for name, value in given.items() if value == "")):
            self.logger.warning(
                "Empty settings are treated as unset: %s. An empty environment variable has this effect, also in "
                "`.env`",
                ", ".join(empty),
            )
        self._run: Run | None = None
        self._planned: Foresight | None = None
        self._selection: Selection | None = None  # of rejects to send again; None: an input is read
        super().__init__(**options)

    # Delivering

    def _deliver(self, source: IO[str] | None) -> Counter[str]:
        """Deliver an input, or open rejects; returns how many messages of each kind were read.

        What is opened ends in the reverse order, each part while those that it needs are still open: the bar; the log's
        totals; the plan's file; delivery, after which nothing is sent; the history, whose last outcomes the notes
        count; the notes, in the journal; locks of lists, rejects and journal; the report, which names the files of all;
        the account's connections.
        """
        if source is None and sys.stdin is None and self._selection is None:  # as in `<&-`
            raise InputError("Standard input is closed, so there is nothing to deliver. Pipe the tap's output into it.")
        self._check_settings()
        with ExitStack() as opened:
            router = opened.enter_context(closing(self._router()))
            router.check(self.config)
            if self._mode == "reconcile":
                from target_mailing.reconcile.reconcile import reconcile  # noqa: PLC0415 - few need it

                return reconcile(source, self.config, self.mapper if self._has_maps() else None, router)
            about = about_run(self.config, account=router.label, version=self.plugin_version)
            report = open_report(self.config, router, about, words_of=_words_of)
            opened.push(report.end)
            self._planned = foresight = self._foresight(router)
            store, folder = self._places(router)
            journal, rejects = open_memory(self.config, store, folder, run=about.run_id, foresight=foresight)
            router.lists = locks = ListLocks(locks_folder(), journal, leaves_note=foresight is None)
            for one in (journal, rejects, locks):
                opened.enter_context(closing(one))
            retried = retried_rejects(journal, self._selection, run=about.run_id)
            history = open_history(self.config, folder, about, is_plan=foresight is not None)
            report.listen(history)
            notes = NoNotes()
            if foresight is None:
                notes = open_notes(self.config, journal, about, history, report=report.page, words_of=_words_of)
            opened.push(notes.end)
            opened.push(history.end)
            self._run = run = Run(
                config=self.config,
                mapper=self.mapper if self._has_maps() else None,
                journal=journal,
                rejects=rejects,
                limit=reject_limit(value_of("max_rejected", self.config)),
                removal_limit=removal_limit(value_of("max_removals", self.config)),
                allowed_removals=allowed_removals(value_of("allow_removals_once", self.config)),
                router=router,
                jobs_in_flight=router.jobs_in_flight,
                max_line_bytes=positive("max_line_bytes", value_of("max_line_bytes", self.config)),
                foresight=foresight,
                history=history,
            )
            report.observe(run, rejects, foresight)
            history.totals = lambda: run_totals(run, router)
            notes.totals = lambda: totals_of(run, router, rejects)
            opened.callback(run.delivery.stop)
            if foresight is not None:
                from target_mailing.plan.report import PlanReport  # noqa: PLC0415 - few need it

                parts = (foresight, run.outcomes, router, run.delivery.queues)
                read, seconds_of = run.intake.messages, journal.recent_times.seconds
                plan = PlanReport(self.config, *parts, rows_read=lambda: read["RECORD"], seconds_of=seconds_of)
                opened.push(lambda failure, *_: plan(failure))
            ending = RunReport(run, rejects, router, is_plan=self._is_plan)
            opened.push(lambda failure, *_: ending(failure))
            opened.enter_context(run.progress.shown(value_of("progress", self.config)))
            try:
                run(source, retried)
                run.delivery.following.remember()
            except Terminated as stop:
                self.logger.warning(
                    "Stopped by %s: %s in the journal; the next run resumes from there",
                    signal_in_words(stop.signum),
                    counted(run.delivery.unfinished(), "batch under way stays", "batches under way stay"),
                )
                raise SystemExit(128 + stop.signum) from None
            return run.intake.messages

    def _check_settings(self) -> None:
        """Check the settings before anything is created."""
        check_entries(self.config)
        reject_limit(value_of("max_rejected", self.config))
        removal_limit(value_of("max_removals", self.config))
        allowed_removals(value_of("allow_removals_once", self.config))
        journal_hash_key(self.config)
        history_keep(self.config)
        positive("max_line_bytes", value_of("max_line_bytes", self.config))

    def _check_mode_is_read(self, *, is_read: bool) -> None:
        """Check that no environment variable is to keep this from writing and is not read: a delivery would write.

        Raises:
            ConfigurationError: one does.
        """
        variable = f"{self._env_var_prefix}MODE"
        wanted = os.environ.get(variable, "").strip().lower()
        if not is_read and self._mode == "deliver" and wanted in _ONLY_READING:
            raise ConfigurationError(
                f"The environment variable {variable} wants {_ONLY_READING[wanted]}, but the environment is not read. "
                f"Use --{wanted} or add --config=ENV; to deliver, unset the variable."
            )

    @property
    def _mode(self) -> str:
        return str(value_of("mode", self.config))

    @property
    def _is_plan(self) -> bool:
        return self._mode == "plan"

    @property
    def would_change(self) -> bool:
        """Whether the plan that has ended would change something at the provider."""
        return self._planned is not None and self._planned.would_change

    def _foresight(self, router: Router) -> Foresight | None:
        if router.gate is None:
            return None
        path, most, shows = (value_of(name, self.config) for name in ("plan_path", "plan_sample", "plan_contacts"))
        return Foresight(router.gate, most=0 if path is None else most, shows_contacts=shows is True)

    def _router(self) -> Router:
        user_agent = f"{self.name}/{self.plugin_version}"
        return Router(chosen(self.config), self.config, user_agent=user_agent, only_reads=self._mode in _ONLY_READING)

    def _places(self, router: Router) -> tuple[Store, Path]:
        """The place of the journal, and the folder of the rejects files."""
        return (store := journal_store(self.config, router.label)), rejects_folder(self.config, store)

    def _has_maps(self) -> bool:
        return bool(self.config.get("stream_maps") or self.config.get("flattening_enabled"))

    # Checking

    def check(self, source: IO[str] | None = None) -> None:
        """Check credentials, list, properties, journal and rejects path, without writing to the provider.

        Args:
            source: an input to check, too.

        Raises:
            MailingError: a setting is wrong, or the provider refuses.
            JournalError: the journal cannot be used.
            InputError: the input is not a Singer stream.
        """
        lines: list[str] = []
        verdict = "check: failed"
        try:
            self._check_settings()
            with closing(self._router()) as router:
                self._check(router, lines.append)
                if source is not None:
                    self._check_streams(router, source, lines.append)
            verdict = "check: passed, and nothing was written"
        except Exception as exc:
            verdict += f": {safe_line(message_of(exc, TargetCommand.user_errors))}"
            raise
        finally:
            click.echo("\n".join([verdict, *lines]))

    def _check_streams(self, router: Router, source: IO[str], write: Callable[[str], None]) -> None:
        check = StreamCheck(
            self.config,
            maps=StreamMaps(self.mapper, self.config) if self._has_maps() else None,
            router=router,
            max_line_bytes=positive("max_line_bytes", value_of("max_line_bytes", self.config)),
        )
        for report in check(source):
            write(report.line)
            for warning in report.warnings:
                self.logger.warning("%s", warning)

    def _check(self, router: Router, write: Callable[[str], None]) -> None:
        router.check(self.config)  # without a list, the default journal has no name yet
        store, folder = self._places(router)
        with closing(store):
            refuse_missing_journal(self.config, store)
            is_new = store.would_be_made()
        if is_new:
            write(f"journal: {store.name} would be created (new: remembers nothing)")
        else:
            store = self._places(router)[0]
            Journal(store, hash_key=journal_hash_key(self.config)).close()
            write(f"journal: {store.name} can be written")
        write(f"rejects: {check_folder(folder)}")
        write(f"history: {check_history(self.config, folder)}")
        if (place := check_report(self.config)) is not None:
            write(f"report: {place}")
        settings = StreamSettings.resolve(self.config, None)
        by_entry = {
            pattern: StreamSettings.resolve(self.config, pattern) for pattern in self.config.get("streams") or {}
        }
        with_routes = [router.provider.with_route(one) for one in (settings, *by_entry.values())]
        for warning in full_folders(store, folder, with_routes):
            self.logger.warning("%s", warning)
        description, properties = self._check_destination(router, settings, "Setting `properties`")
        write(f"credentials: accepted by {router.provider.title}")
        write(f"destination: {description}")
        for pattern, own in by_entry.items():
            description, _ = self._check_destination(router, own, f"Setting `streams.{pattern}.properties`")
            write(f"destination of streams.{pattern}: {description}")
        if properties is not None:
            write(f"properties: {properties}")

    def _check_destination(self, router: Router, settings: StreamSettings, place: str) -> tuple[str, str | None]:
        """Descriptions of a destination and of its properties; None where properties need no definition."""
        destination, description = router.look(settings)
        check_action(settings, destination)
        fields = destination.fields
        listed = [] if settings.properties is None or isinstance(settings.properties, str) else settings.properties
        names = PropertyNames(fields)
        missing = [name for name in listed if names.find(name) is None]
        if missing and not (settings.create_properties and fields.defines_properties):
            raise unknown_properties(place, missing, fields)
        if not fields.defines_properties:
            return description, None
        return description, f"{len(fields.properties)} defined, {len(missing)} would be created"

    # The SDK's hooks

    def _setup_signal_handlers(self) -> None:
        super()._setup_signal_handlers()
        # Closing the terminal ends a run as SIGTERM does, except under `nohup`.
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            signal.signal(signal.SIGHUP, self._handle_termination)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        # The SDK's handler drains everything and exits 0, which may acknowledge rows that were not delivered.
        if self._run is None:
            raise SystemExit(128 + signum)
        self._run.terminate(signum)

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the settings of stream maps and flattening; a Target's other settings have no meaning here."""
        super(Target, cls).append_builtin_config(config_jsonschema)

    @classmethod
    def invoke(
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
        check: bool = False,
        plan: bool = False,
        reconcile: bool = False,
        detailed_exitcode: bool = False,
        **others: str | bool | Sequence[str] | None,
    ) -> None:
        """Run from the command line; `others` are options that are commands of their own, and those beside them."""
        super(Target, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        config = config or _ConfigInput()
        if plan and reconcile:
            raise ConfigurationError("Options --plan and --reconcile exclude each other.")
        stopping = {"file_input": file_input, "check": check, "plan": plan, "reconcile": reconcile}
        command = standalone({**stopping, "detailed_exitcode": detailed_exitcode, **others})
        mode = "reconcile" if reconcile else "plan" if plan or command is not None else None
        settings = {**(config.config or {}), **({"mode": mode} if mode else {})}
        with cls._hinting(config):
            try:
                target = cls(config=settings, validate_config=True, parse_env_config=config.parse_env)
            except ConfigValidationError as exc:  # the SDK's command would log it in several lines
                raise ConfigurationError(" ".join(exc.errors)) from None
            target._selection = selection_of(others, stopping, target.config)
            if command is not None:
                command(Circumstances(target.config, target._router, target._places))
                return
            target._check_mode_is_read(is_read=config.parse_env)
            if check:
                target.check(given_input(file_input))
                return
            if detailed_exitcode and not target._is_plan:
                raise ConfigurationError("Option --detailed-exitcode needs --plan, or `mode: plan`.")
            target.listen(file_input)
            if detailed_exitcode and target.would_change:
                sys.exit(_SOMETHING_TO_DO)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The command line, with the target's own options."""
        command = super().get_singer_command()
        command.help = (
            "Deliver contacts from a Singer tap to a mailing provider. Every bulk job is followed to its end, and "
            "STATE is written only for settled rows."
        )
        command.params += options()
        return command


def _words_of(error: Exception) -> str:
    """The message of an error, as the command line gives it."""
    return safe_line(message_of(error, TargetCommand.user_errors))
