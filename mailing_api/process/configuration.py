"""A plugin's configuration as a whole: read from files, and checked for what no setting can be."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
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

#: No setting is a larger number, and none is a longer text: the longest tokens of AWS have some thousand characters.
_MOST: Final = 1e15
_LONGEST: Final = 50_000
#: Names that are listed at most.
_MOST_NAMES: Final = 20
#: Characters of a name that is shown.
_LONGEST_NAME: Final = 100
_NULLS: Final = (None, "__NULL__")
#: Options of a map whose value may be a name.
_NAMES_OF_STREAMS: Final = ("__alias__", "__source__")
_OPTIONS: Final = (*_NAMES_OF_STREAMS, "__else__", "__filter__", "__key_properties__")


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
            content = Path(path).read_bytes()
            given = json.loads(content.decode("utf-8-sig"), parse_float=_number, object_pairs_hook=_object)
        except FileNotFoundError:
            raise ConfigurationError(f"The file given by --config, {path}, was not found.") from None
        except OSError as exc:
            raise ConfigurationError(f"The file given by --config, {path}, cannot be read ({exc.strerror}).") from None
        except UnicodeDecodeError:
            what = next((what for start, what in _OTHER_FORMS.items() if content.startswith(start)), "")
            raise ConfigurationError(f"The file given by --config, {path}, is not text in UTF-8{what}.") from None
        except json.JSONDecodeError as exc:
            where = f"line {exc.lineno}, column {exc.colno}"
            raise ConfigurationError(f"The file given by --config is not JSON: {where}.") from None
        except (ValueError, RecursionError):
            raise ConfigurationError("The file given by --config holds a value that cannot be read.") from None
        if not isinstance(given, dict):
            raise ConfigurationError("The file given by --config must hold a JSON object of settings.")
        found |= given
    return found, "ENV" in paths


#: What a file may be instead, by its first bytes.
_OTHER_FORMS: Final = {
    b"\x1f\x8b": ", but compressed by gzip: unpack it",
    b"PK": ", but a ZIP archive: unpack it",
    b"\xff\xfe": ", but in UTF-16: save it as UTF-8",
    b"\xfe\xff": ", but in UTF-16: save it as UTF-8",
}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name in found if sum(name == other for other, _ in pairs) > 1)
        raise ConfigurationError(
            f"The file given by --config names {shown(twice)} twice in one object, so that one of the values would be "
            "ignored: take one out."
        )
    return found


def _number(text: str) -> Decimal | float:
    """A number as it is written; one that is too large as the infinity that `unusable` tells of."""
    value = float(text)
    return Decimal(text) if abs(value) < _MOST else value


def unusable(config: Mapping[str, Any]) -> list[str]:
    """What to say of settings that hold text which is none, or numbers of no use; it quotes no value."""
    found = []
    for place, one in _leaves(config, ""):
        if isinstance(one, str) and not _is_text(one):
            found.append(f"Setting `{place}` holds a character that is no text (NUL, or half of a surrogate pair).")
        elif isinstance(one, str) and len(one) > _LONGEST:
            found.append(f"Setting `{place}` holds a text that is too long ({len(one)} characters).")
        elif isinstance(one, (int, float)) and not abs(one) < _MOST:
            found.append(f"Setting `{place}` holds a number that is too large.")
    if config.get("flattening_enabled") is True and config.get("flattening_max_depth") is None:
        found.append("Setting `flattening_enabled` needs `flattening_max_depth`, such as 1: set that, too.")
    return list(dict.fromkeys(found))


def misspelt_settings(config: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    """What to say of settings that there are not, each of which is one of the known ones but for a letter or two."""
    return [
        f"Unknown setting `{name}`; did you mean `{meant}`? Correct the name, or remove it."
        for name, meant in _meant(config, list(known)).items()
    ]


def _meant(config: Mapping[str, Any], known: Sequence[str]) -> dict[str, str]:
    """The known settings that others in a configuration are misspelt from."""
    meant = {name: misspelt(name, known) for name in sorted(config.keys() - set(known))}
    return {name: one for name, one in meant.items() if one is not None}


def unknown_settings(config: Mapping[str, Any], known: Iterable[str]) -> str:
    """The names of the other settings that there are not, some of them where they are many, and what may be meant."""
    names = list(known)
    unknown = sorted(config.keys() - set(names) - _meant(config, names).keys())
    listed = unknown[:_MOST_NAMES]
    more = f", and {len(unknown) - len(listed)} more" if len(unknown) > len(listed) else ""
    return f"{', '.join(listed)}{more}.{did_you_mean(listed, names)}" if unknown else ""


def given_settings(config: Any) -> Any:
    """A configuration without settings that are null or an empty text, which both mean unset."""
    found = filled(plain(config))
    return {name: value for name, value in found.items() if value is not None} if isinstance(found, dict) else found


def check_not_empty(config: Any, names: Sequence[str], prefix: str, environ: Mapping[str, str] = os.environ) -> None:
    """See that no empty environment variable went before a value: Meltano, which reads them, takes it for one.

    Args:
        config: as it is given.
        names: of settings on which it depends what becomes of people.
        prefix: of the environment variables.
        environ: the environment.

    Raises:
        ConfigurationError: one did.
    """
    for name in names:
        variable = f"{prefix}{name.upper()}"
        if isinstance(config, Mapping) and config.get(name) == "" and environ.get(variable) == "":
            raise ConfigurationError(
                f"Setting `{name}` is empty, since the environment variable {variable} is: it goes before the value in "
                "`meltano.yml`. Take it out, of `.env` too, or give it a value."
            )


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Whatever is no object and no array, names included, each with the path of the object that holds it."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield place, name
            is_plain = isinstance(name, str) and name.isprintable() and len(name) < _LONGEST_NAME
            inner = f"{place}.{name}" if place else name
            yield from _leaves(one, inner if is_plain else place)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, place)
    else:
        yield place, value


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
    _check_options("Setting `stream_maps`", maps, ["__else__"])
    for stream, given in maps.items():
        where = f"Setting `stream_maps.{stream}`"
        if stream == "__else__":
            _check_else(where, given)
        elif not isinstance(given, Mapping):
            if given not in _NULLS:
                raise ConfigurationError(f"{where} must be an object of columns, or null to leave the stream out.")
        else:
            _check_options(where, given, _OPTIONS)
            for column, expression in given.items():
                _check_column(f"Setting `stream_maps.{stream}.{column}`", stream, column, expression)


def _check_options(where: str, names: Iterable[str], options: Sequence[str]) -> None:
    """See that no option is misspelt: it would be a column or a stream, and what it was to leave out would go."""
    for name in names:
        is_option = name.startswith("__") and name.endswith("__")
        if is_option and name not in options and (meant := misspelt(name, options)):
            raise ConfigurationError(f"{where}: unknown option `{name}`; did you mean `{meant}`? Correct the name.")


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
    elif column in _NAMES_OF_STREAMS and not isinstance(expression, str):
        raise ConfigurationError(f"{where} must be the name of a stream (a text).")
    elif expression is not None and not isinstance(expression, str):
        raise ConfigurationError(f"{where} must be an expression (a text), or null to leave the column out.")
    elif column not in _NAMES_OF_STREAMS and expression not in _NULLS and not _is_expression(expression):
        raise ConfigurationError(f"{where} is not one expression, such as `name.title()`: correct its syntax.")


def _is_expression(text: str) -> bool:
    try:
        found = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return len(found) == 1 and isinstance(found[0], ast.Expr)
