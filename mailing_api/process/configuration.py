"""A plugin's configuration as a whole: read from files, and checked for values that no setting can have."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from mailing_api.errors import ConfigurationError
from mailing_api.settings import filled, plain, shown
from mailing_api.suggestions import did_you_mean, misspelt

__all__ = [
    "check_not_empty",
    "check_stream_maps",
    "given_settings",
    "misspelt_settings",
    "read_configuration",
    "unknown_settings",
    "unusable",
]

#: The greatest number, and the longest string, of a setting: the longest tokens of AWS have some thousand characters.
_MOST: Final = 1e15
_LONGEST: Final = 50_000
#: The greatest number of names in a message.
_MOST_NAMES: Final = 20
#: The greatest length of a name in a message.
_LONGEST_NAME: Final = 100
_NULLS: Final = (None, "__NULL__")
#: Options of a map whose value may be a name.
_NAMES_OF_STREAMS: Final = ("__alias__", "__source__")
_OPTIONS: Final = (*_NAMES_OF_STREAMS, "__else__", "__filter__", "__key_properties__")


def read_configuration(paths: Sequence[str]) -> tuple[dict[str, Any], bool]:
    """Return the settings in files, of which later ones take precedence, and whether to read the environment, too.

    Args:
        paths: of JSON files; `ENV` for the environment.

    Raises:
        ConfigurationError: a file cannot be read, or holds no JSON object.
    """
    config: dict[str, Any] = {}
    for path in paths:
        if path == "ENV":
            continue
        try:
            content = Path(path).read_bytes()
            members_of = partial(_object, path)
            settings = json.loads(content.decode("utf-8-sig"), parse_float=_number, object_pairs_hook=members_of)
        except FileNotFoundError:
            raise ConfigurationError(f"The file in --config, {path}, was not found.") from None
        except OSError as exc:
            raise ConfigurationError(f"The file in --config, {path}, cannot be read ({exc.strerror}).") from None
        except UnicodeDecodeError:
            form = next((form for start, form in _OTHER_FORMS.items() if content.startswith(start)), "")
            raise ConfigurationError(f"The file in --config, {path}, is not text in UTF-8{form}.") from None
        except json.JSONDecodeError as exc:
            where = f"line {exc.lineno}, column {exc.colno}"
            raise ConfigurationError(f"The file in --config, {path}, is not JSON: {where}.") from None
        except (ValueError, RecursionError):
            raise ConfigurationError(f"The file in --config, {path}, holds a value that cannot be read.") from None
        if not isinstance(settings, dict):
            raise ConfigurationError(f"The file in --config, {path}, must hold a JSON object of settings.")
        config |= settings
    return config, "ENV" in paths


#: Other forms of a file, by its first bytes.
_OTHER_FORMS: Final = {
    b"\x1f\x8b": ", but compressed by gzip: unpack it",
    b"PK": ", but a ZIP archive: unpack it",
    b"\xff\xfe": ", but in UTF-16: save it as UTF-8",
    b"\xfe\xff": ", but in UTF-16: save it as UTF-8",
}


def _object(path: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = next(name for name in members if sum(name == other for other, _ in pairs) > 1)
        raise ConfigurationError(
            f"The file in --config, {path}, has {shown(twice)} twice in one object, so one of the values would be "
            "ignored: remove one."
        )
    return members


def _number(text: str) -> Decimal | float:
    """A number in its exact form, or the infinity, which `unusable` reports, if it is too large."""
    value = float(text)
    return Decimal(text) if abs(value) < _MOST else value


def unusable(config: Mapping[str, Any]) -> list[str]:
    """Return messages for settings with invalid strings, or with strings or numbers that are too large.

    The messages quote no value.
    """
    messages = []
    for place, value in _leaves(config, ""):
        if isinstance(value, str) and not _is_text(value):
            messages.append(
                f"Setting `{place}` holds a character that is not valid (NUL, or half of a surrogate pair)."
            )
        elif isinstance(value, str) and len(value) > _LONGEST:
            messages.append(f"Setting `{place}` holds a string that is too long ({len(value)} characters).")
        elif isinstance(value, (int, float)) and not abs(value) < _MOST:
            messages.append(f"Setting `{place}` holds a number that is too large.")
    if config.get("flattening_enabled") is True and config.get("flattening_max_depth") is None:
        messages.append("Setting `flattening_enabled` needs `flattening_max_depth`, such as 1: set it, too.")
    return list(dict.fromkeys(messages))


def misspelt_settings(config: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """Return messages for unknown settings that differ from a known one in a letter or two."""
    return [
        f"Unknown setting `{name}`; did you mean `{correct}`? Correct the name, or remove it."
        for name, correct in _misspelt(config, list(known)).items()
    ]


def _misspelt(config: Mapping[str, Any], known: Sequence[str]) -> dict[str, str]:
    """The misspelt settings in a configuration, each with the known setting."""
    unknown = sorted(config.keys() - set(known))
    return {name: correct for name in unknown if (correct := misspelt(name, known)) is not None}


def unknown_settings(config: Mapping[str, Any], known: Iterable[str]) -> str:
    """Return the names of other unknown settings, up to a limit, with suggestions; "" if there are none."""
    names = list(known)
    unknown = sorted(config.keys() - set(names) - _misspelt(config, names).keys())
    listed = unknown[:_MOST_NAMES]
    more = f", and {len(unknown) - len(listed)} more" if len(unknown) > len(listed) else ""
    return f"{', '.join(listed)}{more}.{did_you_mean(listed, names)}" if unknown else ""


def given_settings(config: Any) -> Any:
    """Return a configuration without settings that are null or an empty string, which both mean unset."""
    settings = filled(plain(config))
    if not isinstance(settings, dict):
        return settings
    return {name: value for name, value in settings.items() if value is not None}


def check_not_empty(config: Any, names: Sequence[str], prefix: str, environ: Mapping[str, str] = os.environ) -> None:
    """Check that no empty environment variable hides a value: Meltano passes it on as the setting's value.

    Args:
        config: the configuration before any change.
        names: of settings that decide who is contacted.
        prefix: of the environment variables.
        environ: the environment.

    Raises:
        ConfigurationError: a variable does.
    """
    for name in names:
        variable = f"{prefix}{name.upper()}"
        if isinstance(config, Mapping) and config.get(name) == "" and environ.get(variable) == "":
            raise ConfigurationError(
                f"Setting `{name}` is empty, since the environment variable {variable} is empty and takes precedence "
                "over `meltano.yml`. Remove the variable, also from `.env`, or give it a value."
            )


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """All values that are not objects or arrays, and all names, each with the path of the object that holds it."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield place, name
            is_plain = isinstance(name, str) and name.isprintable() and len(name) < _LONGEST_NAME
            inner = f"{place}.{name}" if place else name
            yield from _leaves(member, inner if is_plain else place)
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member, place)
    else:
        yield place, value


