"""Settings as data: declared once per provider, offered under the same names by tap and target."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from mailing_api.errors import ConfigurationError
from mailing_api.suggestions import misspelt

__all__ = [
    "ALLOW_HTTP",
    "Setting",
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

#: A region becomes part of the host that gets a signed request.
_AWS_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of a plugin.

    Attributes:
        name: flat, snake_case, prefixed by the provider where it belongs to one.
        title: a few words for a form.
        description: what it does, its unit and its default.
        type: JSON Schema type or types.
        default: used when unset; None for none.
        secret: never shown.
        credential: a key or a token, which travels in a header: visible ASCII characters only.
        env: official environment variable to fall back to.
        allowed: the only values accepted; empty for any.
        form: what it must be, for messages, where the types do not say enough.
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
        """What it must be, for messages."""
        return self.form or _expected(self.type, self.allowed)


#: A setting of tap and target that belongs to no provider.
ALLOW_HTTP: Final = Setting(
    name="allow_http",
    title="Allow http://",
    description="Accept base URLs and endpoints that begin with http:// and lead to another machine: credentials and "
    "contacts travel unencrypted then. Without it only https:// is accepted, and http:// to this machine.",
    type="boolean",
    default=False,
)


def named(settings: Sequence[Setting]) -> str:
    """Settings and the environment variables that they fall back to, for messages."""
    each = [f"`{one.name}`" + (f" (or {one.env} of the environment)" if one.env else "") for one in settings]
    return " and ".join(each)


def json_schema(settings: Sequence[Setting]) -> dict[str, Any]:
    """The settings as the JSON Schema of a plugin's configuration; every setting is optional and nullable."""
    return {"type": "object", "properties": {setting.name: _property(setting) for setting in settings}}


def _property(setting: Setting) -> dict[str, Any]:
    types = [setting.type] if isinstance(setting.type, str) else list(setting.type)
    found: dict[str, Any] = {
        "type": [*types, "null"],
        "title": setting.title,
        "description": setting.description,
    }
    if setting.default is not None:
        found["default"] = setting.default
    if setting.allowed:
        found["enum"] = [*setting.allowed, None]
    if setting.secret:
        found |= {"secret": True, "writeOnly": True}
    return found


def lookup(setting: Setting, config: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Any:
    """The value of a setting: from the configuration, else its environment variable, else its default.

    Raises:
        ConfigurationError: it is a credential, and holds a character that none has.
    """
    value = given(setting, config, environ)
    if setting.credential and isinstance(value, str) and (why := unsendable(value)):
        is_own = config.get(setting.name) is not None
        source = f"Setting `{setting.name}`" if is_own else f"Environment variable {setting.env} (`{setting.name}`)"
        raise ConfigurationError(f"{source} {why}, which no key and no token does: copy it again.")
    return setting.default if value is None else value


def given(setting: Setting, config: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Any:
    """The value of a setting as it is given, unchecked; None where only its default counts."""
    value = config.get(setting.name)
    if value is None and setting.env is not None:
        return environ.get(setting.env) or None
    return value


def unsendable(credential: str) -> str:
    """What a credential holds that none has, since it travels in a header; "" for nothing."""
    bad = next((sign for sign in credential if not "!" <= sign <= "~"), None)
    if bad is None:
        return ""
    if not credential.strip():
        return "holds only blanks"
    before, _, after = credential.partition(bad)
    is_end = not any("!" <= sign <= "~" for sign in after)
    where = "begins with" if not before else "ends with" if is_end else "holds"
    if bad in "\r\n":
        return f"{where} a line break"
    if bad in " \t":
        return f"{where} a {'blank' if bad == ' ' else 'tab'}"
    return f"{where} the character U+{ord(bad):04X}"


def from_environ(schema: Mapping[str, Any], prefix: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The settings that environment variables give, such as `TAP_MAILING_START_DATE`; an empty one gives none.

    A value is read as JSON where the setting may be other than text, and taken as text where that fails.

    Raises:
        ConfigurationError: it fits no type of the setting, or a variable's name is that of one but for a letter or two.
    """
    found: dict[str, Any] = {}
    settings = schema.get("properties", {})
    given = [name for name, text in environ.items() if text and name.startswith(prefix)]
    for name in given:
        own = name.removeprefix(prefix).lower()
        if own not in settings and (meant := misspelt(own, settings)) is not None:
            raise ConfigurationError(
                f"Unknown environment variable {name}; did you mean {prefix}{meant.upper()}? Correct the name, or "
                "remove it."
            )
    for name, one in settings.items():
        text = environ.get(f"{prefix}{name.upper()}")
        if text:
            given = one.get("type", "string")
            found[name] = _typed(name, text, {given} if isinstance(given, str) else set(given))
    return found


def _typed(name: str, text: str, types: set[str]) -> Any:
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
        f"Setting `{name}`: its environment variable holds nothing of type {' or '.join(sorted(types - {'null'}))}."
    )


def plain(value: Any) -> Any:
    """A configuration without Decimals, which is how the SDK reads the numbers of a file."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value


def filled(config: Any) -> Any:
    """A configuration without settings that are an empty text, which is what forms and .env files make of unset."""
    if not isinstance(config, Mapping):
        return config
    return {name: value for name, value in config.items() if value != ""}


def misfit(path: Sequence[Any], schema: Mapping[str, Any]) -> str:
    """What to say of a setting that does not fit its JSON Schema; validators' own words quote its value.

    Args:
        path: the setting's name, and where in it the fault is.
        schema: of all settings.
    """
    one = schema.get("properties", {}).get(path[0], {}) if path else {}
    expected = _expected(one.get("type", ()), [value for value in one.get("enum", ()) if value is not None])
    return f"Setting `{'.'.join(map(str, path))}` is not as expected; it must be {expected}."


_KINDS: Final = {
    "array": "an array",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object",
    "string": "a text",
}


def _expected(types: str | Sequence[str], allowed: Sequence[Any]) -> str:
    if allowed:
        return f"one of {', '.join(map(str, allowed))}"
    names = [types] if isinstance(types, str) else [name for name in types if name != "null"]
    return " or ".join(_KINDS.get(name, name) for name in names)


#: Characters of a value that a message shows at most.
_SHOWN: Final = 80


def shown(value: Any) -> str:
    """A value as messages show it: a text in quotes, else as JSON, and not all of a long one. Never of a secret."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def is_aws_region(value: Any) -> bool:
    """Whether this could be the name of a region of AWS."""
    return isinstance(value, str) and _AWS_REGION.fullmatch(value) is not None


#: Seconds; no date is further away.
_LONGEST: Final = 1e10


def duration(name: str, value: Any) -> float:
    """Seconds of a setting given as a number of seconds or an ISO 8601 duration such as `PT6H` or `P7D`.

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
            f"Setting `{name}` is {shown(value)}, which is no duration: give seconds, or ISO 8601 such as PT6H or P7D."
        )
    return seconds


def positive(name: str, value: Any) -> Any:
    """A number above 0, as it was given.

    Raises:
        ConfigurationError: it is 0 or less, or no number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ConfigurationError(f"Setting `{name}` is {shown(value)}; it must be above 0.")
    return value


def _iso_seconds(value: str) -> float | None:
    import pendulum  # noqa: PLC0415 - slow to import, and most programs are given seconds

    try:
        parsed = pendulum.parse(value)
    except (ValueError, OverflowError):
        return None
    return parsed.total_seconds() if isinstance(parsed, pendulum.Duration) else None
