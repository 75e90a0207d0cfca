"""The common base of tap and target: it reads and checks settings, and makes the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import click
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.plugin_base import JSONSchemaValidator, PluginBase, _ConfigInput

from mailing_api.errors import ConfigurationError
from mailing_api.process.command import GivenFile, PluginCommand
from mailing_api.process.configuration import (
    check_stream_maps,
    misspelt_settings,
    read_configuration,
    unknown_settings,
    unusable,
)
from mailing_api.process.environment_hints import environment_hints
from mailing_api.process.environment_names import check_variable_names, unread_variables
from mailing_api.process.secret_values import remember_secrets
from mailing_api.settings import Setting, from_environ, misfit
from mailing_api.suggestions import listed

__all__ = ["MailingPlugin"]

#: Variables that a warning names.
_MOST_NAMED: Final = 5


class MailingPlugin(PluginBase):
    """The base of tap and target, before the SDK's own class.

    Attributes:
        declared_settings: all settings of the plugin.
        command_class: the class of its command.
        option_help: help by option, in place of the SDK's.
    """

    declared_settings: ClassVar[Sequence[Setting]]
    command_class: ClassVar[type[PluginCommand]]
    option_help: ClassVar[Mapping[str, str]] = {
        "version": "Print the version.",
        "about": "Print the settings and capabilities; with --format=markdown also their descriptions and defaults.",
        "about_format": "Format of --about.",
        "config": "JSON file with settings, or ENV to read them from environment variables as well; may be repeated.",
    }

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - as in the SDK, which cannot read settings of two types
        parse_environment_config({}, cls._env_var_prefix)  # loads a .env file
        cls.append_builtin_config(cls.config_jsonschema)
        for warning in check_variable_names(cls.config_jsonschema, cls._env_var_prefix):
            cls.logger.warning("%s", warning)
        return from_environ(cls.config_jsonschema, cls._env_var_prefix)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        remember_secrets(self._config, self.declared_settings)
        check_stream_maps(self._config.get("stream_maps"))
        # The SDK's messages quote the wrong value, which may be a secret.
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        errors = [
            misfit(error.absolute_path, schema) for error in JSONSchemaValidator(schema).iter_errors(self._config)
        ]
        errors += [*unusable(self._config), *misspelt_settings(self._config, schema["properties"])]
        if errors and raise_errors:
            raise ConfigValidationError("Settings are wrong.", errors=errors, schema=schema)
        for error in errors:
            self.logger.warning("%s", error)
        if unknown := unknown_settings(self._config, schema["properties"]):
            kind = self.name.partition("-")[0]
            self.logger.warning("Settings that this %s does not have are ignored: %s", kind, unknown)
        return errors

    @classmethod
    @contextmanager
    def _hinting(cls, source: _ConfigInput | None) -> Iterator[None]:
        """Add hints about environment variables to the error for a missing setting."""
        source = source or _ConfigInput()
        try:
            yield
        except ConfigurationError as exc:
            hints = environment_hints(
                str(exc), cls.declared_settings, source.config, prefix=cls._env_var_prefix, is_read=source.parse_env
            )
            if not hints:
                raise
            raise ConfigurationError(f"{exc}{hints}") from None

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> _ConfigInput:
        """Read the files in --config."""
        del ctx, param
        config, parse_env = read_configuration(value)
        if value and not parse_env:
            schema = cls.config_jsonschema
            cls.append_builtin_config(schema)
            if unread := unread_variables(schema, cls._env_var_prefix, config):
                cls.logger.warning(
                    "Environment variables are set, but not read without --config=ENV: %s", listed(unread, _MOST_NAMED)
                )
        return _ConfigInput(config=config, parse_env=parse_env)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command, with errors reported in one line."""
        command = super().get_singer_command()
        for option in command.params:
            if isinstance(option, click.Option) and option.name in cls.option_help:
                option.help = cls.option_help[option.name]
            if isinstance(option.type, click.File):
                option.type = GivenFile.like(option.type)
        return cls.command_class(
            name=command.name,
            callback=command.callback,
            context_settings=command.context_settings,
            params=command.params,
            help=command.help,
            logger=cls.logger,
        )