def _is_text(value: str) -> bool:
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def check_stream_maps(maps: Any) -> None:
    """Check that the setting `stream_maps` has the form that the SDK accepts.

    Raises:
        ConfigurationError: it has not; the message names the entry.
    """
    if maps is None:
        return
    if not isinstance(maps, Mapping):
        raise ConfigurationError("Setting `stream_maps` must be an object: stream -> map.")
    _check_options("Setting `stream_maps`", maps, ["__else__"])
    for stream, columns in maps.items():
        where = f"Setting `stream_maps.{stream}`"
        if stream == "__else__":
            _check_else(where, columns)
        elif not isinstance(columns, Mapping):
            if columns not in _NULLS:
                raise ConfigurationError(f"{where} must be an object of columns, or null to omit the stream.")
        else:
            _check_options(where, columns, _OPTIONS)
            for column, expression in columns.items():
                _check_column(f"Setting `stream_maps.{stream}.{column}`", stream, column, expression)


def _check_options(where: str, names: Iterable[str], options: Sequence[str]) -> None:
    """Check that no option is misspelt: it would be a column or a stream, and would filter no data."""
    for name in names:
        is_option = name.startswith("__") and name.endswith("__")
        if is_option and name not in options and (correct := misspelt(name, options)):
            raise ConfigurationError(f"{where}: unknown option `{name}`; did you mean `{correct}`? Correct the name.")


def _check_else(where: str, value: Any) -> None:
    if value not in _NULLS:
        raise ConfigurationError(f"{where} must be null or `__NULL__`, which omit everything that is not named.")


def _check_column(where: str, stream: str, column: str, expression: Any) -> None:
    if column == "__else__":
        _check_else(where, expression)
    elif isinstance(expression, Mapping):
        raise ConfigurationError(
            f"{where} must be an expression, not an object. Meltano splits names at dots: for a stream "
            f"'{stream}.{column}' write `{stream}?{column}`."
        )
    elif column == "__key_properties__":
        if not isinstance(expression, list) or not all(isinstance(name, str) for name in expression):
            raise ConfigurationError(f"{where} must be an array of column names.")
    elif column in _NAMES_OF_STREAMS and not isinstance(expression, str):
        raise ConfigurationError(f"{where} must be the name of a stream (a string).")
    elif expression is not None and not isinstance(expression, str):
        raise ConfigurationError(f"{where} must be an expression (a string), or null to omit the column.")
    elif column not in _NAMES_OF_STREAMS and expression not in _NULLS and not _is_expression(expression):
        raise ConfigurationError(f"{where} is not one expression, such as `name.title()`: correct its syntax.")


def _is_expression(text: str) -> bool:
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return len(statements) == 1 and isinstance(statements[0], ast.Expr)
