"""Settings as data: declared once per provider, with the same names in tap and target."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError

__all__ = [
    "ALLOW_HTTP",
    "PROGRESS",
    "Setting",
    "accepts",
    "duration",
    "filled",
    "from_environ",
    "given",
    "is_aws_region",
    "json_schema",
    "lookup",
    "misfit",
    "named",
    "plain",
    "positive",
    "shown",
    "unsendable",
]

#: A region becomes part of the host that receives a signed request.
_AWS_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of a plugin.

    Attributes:
        name: flat, snake_case, prefixed with its provider, if it has one.
        title: a few words for a form.
        description: its effect, its unit and its default.
        type: JSON Schema type or types.
        default: the value if it is unset; None for none.
        secret: it is not shown.
        credential: a key or a token, which is sent in a header: visible ASCII characters only.
        env: the official environment variable to fall back to.
        allowed: the accepted values; empty for any.
        form: the expected form, for messages, if the types do not say enough.
    """

    name: str
    title: str
    description: str
    type: str | Sequence[str] = "string"
    default: Any = None
    secret: bool = False
    credential: bool = False
    env: str | None = None
    allowed: Sequence[Any] = ()
    form: str = ""

    @property
    def expected(self) -> str:
        """The expected form, for messages."""
        return self.form or _expected(self.type, self.allowed)


#: A setting of tap and target that belongs to no provider.
ALLOW_HTTP: Final = Setting(
    name="allow_http",
    title="Allow http://",
    description="Accept base URLs and endpoints that begin with http:// and lead to another machine, although "
    "credentials and contacts then travel unencrypted. Otherwise only https://, and http:// to this machine, are "
    "accepted.",
    type="boolean",
    default=False,
)

#: A setting of tap and target that belongs to no provider.
PROGRESS: Final = Setting(
    name="progress",
    title="Progress",
    description="How a run tells how far it is. auto: at a terminal a bar below the log, else a line in the log every "
    "30 seconds. line: always the line. off: neither.",
    allowed=("auto", "line", "off"),
    default="auto",
)


def named(settings: Sequence[Setting]) -> str:
    """Return the names of settings and of the environment variables that they fall back to, for messages."""
    return " and ".join(
        f"`{setting.name}` (or the environment variable {setting.env})" if setting.env else f"`{setting.name}`"
        for setting in settings
    )


def json_schema(settings: Sequence[Setting]) -> dict[str, Any]:
    """Return the JSON Schema of a plugin's configuration; every setting is optional and nullable."""
    return {"type": "object", "properties": {setting.name: _property(setting) for setting in settings}}


def _property(setting: Setting) -> dict[str, Any]:
    types = [setting.type] if isinstance(setting.type, str) else list(setting.type)
    schema: dict[str, Any] = {
        "type": [*types, "null"],
        "title": setting.title,
        "description": setting.description,
    }
    if setting.default is not None:
        schema["default"] = setting.default
    if setting.allowed:
        schema["enum"] = [*setting.allowed, None]
    if setting.secret:
        schema |= {"secret": True, "writeOnly": True}
    return schema


