"""TapMailing: settings, discovery, the run over all streams."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from types import FrameType
from typing import Any, ClassVar

import click
import httpx
from singer_sdk import Stream, Tap
from singer_sdk.exceptions import ConfigValidationError, MapExpressionError, StreamMapConfigError
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TapCapabilities
from singer_sdk.singerlib.catalog import Catalog

from mailing_api.counted import counted
from mailing_api.errors import ConfigurationError, MailingError
from mailing_api.http.retry import RetryPolicy
from mailing_api.process.command import PluginCommand
from mailing_api.process.configuration import given_settings
from mailing_api.process.map_failures import check_aliases, maps_without_stream
from mailing_api.process.plugin import MailingPlugin
from mailing_api.settings import json_schema
from tap_mailing.change_detection.changes import Snapshots, open_store
from tap_mailing.held_lines import HeldLines
from tap_mailing.input.catalog import read_catalog
from tap_mailing.input.files import checked
from tap_mailing.input.state import read_state
from tap_mailing.provider import Provider
from tap_mailing.records.writer import PageWriter
from tap_mailing.registry import PROVIDERS, chosen
from tap_mailing.settings import TAP_SETTINGS, Options
from tap_mailing.streams.base import MailingStream
from tap_mailing.streams.connection import Client, Connection

__all__ = ["StreamsFailed", "TapMailing"]


_SETTINGS = (*chain.from_iterable(provider.settings for provider in PROVIDERS), *TAP_SETTINGS)


class TapCommand(PluginCommand):
    """The command `tap-mailing`."""

    output = "records"


class StreamsFailed(MailingError):
    """Some streams could not be read to their end; the others were, and their bookmarks moved."""


class TapMailing(MailingPlugin, Tap):
    """Reads contacts, lists and import jobs from mailing providers."""

    name = "tap-mailing"
    package_name = "tap-target-mailing"
    declared_settings = _SETTINGS
    config_jsonschema: ClassVar[dict[str, Any]] = json_schema(_SETTINGS)
    command_class = TapCommand
    # Not among them: BATCH, whose files would bypass selection and stream maps, and ACTIVATE_VERSION.
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
        """Make a tap; nothing is read.

        Args:
            transport: replaces the network, for tests.
            retry: how patient to be with the provider.
            options: the SDK's: config, catalog, state and so on.
        """
        self._transport = transport
        self._retry = retry
        options["config"] = given_settings(options.get("config"))
        known = {name: one for each in PROVIDERS for name, one in zip(each.stream_names, each.streams, strict=True)}
        options["state"] = read_state(options.get("state"), known)
        self._foreign_streams: list[str] = []
        if options.get("catalog") is not None and not isinstance(options["catalog"], Catalog):
            options["catalog"], self._foreign_streams = read_catalog(options["catalog"], known)
        super().__init__(**options)

    def discover_streams(self) -> Sequence[Stream]:
        """All streams of the providers that are set; of all providers where none is."""
        found: list[Stream] = []
        for provider in chosen(self.config) or PROVIDERS:
            connection = Connection(lambda: Options.from_config(self.config), partial(self._connect, provider))
            found += [stream(self, connection) for stream in provider.streams]
        return found

    def setup_mapper(self) -> None:
        """Make the stream maps, over the catalog as the streams complete it.

        Raises:
            ConfigurationError: two columns get one name.
        """
        _ = self.streams
        try:
            super().setup_mapper()
        except ConfigValidationError:
            raise
        except (MapExpressionError, StreamMapConfigError) as exc:  # whose texts quote expressions, never a row
            raise ConfigurationError(f"Setting `stream_maps`: {exc}") from None
        except Exception as exc:
            if isinstance(exc, ValueError) and self.config.get("flattening_enabled"):
                raise ConfigurationError(
                    f"The settings `flattening_…` give two columns of a stream one name ({exc}). Choose a larger "
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
        """Read all selected streams; one that fails does not keep the others from being read.

        Raises:
            ConfigurationError: before anything is read or written.
            StreamsFailed: at the end, naming the streams that were not read to their end.
        """
        selected = [stream for stream in self.streams.values() if stream.selected]
        self._check_providers()
        self._check_catalog(selected)
        with self._connected(selected), self._remembering(selected):
            super().sync_all()
        self._report(selected)

    def run_sync_dry_run(  # type: ignore[misc]  # final in the SDK for type checkers only
        self, dry_run_record_limit: int | None = 1, streams: Iterable[Stream] | None = None
    ) -> bool:
        """Read up to that many records of each stream, selected or not, by as few requests as that takes.

        Streams that would leave a trace at their provider are not read. The log tells the result first, then its
        reasons.

        Raises:
            ConfigurationError: before anything is read or written.
            StreamsFailed: at the end, naming the streams that could not be read.
        """
        self._check_providers()
        tried = [stream for stream in self.streams.values() if not getattr(stream, "leaves_trace", False)]
        if streams is not None:
            tried = [stream for stream in tried if stream in list(streams)]
        held = HeldLines()
        loggers = [logging.getLogger("singer_sdk.metrics"), *(stream.logger for stream in tried)]
        with self._connected(tried), held.holding(loggers):
            super().run_sync_dry_run(dry_run_record_limit, tried)
        self._tell_result(tried, held)
        failures = _failures(tried)
        if failures:
            raise StreamsFailed(
                f"{len(failures)} of {counted(len(tried), 'stream')} could not be read: {_told(failures)}."
            )
        return True

    @classmethod
    def invoke(cls, **options: Any) -> None:
        """Run from the command line."""
        for option in ("state", "catalog"):
            if options.get(option) is not None:
                options[option] = checked(options[option], f"--{option}")
        with cls._hinting(options.get("config")):
            try:
                super().invoke(**options)
            except ConfigValidationError as exc:  # which the SDK's command would tell in several lines
                raise ConfigurationError(" ".join(exc.errors)) from None

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Test the connections, given --test."""
        with cls._hinting(ctx.params.get("config")):
            super().cb_test(ctx, param, value)

    # The run

    def _connect(self, provider: Provider, options: Options) -> Client:
        return provider.connect(
            self.config,
            max_requests_per_second=options.max_requests_per_second,
            user_agent=f"{self.name}/{self.plugin_version}",
            retry=self._retry,
            timeout=options.request_timeout,
            connections=options.concurrency,
            allow_http=options.allow_http,
            transport=self._transport,
        )

    @contextmanager
    def _connected(self, streams: Iterable[Stream]) -> Iterator[None]:
        connections = {stream.connection: None for stream in streams if isinstance(stream, MailingStream)}
        try:
            wrong: dict[str, None] = {}
            for connection in connections:
                try:
                    connection.open()
                except ConfigurationError as exc:
                    wrong[str(exc)] = None
            if wrong:
                raise ConfigurationError(" ".join(wrong))
            yield
        finally:
            for connection in connections:
                connection.close()

    @contextmanager
    def _remembering(self, selected: Iterable[Stream]) -> Iterator[None]:
        detecting = [one for one in selected if isinstance(one, MailingStream) and one.detects_changes]
        place = Options.from_config(self.config).change_detection
        if place is None or not detecting:
            yield
            return
        scopes = {provider.name: provider.scope(self.config) for provider in PROVIDERS}
        with open_store(place) as store:
            self.logger.info("Snapshots are in %s.", store.name)
            for stream in detecting:
                part = store.part(stream.name, stream.client.account)
                stream.snapshots = Snapshots(store, part, scopes[stream.provider])
            yield

    def _check_providers(self) -> None:
        if not chosen(self.config):
            told = ", ".join(provider.required_text for provider in PROVIDERS)
            raise ConfigurationError(f"No provider is set. Set the credentials of at least one: {told}.")

    def _check_catalog(self, selected: Sequence[Stream]) -> None:
        offered = self.input_catalog.streams if self.input_catalog else []
        for provider in PROVIDERS:
            names = set(provider.stream_names) - self.streams.keys()
            unset = sorted(
                entry.tap_stream_id
                for entry in offered
                if entry.tap_stream_id in names and entry.metadata.root.selected is True
            )
            if unset:
                raise ConfigurationError(
                    f"The catalog selects {', '.join(unset)}, but {provider.required_text} is missing: set it, or take "
                    "these streams out of the selection."
                )
        if self._foreign_streams:
            foreign = ", ".join(self._foreign_streams)
            self.logger.warning("The catalog names streams that this tap does not have: %s.", foreign)
        if not selected:
            self.logger.warning("No stream is selected, so nothing is read.")

    def _tell_result(self, tried: Sequence[Stream], reasons: HeldLines) -> None:
        failed = len(_failures(tried))
        if failed:
            self.logger.error("The test failed: %d of %s could not be read.", failed, counted(len(tried), "stream"))
        else:
            every = "" if len(tried) == 1 else "all "
            self.logger.info("The test passed: %s%s could be read.", every, counted(len(tried), "stream"))
        reasons.release()
        streams = [stream for stream in self.streams.values() if isinstance(stream, MailingStream)]
        for provider in chosen(self.config):
            own = [stream for stream in streams if stream.provider == provider.name and stream in tried]
            readable = sum(stream.failure is None for stream in own)
            self.logger.info("%s: %d of %s could be read.", provider.title, readable, counted(len(own), "stream"))
        untried = [stream.name for stream in streams if stream.leaves_trace]
        if untried:
            self.logger.info("Not tried, since reading them leaves a trace at the provider: %s.", ", ".join(untried))

    def _report(self, tried: Sequence[Stream]) -> None:
        failures = _failures(tried)
        if failures:
            share = f"{len(failures)} of {counted(len(tried), 'stream')} {'was' if len(failures) == 1 else 'were'}"
            raise StreamsFailed(
                f"{share} not read to their end: {_told(failures)}. Their bookmarks did not move; the reasons are in "
                "the log above."
            )

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        # The SDK's handler writes STATE, perhaps into the middle of a record, and exits 0. Every bookmark that could
        # move has been written already, at the end of its stream.
        del frame
        self.logger.error("Stopped by signal %d before everything was read.", signum)
        os._exit(128 + signum)  # nothing may hold it up: neither a call under way nor whoever catches exceptions


def _failures(tried: Iterable[Stream]) -> dict[str, str]:
    """The kinds of the errors, by stream."""
    return {stream.name: stream.failure for stream in tried if isinstance(stream, MailingStream) and stream.failure}


def _told(failures: dict[str, str]) -> str:
    kinds = dict.fromkeys(failures.values())
    by_kind = {kind: ", ".join(name for name, one in failures.items() if one == kind) for kind in kinds}
    return "; ".join(f"{names} ({kind})" for kind, names in by_kind.items())
