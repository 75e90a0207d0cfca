"""A plugin's configuration as a whole: read from files, and checked for what no setting can be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from mailing_api.errors import ConfigurationError

__all__ = ["check_stream_maps", "read_configuration", "unusable"]

#: No setting is a larger number.
_MOST: Final = 1e15
_NULLS: Final = (None, "__NULL__")


def read_configuration(paths: Sequence[str]) -> tuple[dict[str, Any], bool]:
    """The settings that files give, later ones first, and whether the environment gives some, too.

    Args:
        paths: of JSON files; `ENV` for the environment.

    Raises:
        ConfigurationError: a file cannot be read, or holds no JSON object.
    """
    found: dict[str, Any] = {}
    for path in paths:
        if path == "ENV":
            continue
        try:
            given = json.loads(Path(path).read_bytes().decode("utf-8-sig"), parse_float=_number)
        except FileNotFoundError:
            raise ConfigurationError(f"The file given by --config, {path}, was not found.") from None
        except OSError as exc:
            raise ConfigurationError(f"The file given by --config, {path}, cannot be read ({exc.strerror}).") from None
        except UnicodeDecodeError:
            raise ConfigurationError(f"The file given by --config, {path}, is not text in UTF-8.") from None
        except json.JSONDecodeError as exc:
            where = f"line {exc.lineno}, column {exc.colno}"
            raise ConfigurationError(f"The file given by --config is not JSON: {where}.") from None
        except (ValueError, RecursionError):
            raise ConfigurationError("The file given by --config holds a value that cannot be read.") from None
        if not isinstance(given, dict):
            raise ConfigurationError("The file given by --config must hold a JSON object of settings.")
        found |= given
    return found, "ENV" in paths


def _number(text: str) -> Decimal | float:
    """A number as it is written; one that is too large as the infinity that `unusable` tells of."""
    value = float(text)
    return Decimal(text) if abs(value) < _MOST else value


def unusable(config: Mapping[str, Any]) -> list[str]:
    """What to say of settings that hold text which is none, or numbers of no use; it quotes no value."""
    found = []
    for name, value in config.items():
        for one in _leaves(value):
            if isinstance(one, str) and not _is_text(one):
                found.append(f"Setting `{name}` holds a character that is no text (NUL, or half of a surrogate pair).")
            elif isinstance(one, (int, float)) and not abs(one) < _MOST:
                found.append(f"Setting `{name}` holds a number that is too large.")
    return list(dict.fromkeys(found))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield name
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _is_text(value: str) -> bool:
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def check_stream_maps(maps: Any) -> None:
    """See whether the setting `stream_maps` has the form that the SDK takes.

    Raises:
        ConfigurationError: it has not; the message names the entry.
    """
    if maps is None:
        return
    if not isinstance(maps, Mapping):
        raise ConfigurationError("Setting `stream_maps` must be an object: stream -> map.")
    for stream, given in maps.items():
        where = f"Setting `stream_maps.{stream}`"
        if stream == "__else__":
            _check_else(where, given)
        elif not isinstance(given, Mapping):
            if given not in _NULLS:
                raise ConfigurationError(f"{where} must be an object of columns, or null to leave the stream out.")
        else:
            for column, expression in given.items():
                _check_column(f"Setting `stream_maps.{stream}.{column}`", stream, column, expression)


def _check_else(where: str, given: Any) -> None:
    if given not in _NULLS:
        raise ConfigurationError(f"{where} must be null or `__NULL__`, which leave out all that is not named.")


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
    elif expression is not None and not isinstance(expression, str):
        raise ConfigurationError(f"{where} must be an expression (a text), or null to leave the column out.")
