"""The secrets that this process uses, so that its logs can hide them: whole, in parts, and encoded."""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, quote_plus, unquote

from mailing_api.settings import Setting

__all__ = ["SECRETS", "SecretValues", "remember_secrets"]

#: The replacement of a secret.
_HIDDEN: Final = "<secret>"
#: The least length of a secret, and of one that is also hidden inside words.
_SHORTEST: Final = 3
_DISTINCT: Final = 8
#: Longer secrets are compared with their case: regular expressions of that length take long to compile.
_LONG: Final = 200
#: The least length of a piece of a password, which a parser may cut off.
_PIECE: Final = 5

#: Environment variables that hold a secret and belong to no setting, or may hold one in a URL.
_VARIABLES: Final = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "PGPASSWORD")
_URL_VARIABLES: Final = ("http_proxy", "https_proxy", "all_proxy")

_SOUNDS_SECRET = re.compile(r"secret|token|passw|api_?key|access_?key|private|credential", re.IGNORECASE).search
#: A password in a URL's query, or in libpq's form of keys and values.
_NAMED_PASSWORD: Final = re.compile(r"(?:passw(?:or)?d|pwd|token)\s*=\s*('(?:[^'\\]|\\.)*'?|[^\s&]+)", re.IGNORECASE)
_SPECIAL: Final = re.compile(r"[\s:@/\\?#\[\]%&=;,'\"]+")
#: Signatures and tokens in URLs and headers.
_BEARING: Final = re.compile(
    r"(?<=X-Amz-Signature=)[^&\s'\"]+|(?<=X-Amz-Security-Token=)[^&\s'\"]+|(?<=X-Amz-Credential=)[^&\s'\"]+"
    r"|(?<=Bearer )[\w.~+/=-]{8,}|(?<=Basic )[\w+/=-]{8,}",
    re.IGNORECASE,
)


class _Form(NamedTuple):
    """A string to hide; if `alone`, only as a whole word."""

    text: str
    alone: bool


class SecretValues:
    """Secrets, and the forms in which logs may hold them; safe to share between threads."""

    def __init__(self) -> None:
        self._forms: set[_Form] = set()
        #: Forms that are replaced with their case, and an expression for shorter ones in any case; None until needed.
        self._ready: tuple[Sequence[str], re.Pattern[str] | None] | None = ([], None)
        self._lock = threading.Lock()

    def add(self, value: Any) -> None:
        """Remember a key, a token or a password; values that are not strings are ignored."""
        if isinstance(value, str):
            self._take({form for line in {value, *value.splitlines()} for form in _forms(line.strip())})

    def add_place(self, text: str) -> None:
        """Remember the password in a URL, or in libpq's form of keys and values, if there is one."""
        password = ""
        if "@" in text:
            before_host = text.rpartition("@")[0]
            password = before_host.partition("://")[2] or before_host
            password = password.partition(":")[2]
        for secret in (password, *(named[1].strip("'") for named in _NAMED_PASSWORD.finditer(text))):
            self.add(secret)
            self.add(unquote(secret))
            self._take({form for piece in _SPECIAL.split(secret) if len(piece) >= _PIECE for form in _forms(piece)})

    def hide(self, text: str) -> str:
        """Return the text with these secrets, and all signatures and tokens in URLs and headers, replaced."""
        long, short = self._ready or self._make_ready()
        for form in long:
            text = text.replace(form, _HIDDEN)
        if short is not None:
            text = short.sub(_HIDDEN, text)
        return _BEARING.sub(_HIDDEN, text)

    def _take(self, forms: set[_Form]) -> None:
        with self._lock:
            if not forms <= self._forms:
                self._forms |= forms
                self._ready = None

    def _make_ready(self) -> tuple[Sequence[str], re.Pattern[str] | None]:
        with self._lock:
            longest_first = sorted(self._forms, key=lambda form: (-len(form.text), form))
            long = [form.text for form in longest_first if len(form.text) > _LONG]
            short = [_expression(form) for form in longest_first if len(form.text) <= _LONG]
            self._ready = ready = (long, re.compile("|".join(short), re.IGNORECASE) if short else None)
            return ready


#: The secrets of this process, as its logs belong to the process.
SECRETS: Final = SecretValues()


def remember_secrets(
    config: Mapping[str, Any],
    settings: Sequence[Setting],
    environ: Mapping[str, str] = os.environ,
    into: SecretValues = SECRETS,
) -> None:
    """Remember the secrets in settings and environment variables, also in misspelt settings and in URLs.

    Args:
        config: the configuration before any change.
        settings: all settings of the plugin.
        environ: the environment.
        into: remembers them.
    """
    declared = {setting.name: setting for setting in settings}
    for name, value in config.items():
        setting = declared.get(name)
        is_key = setting.credential if setting is not None else _SOUNDS_SECRET(str(name)) is not None
        is_place = setting is not None and setting.secret and not is_key
        for text in _texts(value):
            if is_key:
                into.add(text)
            if is_place or "://" in text:
                into.add_place(text)
    variables = [*_VARIABLES, *(setting.env for setting in settings if setting.env and setting.credential)]
    for variable in variables:
        into.add(environ.get(variable))
    for variable in _URL_VARIABLES:
        for spelling in (variable, variable.upper()):
            into.add_place(environ.get(spelling, ""))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray)):
        for member in value:
            yield from _texts(member)


def _forms(secret: str) -> Iterator[_Form]:
    """A secret in plain form, and in URLs, JSON, Python, base64 (at any place of a longer text) and hexadecimals."""
    is_word = secret.isascii() and secret.isalpha()
    if len(secret) < _SHORTEST or (is_word and secret.islower() and len(secret) < _DISTINCT):
        return  # to hide a common word would only reveal that it is the secret
    raw = secret.encode("utf-8", "surrogatepass")
    plain = {secret, quote(raw, safe=""), quote(raw), quote_plus(raw), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    for form in (*plain, json.dumps(secret, ensure_ascii=False)[1:-1]):
        yield _Form(form, is_word or len(secret) < _DISTINCT)
    if len(secret) < _DISTINCT:
        return
    yield _Form(raw.hex(), alone=False)
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        inner = encoded[(shift * 8 + 5) // 6 : len(encoded) - (1 if (shift + len(raw)) % 3 else 0)]
        yield _Form(inner, alone=False)
        yield _Form(inner.translate(str.maketrans("+/", "-_")), alone=False)


def _expression(form: _Form) -> str:
    escaped = re.escape(form.text)
    return rf"(?<!\w){escaped}(?!\w)" if form.alone else escaped