def lookup(setting: Setting, config: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Any:
    """Return the value of a setting: from the configuration, its environment variable, or its default.

    Raises:
        ConfigurationError: it is a credential and holds a character that a header cannot carry.
    """
    value = given(setting, config, environ)
    if setting.credential and isinstance(value, str) and (why := unsendable(value)):
        is_own = config.get(setting.name) is not None
        source = f"Setting `{setting.name}`" if is_own else f"Environment variable {setting.env} (`{setting.name}`)"
        raise ConfigurationError(f"{source} {why}, which is not part of a key or token: copy it again.")
    return setting.default if value is None else value


def given(setting: Setting, config: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Any:
    """Return the unchecked value of a setting, without its default; None if it is unset."""
    value = config.get(setting.name)
    if value is None and setting.env is not None:
        return environ.get(setting.env) or None
    return value


def unsendable(credential: str) -> str:
    """Describe the character of a credential that a header cannot carry; "" if there is none."""
    bad = next((sign for sign in credential if not "!" <= sign <= "~"), None)
    if bad is None:
        return ""
    if not credential.strip():
        return "holds only spaces"
    before, _, after = credential.partition(bad)
    is_end = not any("!" <= sign <= "~" for sign in after)
    where = "begins with" if not before else "ends with" if is_end else "holds"
    if bad in "\r\n":
        return f"{where} a line break"
    if bad in " \t":
        return f"{where} a {'space' if bad == ' ' else 'tab'}"
    return f"{where} the character U+{ord(bad):04X}"


def from_environ(schema: Mapping[str, Any], prefix: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the settings in environment variables, such as `TAP_MAILING_START_DATE`; an empty one means unset.

    A value is read as JSON if the setting accepts other types than string, and as a string if that fails.

    Raises:
        ConfigurationError: a value fits no type of its setting.
    """
    values: dict[str, Any] = {}
    for name, setting in schema.get("properties", {}).items():
        if text := environ.get(f"{prefix}{name.upper()}"):
            values[name] = _typed(name, text, setting)
    return values


def accepts(setting: Mapping[str, Any], text: str) -> bool:
    """Whether the value of an environment variable fits a setting, given its JSON Schema."""
    try:
        value = _typed("", text, setting)
    except ConfigurationError:
        return False
    return "enum" not in setting or value in setting["enum"] or text.strip().lower() in setting["enum"]


def _typed(name: str, text: str, setting: Mapping[str, Any]) -> Any:
    names = setting.get("type", "string")
    types = {names} if isinstance(names, str) else set(names)
    if types <= {"string", "null"}:
        return text
    try:
        value = msgspec.json.decode(text)
    except ValueError:
        value = None
    kinds = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    kind = kinds.get(type(value))
    if kind in types or (kind == "integer" and "number" in types):
        return value
    if "boolean" in types and text.lower() in {"true", "1", "yes", "on", "false", "0", "no", "off"}:
        return text.lower() in {"true", "1", "yes", "on"}
    if "string" in types:
        return text
    raise ConfigurationError(
        f"Setting `{name}`: the value of its environment variable is not of type "
        f"{' or '.join(sorted(types - {'null'}))}."
    )


def plain(value: Any) -> Any:
    """Return a configuration without Decimals, as which the SDK reads numbers from a file."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return value


def filled(config: Any) -> Any:
    """Return a configuration without settings that are an empty string, which in forms and .env files means unset."""
    if not isinstance(config, Mapping):
        return config
    return {name: value for name, value in config.items() if value != ""}


def misfit(path: Sequence[Any], schema: Mapping[str, Any]) -> str:
    """Return the message for a setting that does not fit its JSON Schema; validators' own messages quote its value.

    Args:
        path: the setting's name, and the place of the fault in it.
        schema: of all settings.
    """
    setting = schema.get("properties", {}).get(path[0], {}) if path else {}
    expected = _expected(setting.get("type", ()), [value for value in setting.get("enum", ()) if value is not None])
    return f"Setting `{'.'.join(map(str, path))}` must be {expected}."


_KINDS: Final = {
    "array": "an array",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}


def _expected(types: str | Sequence[str], allowed: Sequence[Any]) -> str:
    if allowed:
        return f"one of {', '.join(map(str, allowed))}"
    names = [types] if isinstance(types, str) else [name for name in types if name != "null"]
    return " or ".join(_KINDS.get(name, name) for name in names)


#: The greatest length of a value in a message.
_SHOWN: Final = 80


def shown(value: Any) -> str:
    """Return a value for a message: a string in quotes, another value as JSON, a long one cut. Not for secrets."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def is_aws_region(value: Any) -> bool:
    """Return whether a value has the form of an AWS region's name."""
    return isinstance(value, str) and _AWS_REGION.fullmatch(value) is not None


#: Seconds; no date is further away.
_LONGEST: Final = 1e10


def duration(name: str, value: Any) -> float:
    """Return the seconds of a setting that is a number of seconds or an ISO 8601 duration such as `PT6H` or `P7D`.

    Raises:
        ConfigurationError: neither of the two, or negative.
    """
    seconds: float | None = None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str):
        try:
            seconds = float(value)
        except ValueError:
            seconds = _iso_seconds(value)
    if seconds is None or not 0 <= seconds < _LONGEST:
        raise ConfigurationError(
            f"Setting `{name}` is {shown(value)}, which is not a duration: set it to seconds, or to an ISO 8601 "
            "duration such as PT6H or P7D."
        )
    return seconds


def positive(name: str, value: Any) -> Any:
    """Return a number that is above 0, unchanged.

    Raises:
        ConfigurationError: it is 0 or less, infinite, or not a number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ConfigurationError(f"Setting `{name}` is {shown(value)}; it must be a number above 0.")
    return value


def _iso_seconds(value: str) -> float | None:
    with suppress(msgspec.ValidationError):  # which knows days and shorter units
        return msgspec.convert(value, timedelta).total_seconds()
    import pendulum  # noqa: PLC0415 - slow to import, and rarely needed

    try:
        parsed = pendulum.parse(value)
    except (ValueError, OverflowError):
        return None
    return parsed.total_seconds() if isinstance(parsed, pendulum.Duration) else None
