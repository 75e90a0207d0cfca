"""The tap: settings, discovery, and the run over all streams."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import click
import httpx
from singer_sdk import Stream, Tap
from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TapCapabilities
from singer_sdk.singerlib.catalog import Catalog

from mailing_api.counted import counted, signal_in_words
from mailing_api.errors import ConfigurationError, MailingError
from mailing_api.http.retry import RetryPolicy
from mailing_api.http.shared_pace import Budget
from mailing_api.http.traffic import Traffic
from mailing_api.process.asking import TERMINAL
from mailing_api.process.command import PluginCommand
from mailing_api.process.configuration import given_settings
from mailing_api.process.live_bar import close_bar
from mailing_api.process.map_failures import check_aliases, maps_without_stream
from mailing_api.process.plugin import MailingPlugin
from mailing_api.rate_budget import rate_budget
from mailing_api.settings import json_schema
from tap_mailing.change_detection.changes import Snapshots, open_store
from tap_mailing.held_lines import HeldLines
from tap_mailing.input.catalog import read_catalog
from tap_mailing.input.files import checked
from tap_mailing.input.state import read_state
from tap_mailing.progress import Progress
from tap_mailing.provider import Provider
from tap_mailing.records.writer import PageWriter
from tap_mailing.registry import PROVIDERS, Streams, chosen
from tap_mailing.run_report import ReadStream, report
from tap_mailing.settings import TAP_SETTINGS, Options
from tap_mailing.streams.base import MailingStream
from tap_mailing.streams.connection import Client, Connection

__all__ = ["StreamsFailed", "TapMailing"]


_SETTINGS = (*chain.from_iterable(provider.settings for provider in PROVIDERS), *TAP_SETTINGS)


class TapCommand(PluginCommand):
    """The command `tap-mailing`."""

    output = "records"


class StreamsFailed(MailingError):
    """Some streams were not read completely; the other streams were read, and their bookmarks are new."""


class TapMailing(MailingPlugin, Tap):
    """Reads contacts, lists and import jobs from mailing providers."""

    name = "tap-mailing"
    package_name = "tap-target-mailing"
    declared_settings = _SETTINGS
    config_jsonschema: ClassVar[dict[str, Any]] = json_schema(_SETTINGS)
    command_class = TapCommand
    option_help: ClassVar[Mapping[str, str]] = {
        **MailingPlugin.option_help,
        "discover": "Print the catalog: all streams of the configured providers with their columns.",
        "test": "Read a record of each stream, print none, and log which streams are readable. --test=schema prints "
        "the schemas without reading.",
        "catalog": "Catalog with the selected streams. Without it, the tap reads the streams selected by default.",
        "state": "STATE of the last run: incremental streams continue from their bookmarks.",
    }
    # Without BATCH, whose files would bypass selection and stream maps, and without ACTIVATE_VERSION.
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    message_writer_class = PageWriter

    def __init__(
        self,
        *,
        transport: httpx.BaseTransport | None = None,
        retry: RetryPolicy | None = None,
        **options: Any,
    ) -> None:
        """Make a tap, without reading anything.

        Args:
            transport: replaces the network in tests.
            retry: number and delay of retries.
            options: the SDK's options, such as config, catalog and state.
        """
        self._transport = transport
        #: By provider, its title and the calls of a run.
        self._traffic: dict[str, tuple[str, Traffic]] = {}
        self._budget: Budget | None = None
        self._retry = retry
        options["config"] = given_settings(options.get("config"))
        known = Streams()
        options["state"] = read_state(options.get("state"), known)
        self._foreign_streams: list[str] = []
        if options.get("catalog") is not None and not isinstance(options["catalog"], Catalog):
            options["catalog"], self._foreign_streams = read_catalog(options["catalog"], known)
        super().__init__(**options)

    def discover_streams(self) -> Sequence[Stream]:
        """All streams of the configured providers; without a configured provider, those of all providers."""
        streams: list[Stream] = []
        for provider in chosen(self.config) or PROVIDERS:
            connection = Connection(lambda: Options.from_config(self.config), partial(self._connect, provider))
            streams += [stream(self, connection) for stream in provider.stream_classes]
        return streams

    def setup_mapper(self) -> None:
        """Make the stream maps from the catalog, which the streams complete.

        Raises:
            ConfigurationError: a stream map is invalid, or two columns get the same name.
        """
        _ = self.streams
        try:
            super().setup_mapper()
        except ConfigValidationError:
            raise
        except (MapExpressionError, StreamMapConfigError) as exc:  # their messages quote expressions, but not rows
            raise ConfigurationError(f"Setting `stream_maps`: {exc}") from None
        except Exception as exc:
            if isinstance(exc, ValueError) and self.config.get("flattening_enabled"):
                raise ConfigurationError(
                    f"The settings `flattening_…` give two columns of a stream the same name ({exc}). Choose a larger "
                    "`flattening_max_key_length`, or another `flattening_separator`."
                ) from None
            if not self.config.get("stream_maps"):
                raise
            raise ConfigurationError(f"Setting `stream_maps` cannot be used ({type(exc).__name__}).") from None
        for name, maps in self.mapper.stream_maps.items():
            check_aliases(name, maps)
        if unused := maps_without_stream(self.config.get("stream_maps") or {}, self.streams):
            self.logger.warning("Setting `stream_maps`: %s", unused)

    def sync_all(self) -> None:  # type: ignore[misc]  # final in the SDK for type checkers only
        """Read all selected streams. If a stream fails, the others are still read.

        Raises:
            ConfigurationError: before anything is read or written.
            StreamsFailed: at the end, with the names of the streams that failed.
        """
        selected = [stream for stream in self.streams.values() if stream.selected]
        self._check_providers()
        self._check_catalog(selected)
        with self._connected(selected), self._detecting_changes(selected), self._reported(selected):
            super().sync_all()
        if failures := _failures(selected):
            were = "was" if len(failures) == 1 else "were"
            raise StreamsFailed(
                f"{len(failures)} of {counted(len(selected), 'stream')} {were} not read completely: "
                f"{_by_kind(failures)}. Correct what the log above says of them, then run again: their bookmarks are "
                "unchanged, so nothing is skipped."
            )

    def run_connection_test(self) -> bool:  # type: ignore[misc]  # final in the SDK for type checkers only
        """Read a record of each stream and log the result, without writing records: see `run_sync_dry_run`."""
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            return super().run_connection_test()

    def run_sync_dry_run(  # type: ignore[misc]  # final in the SDK for type checkers only
        self, dry_run_record_limit: int | None = 1, streams: Iterable[Stream] | None = None
    ) -> bool:
        """Read up to this many records of each stream, selected or not, by as few requests as possible.

        Streams that leave a trace at their provider are skipped. The log has the result first, then the reasons.

        Raises:
            ConfigurationError: before anything is read or written.
            StreamsFailed: at the end, with the names of the streams that failed.
        """
        self._check_providers()
        tried = [stream for stream in self.streams.values() if not getattr(stream, "leaves_trace", False)]
        if streams is not None:
            tried = [stream for stream in tried if stream in list(streams)]
        held = HeldLines()
        loggers = [logging.getLogger("singer_sdk.metrics"), *(stream.logger for stream in tried)]
        with self._connected(tried), held.holding(loggers):
            super().run_sync_dry_run(dry_run_record_limit, tried)
        failures = _failures(tried)
        self._log_test(tried, failures, held)
        if failures:
            raise StreamsFailed(
                f"{len(failures)} of {counted(len(tried), 'stream')} could not be read: {_by_kind(failures)}. Correct "
                "what the log above says of them, then test again."
            )
        return True

    @classmethod
    def invoke(cls, *, erase: str | None = None, yes: bool = False, **options: Any) -> None:
        """Run from the command line.

        Args:
            erase: where the person is named who leaves the snapshots; nothing is read then.
            yes: do not ask whether to erase.
            options: the SDK's.
        """
        if erase is not None:
            cls._erase(erase, is_sure=yes, **options)
            return
        if yes:
            raise ConfigurationError("Option --yes needs --erase.")
        for option in ("state", "catalog"):
            if options.get(option) is not None:
                options[option] = checked(options[option], f"--{option}")
        with cls._hinting(options.get("config")):
            try:
                super().invoke(**options)
            except ConfigValidationError as exc:  # the SDK's command would log several lines
                raise ConfigurationError(" ".join(exc.errors)) from None

    @classmethod
    def _erase(cls, where: str, *, is_sure: bool, config: Any = None, **others: Any) -> None:
        if alone := sorted(name for name, value in others.items() if value):
            raise ConfigurationError(f"Option --erase stands alone: omit {', '.join(f'--{one}' for one in alone)}.")
        with cls._hinting(config):
            given, parse_env = (config.config, config.parse_env) if config else ({}, False)
            tap = cls(config=given, parse_env_config=parse_env, validate_config=True)
            from tap_mailing.change_detection.erasing import erase  # noqa: PLC0415 - few need it

            erase(Options.from_config(tap.config).change_detection, where, is_sure=is_sure)

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Test the connections, given --test."""
        with cls._hinting(ctx.params.get("config")):
            super().cb_test(ctx, param, value)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The command, with its help."""
        command = super().get_singer_command()
        titles = ", ".join(provider.title for provider in PROVIDERS)
        command.help = (
            f"Read contacts, lists and import jobs from {titles}, and write them to standard output as Singer messages."
        )
        command.params += [
            click.Option(
                ["--erase"],
                is_flag=False,
                flag_value=TERMINAL,
                metavar="[FILE]",
                help="Remove the rows of one person from the snapshots of `change_detection`, and exit. FILE holds the "
                "key; without it, the terminal asks. The terminal shows what was found, and asks before it is removed.",
            ),
            click.Option(["--yes"], is_flag=True, help="With --erase: do not ask."),
        ]
        command.epilog = "Each setting has an environment variable, such as TAP_MAILING_START_DATE."
        return command

    # The run

    def _connect(self, provider: Provider, options: Options) -> Client:
        self._budget = self._budget or rate_budget(self.config)
        return provider.client(
            self.config,
            max_requests_per_second=options.max_requests_per_second,
            user_agent=f"{self.name}/{self.plugin_version}",
            retry=self._retry,
            timeout=options.request_timeout,
            connections=options.concurrency,
            allow_http=options.allow_http,
            transport=self._transport,
            traffic=self._traffic.setdefault(provider.name, (provider.title, Traffic()))[1],
            budget=self._budget,
        )

    @contextmanager
    def _connected(self, streams: Iterable[Stream]) -> Iterator[None]:
        connections = {stream.connection: None for stream in streams if isinstance(stream, MailingStream)}
        try:
            errors: dict[str, None] = {}
            for connection in connections:
                try:
                    _ = connection.client
                except ConfigurationError as exc:
                    errors[str(exc)] = None
            if errors:
                raise ConfigurationError(" ".join(errors))
            yield
        finally:
            for connection in connections:
                connection.close()
            if self._budget is not None:
                self._budget.close()
                self._budget = None

    @contextmanager
    def _reported(self, selected: Iterable[Stream]) -> Iterator[None]:
        """Tell how far the streams are, and report the run at its end, however it ends."""
        streams = [stream for stream in selected if isinstance(stream, MailingStream)]
        progress = Progress({stream.name: stream.count for stream in streams})
        for stream in streams:
            stream.turn = progress.turn
        try:
            with progress.shown(Options.from_config(self.config).progress):
                yield
        finally:
            read = [ReadStream(one.name, one.count, one.count.is_over and not one.failure) for one in streams]
            if read:
                report(read, self._traffic, progress.seconds)

    @contextmanager
    def _detecting_changes(self, selected: Iterable[Stream]) -> Iterator[None]:
        streams = [stream for stream in selected if isinstance(stream, MailingStream) and stream.detects_changes]
        place = Options.from_config(self.config).change_detection
        if place is None or not streams:
            yield
            return
        scopes = {provider.name: provider.scope(self.config) for provider in PROVIDERS}
        with open_store(place) as store:
            self.logger.info("Change detection: the snapshots are in %s.", store.name)
            for stream in streams:
                part = store.part(stream.name, stream.client.account)
                stream.snapshots = Snapshots(store, part, scopes[stream.provider])
            yield

    def _check_providers(self) -> None:
        if not chosen(self.config):
            settings = ", ".join(provider.required_text for provider in PROVIDERS)
            raise ConfigurationError(f"No provider is configured. Set the credentials of at least one: {settings}.")

    def _check_catalog(self, selected: Sequence[Stream]) -> None:
        offered = self.input_catalog.streams if self.input_catalog else []
        missing = sorted(
            entry.tap_stream_id
            for entry in offered
            if entry.tap_stream_id not in self.streams and entry.metadata.root.selected is True
        )
        for provider in PROVIDERS:
            known = Streams([provider])
            if unset := [name for name in missing if name in known]:
                raise ConfigurationError(
                    f"The catalog selects {', '.join(unset)}, but {provider.required_text} is missing: set it, or "
                    "deselect these streams."
                )
        if self._foreign_streams:
            foreign = ", ".join(self._foreign_streams)
            self.logger.warning("Ignoring catalog entries of streams that this tap does not have: %s.", foreign)
        if not selected:
            self.logger.warning("No stream is selected, so nothing is read. Select streams in the catalog.")

    def _log_test(self, tried: Sequence[Stream], failures: Mapping[str, str], reasons: HeldLines) -> None:
        total = counted(len(tried), "stream")
        if failures:
            self.logger.error("The test failed: %d of %s could not be read.", len(failures), total)
        else:
            self.logger.info("The test passed: %s%s could be read.", "" if len(tried) == 1 else "all ", total)
        reasons.release()
        streams = [stream for stream in self.streams.values() if isinstance(stream, MailingStream)]
        for provider in chosen(self.config):
            names = [stream.name for stream in streams if stream.provider == provider.name and stream in tried]
            readable = len(set(names) - failures.keys())
            self.logger.info("%s: %d of %s could be read.", provider.title, readable, counted(len(names), "stream"))
        skipped = [stream.name for stream in streams if stream.leaves_trace]
        if skipped:
            self.logger.info("Not tested, since reading them leaves a trace at the provider: %s.", ", ".join(skipped))

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        # The SDK's handler writes STATE, perhaps into the middle of a record, and exits 0. All bookmarks that changed
        # are written already, at the end of their streams.
        del frame
        close_bar()
        self.logger.error("Stopped by %s before all streams were read.", signal_in_words(signum))
        os._exit(128 + signum)  # at once, without waiting for a call and without code that catches exceptions


def _failures(tried: Iterable[Stream]) -> dict[str, str]:
    """The kind of error of each stream that failed, by stream."""
    return {stream.name: stream.failure for stream in tried if isinstance(stream, MailingStream) and stream.failure}


def _by_kind(failures: Mapping[str, str]) -> str:
    names: dict[str, list[str]] = {}
    for name, kind in failures.items():
        names.setdefault(kind, []).append(name)
    return "; ".join(f"{', '.join(streams)} ({kind})" for kind, streams in names.items())
