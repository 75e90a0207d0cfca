"""Environment variables whose names are almost those of settings; no value is shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mailing_api.errors import ConfigurationError
from mailing_api.settings import accepts
from mailing_api.suggestions import misspelt

__all__ = ["check_variable_names", "unread_variables"]


def check_variable_names(schema: Mapping[str, Any], prefix: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Check the names of the environment variables with the plugin's prefix, while the environment is read.

    A variable that is almost named like a setting is an error, since its value would be ignored. It is only a warning
    if it most likely belongs to something else: the setting's own variable is set as well, or the setting does not
    accept the value. A name that differs in underscores alone is an error in any case.

    Args:
        schema: of all settings.
        prefix: of the plugin's environment variables.
        environ: the environment.

    Returns:
        Warnings.

    Raises:
        ConfigurationError: a variable is most likely a misspelt setting.
    """
    settings = schema.get("properties", {})
    warnings: list[str] = []
    for variable in sorted(name for name, text in environ.items() if text and name.startswith(prefix)):
        name = variable.removeprefix(prefix).lower()
        correct = None if name in settings else misspelt(name, settings)
        if correct is None:
            continue
        own = f"{prefix}{correct.upper()}"
        is_other_name = name.replace("_", "") != correct.replace("_", "")
        is_set = bool(environ.get(own))
        if is_other_name and (is_set or not accepts(settings[correct], environ[variable])):
            why = f"{own} is set, too" if is_set else f"its value is not valid for {own}"
            warnings.append(
                f"Environment variable {variable} is ignored: it is not a setting, and {why}. If it was meant as "
                f"{own}, correct its name"
            )
        else:
            raise ConfigurationError(
                f"Unknown environment variable {variable}; did you mean {own}? Correct the name. If it belongs to "
                "another program, remove it from this plugin's environment."
            )
    return warnings


def unread_variables(
    schema: Mapping[str, Any], prefix: str, config: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> list[str]:
    """Return the variables of settings that are not set otherwise, for a command that does not read the environment.

    Args:
        schema: of all settings.
        prefix: of the plugin's environment variables.
        config: the settings in files. Meltano writes those of variables there.
        environ: the environment.
    """
    missing = (name for name in schema.get("properties", {}) if config.get(name) is None)
    return sorted(variable for name in missing if environ.get(variable := f"{prefix}{name.upper()}"))
