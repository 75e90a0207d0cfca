"""TapMailing: settings, discovery, the run over all streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, ClassVar

import click
import httpx
from singer_sdk import Stream, Tap
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator

from mailing_api.errors import MailingError
from mailing_api.mailjet import MAILJET_SETTINGS, MailjetClient
from mailing_api.pace import Pace
from mailing_api.retry import RetryPolicy
from mailing_api.settings import from_environ, json_schema, misfit, plain
from tap_mailing import mailjet
from tap_mailing.command import TapCommand
from tap_mailing.connection import Connection
from tap_mailing.mailjet_contacts import INCLUDE_ANONYMIZED
from tap_mailing.output import PageWriter, leave
from tap_mailing.settings import TAP_SETTINGS, Options
from tap_mailing.stream import MailingStream

__all__ = ["StreamsFailed", "TapMailing"]


class StreamsFailed(MailingError):
    """Some streams could not be read to their end; the others were, and their bookmarks moved."""


class TapMailing(Tap):
    """Reads contacts, lists and import jobs from mailing providers."""

    name = "tap-mailing"
    package_name = "tap-target-mailing"
    config_jsonschema: ClassVar[dict[str, Any]] = json_schema((*MAILJET_SETTINGS, INCLUDE_ANONYMIZED, *TAP_SETTINGS))
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
        options["config"] = plain(options.get("config"))
        super().__init__(**options)

    def discover_streams(self) -> Sequence[Stream]:
        """All streams of all providers, whichever of them are set."""
        connection = Connection(lambda: Options.from_config(self.config), self._connect_mailjet)
        return [stream(self, connection) for stream in mailjet.STREAMS]

    def sync_all(self) -> None:  # type: ignore[misc]  # final in the SDK for type checkers only
        """Read all selected streams; one that fails does not keep the others from being read.

        Raises:
            ConfigurationError: before anything is read or written.
            StreamsFailed: at the end, naming the streams that were not read to their end.
        """
        chosen = [stream for stream in self.streams.values() if stream.selected]
        self._check_catalog(chosen)
        with self._connected(chosen):
            super().sync_all()
        self._report(chosen)

    def run_sync_dry_run(  # type: ignore[misc]  # final in the SDK for type checkers only
        self, dry_run_record_limit: int | None = 1, streams: Iterable[Stream] | None = None
    ) -> bool:
        """Read up to that many records of each stream, by one request each, selected or not.

        Raises:
            ConfigurationError: before anything is read or written.
            StreamsFailed: at the end, naming the streams that could not be read.
        """
        chosen = list(self.streams.values() if streams is None else streams)
        with self._connected(chosen):
            super().run_sync_dry_run(dry_run_record_limit, chosen)
        self._report(chosen)
        return True

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The SDK's command, with errors told in one line."""
        command = super().get_singer_command()
        return TapCommand(
            name=command.name,
            callback=command.callback,
            context_settings=command.context_settings,
            params=command.params,
            help=command.help,
            logger=cls.logger,
        )

    # The run

    def _connect_mailjet(self, options: Options) -> MailjetClient:
        return MailjetClient.from_settings(
            self.config,
            user_agent=f"{self.name}/{self.plugin_version}",
            retry=self._retry,
            pace=Pace(options.max_requests_per_second),
            timeout=options.request_timeout,
            connections=options.concurrency,
            transport=self._transport,
        )

    @contextmanager
    def _connected(self, chosen: Iterable[Stream]) -> Iterator[None]:
        connections = {stream.connection for stream in chosen if isinstance(stream, MailingStream)}
        try:
            for connection in connections:
                connection.open()
            yield
        finally:
            for connection in connections:
                connection.close()

    def _check_catalog(self, chosen: Sequence[Stream]) -> None:
        offered = self.input_catalog.streams if self.input_catalog else []
        unknown = sorted({entry.tap_stream_id for entry in offered} - self.streams.keys())
        if unknown:
            self.logger.warning("The catalog names streams that this tap does not have: %s.", ", ".join(unknown))
        if not chosen:
            self.logger.warning("No stream is selected, so nothing is read.")

    def _report(self, chosen: Sequence[Stream]) -> None:
        failures = {
            stream.name: stream.failure for stream in chosen if isinstance(stream, MailingStream) and stream.failure
        }
        if failures:
            named = ", ".join(f"{name} ({failure})" for name, failure in failures.items())
            raise StreamsFailed(
                f"{len(failures)} of {len(chosen)} streams were not read to their end: {named}. Their bookmarks did "
                "not move; the reasons are in the log above."
            )

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        # The SDK's handler writes STATE, perhaps into the middle of a record, and exits 0. Every bookmark that could
        # move has been written already, at the end of its stream.
        del frame
        self.logger.error("Stopped by signal %d before everything was read.", signum)
        leave(128 + signum)

    # Settings

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - as in the SDK, whose own reads no setting of two types
        parse_environment_config({}, cls._env_var_prefix)  # loads a .env file
        cls.append_builtin_config(cls.config_jsonschema)
        return from_environ(cls.config_jsonschema, cls._env_var_prefix)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        # The SDK's messages quote the value that is wrong, which may be a secret.
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        errors = [
            misfit(error.absolute_path, schema) for error in JSONSchemaValidator(schema).iter_errors(self._config)
        ]
        if errors and raise_errors:
            raise ConfigValidationError("Settings are wrong.", errors=errors, schema=schema)
        for error in errors:
            self.logger.warning("%s", error)
        unknown = sorted(self._config.keys() - schema["properties"].keys())
        if unknown:
            self.logger.warning("Settings that this tap does not have are ignored: %s.", ", ".join(unknown))
        return errors
