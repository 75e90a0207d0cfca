"""Lines that the JSON decoder refuses: their defects, and the parts of a record that can still be read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, islice, repeat
from operator import add
from typing import Any, Final

import msgspec

__all__ = [
    "MOST_LEVELS",
    "Recovered",
    "are_legible",
    "decode",
    "defect",
    "foreign",
    "is_deep",
    "is_legible",
    "recovered",
]

#: Maximum levels of objects and arrays in a line. Processing a value takes stack for each level, so a deeper value
#: could be read, but then not be written.
MOST_LEVELS: Final = 100

#: Maximum opening brackets and quotes of a damaged line that is parsed: each takes a step.
_MOST_MARKS: Final = 1_000_000

#: Maximum damaged columns that a reason names, and characters of a name.
_MOST_NAMED: Final = 5
_LONGEST_NAME: Final = 100

#: A whole string, or anything else up to JSON's own characters.
_TOKEN: Final = re.compile(rb'[ \t\r\n]*+("(?:[^"\\]++|\\.)*+"|[{}\[\],:]|[^ \t\r\n{}\[\],:"]++)', re.DOTALL)
_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_STEPS: Final = {ord("["): 1, ord("]"): -1}
#: Nearly no line has more levels.
_FLAT: Final = 6
_NO_BRACKETS: Final = bytes({*range(256)} - {*b"[]{}"})
_LINE_ENDS_OF_OLD: Final = re.compile(rb"\}[ \t]*\r[ \t\r]*\{")
#: A string, even one that does not end: the pattern then matches wherever it begins, and no byte is scanned again from
#: the next quote in the same string.
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NO_NUMBER: Final = re.compile(rb"-?\b(?:NaN|Infinity)\b")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
#: The next bracket outside a string.
_BRACKET: Final = re.compile(rb'[^"\[\]{}]*+(?:"(?:[^"\\]++|\\.)*+"[^"\[\]{}]*+)*+([\[\]{}])', re.DOTALL)
#: Up to a control character in a string.
_CONTROL: Final = re.compile(
    rb'[^"]*+(?:"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+"[^"]*+)*+'
    rb'"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+\\?[\x00-\x1f]'
)
_MARKS: Final = (b"[", b"{", b'"')
_OPENING: Final = frozenset({b"{", b"["})
_CLOSING: Final = frozenset({b"}", b"]"})

#: The first bytes of inputs that are not UTF-8 text.
_OTHER_BEGINNINGS: Final = {
    b"\x1f\x8b": "it is compressed with gzip; decompress it first",
    b"\x28\xb5\x2f\xfd": "it is compressed with Zstandard; decompress it first",
    b"BZh": "it is compressed with bzip2; decompress it first",
    b"PK\x03\x04": "it is a ZIP archive; unpack it first",
    b"\xef\xbb\xbf": "it begins with a byte order mark; write UTF-8 without one",
    b"\xfd7zXZ\x00": "it is compressed with xz; decompress it first",
    b"\xff\xfe\x00\x00": "it is text in UTF-32; write UTF-8",
    b"\x00\x00\xfe\xff": "it is text in UTF-32; write UTF-8",
    b"\xff\xfe": "it is text in UTF-16; write UTF-8",
    b"\xfe\xff": "it is text in UTF-16; write UTF-8",
    b"\x00\x00\x00{": "it is text in UTF-32; write UTF-8",
    b"{\x00\x00\x00": "it is text in UTF-32; write UTF-8",
    b"\x00{": "it is text in UTF-16; write UTF-8",
    b"{\x00": "it is text in UTF-16; write UTF-8",
}


class Recovered(msgspec.Struct):
    """The readable parts of a RECORD message that is not valid JSON.

    Attributes:
        stream: the stream's name.
        record: the record; a value that is not valid JSON becomes a string.
        damaged: the columns whose values or names are not valid JSON.
        reason: these columns with their defects.
        is_whole: the names of all columns are known. If not, any missing column may be among the damaged ones.
        kept: the record for the rejects file. If a name is unknown, it is one string in the column `_unreadable`, so
            that the other columns are not mistaken for the whole row when it is delivered again.
    """

    stream: str
    record: dict[str, Any]
    damaged: frozenset[str]
    reason: str
    is_whole: bool
    kept: dict[str, Any]


def is_deep(line: bytes) -> bool:
    """Whether a line is nested too deeply."""
    if len(line) <= 2 * MOST_LEVELS or line.count(b"[") + line.count(b"{") <= MOST_LEVELS:
        return False
    brackets = _STRING.sub(b"", line).translate(_SQUARE, _NO_BRACKETS)
    outer = brackets
    for _ in range(_FLAT):  # removes the innermost level everywhere, which is faster than stepping through
        outer = outer.replace(b"[]", b"")
    if outer.count(b"[") <= MOST_LEVELS - _FLAT:
        return False
    return max(accumulate(map(_STEPS.__getitem__, brackets))) > MOST_LEVELS


def is_legible(line: bytes) -> bool:
    """Whether a line is not nested too deeply, and has no unreadable name that a decoder would skip."""
    return not is_deep(line) and (line.isascii() or _is_text(line) or _has_all_names(line))


def are_legible(lines: Sequence[bytes]) -> bool:
    """Whether all lines are."""
    opening = map(add, map(bytes.count, lines, repeat(b"[")), map(bytes.count, lines, repeat(b"{")))
    if max(map(len, lines), default=0) <= 2 * MOST_LEVELS or max(opening) <= MOST_LEVELS:  # none is deep
        return _is_text(b"\n".join(lines)) or all(map(is_legible, lines))
    return all(map(is_legible, lines))


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_all_names(line: bytes) -> bool:
    partial = recovered(line)
    return partial is None or partial.is_whole


def decode(line: bytes) -> Any:
    """The value of some JSON.

    Raises:
        ValueError: it is not valid JSON, or nested too deeply.
    """
    if is_deep(line):
        raise ValueError("nested too deeply")
    return msgspec.json.decode(line)


def recovered(line: bytes) -> Recovered | None:
    """The readable parts of the RECORD message in a line; None if it is no RECORD, or nothing can be read.

    The time grows with the length of the line. Where it would take long, only the stream is read.
    """
    if sum(map(line.count, _MARKS)) > _MOST_MARKS:
        return _with_stream_only(line)
    message = _members(line)
    if message is None or _text(message.get("type")) != "RECORD":
        return None
    raw_record = message.get("record", b"")
    stream, members = _text(message.get("stream")), _listed_members(raw_record)
    if stream is None or members is None:
        return None
    record: dict[str, Any] = {}
    wrong: dict[str, bytes] = {}
    nameless: dict[str, bytes] = {}
    columns: dict[str, bytes] = {}
    for token, raw in members:
        name = _text(token)
        if name is None:
            name = _legible(token[1:-1])
            nameless[name] = token
        columns[name] = raw
    for name, raw in columns.items():
        try:
            record[name] = decode(raw)
        except ValueError:
            text = _legible(raw)
            record[name] = text[1:-1] if text.startswith('"') else text
            wrong[name] = raw
    reasons = [*_reasons(nameless, "its name cannot be read: "), *_reasons(wrong)]
    return Recovered(
        stream,
        record,
        frozenset(wrong.keys() | nameless.keys()),
        "; ".join(reasons) or defect(line),
        is_whole=not nameless,
        kept={"_unreadable": _legible(raw_record)} if nameless else record,
    )


def _reasons(damaged: Mapping[str, bytes], prefix: str = "") -> Iterator[str]:
    """The defects of the first damaged columns, and the number of the others."""
    for name, raw in islice(damaged.items(), _MOST_NAMED):
        shown = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in name[:_LONGEST_NAME])
        yield f"column {shown}{'...' if len(name) > _LONGEST_NAME else ''}: {prefix}{defect(raw)}"
    if (more := len(damaged) - _MOST_NAMED) > 0:
        yield f"more such columns: {more:,}"


def _with_stream_only(line: bytes) -> Recovered | None:
    """The stream of a RECORD message, read from the members before its record, or after it."""
    raw = line.rstrip()
    after = raw[max(raw.rfind(one, 0, -1) for one in (b"[", b"]", b"{", b"}")) + 1 :].lstrip(b", \t\r")
    message = (_members(b"{" + after) or {}) | _first_members(raw)
    stream = _text(message.get("stream"))
    if stream is None or _text(message.get("type")) != "RECORD" or not raw.endswith(b"}"):
        return None
    reason = f"it is not JSON, and has more than {_MOST_MARKS:,} brackets and quotes, so the record was not read"
    return Recovered(stream, {}, frozenset(), reason, is_whole=False, kept={})


def foreign(raw: bytes) -> str | None:
    """The form of bytes that are not lines of UTF-8 text, with advice; None where they may be."""
    beginning = next((one for one in _OTHER_BEGINNINGS if raw.startswith(one)), None)
    if beginning is not None:
        return _OTHER_BEGINNINGS[beginning]
    if _LINE_ENDS_OF_OLD.search(raw):
        return "its lines end with a carriage return alone; end each with a line feed"
    if raw and not raw.strip(b"\x00"):
        return "it consists of zero bytes, like a file that was not written completely"
    return None


def defect(raw: bytes) -> str:
    """The defect of bytes that are not valid JSON; none of them are quoted."""
    if form := foreign(raw):
        return form
    if is_deep(raw):
        return f"it is nested deeper than {MOST_LEVELS} levels"
    if no_number := _NO_NUMBER.search(_STRING.sub(b'""', raw)):
        return f"{no_number[0].decode()} is not a JSON number"
    if _CONTROL.match(raw):
        return "it holds a control character that is not escaped"
    return _decoding_error(raw)


def _decoding_error(raw: bytes) -> str:
    try:
        msgspec.json.decode(raw.decode())
    except UnicodeDecodeError:
        return "it holds bytes that are not UTF-8"
    except msgspec.ValidationError:
        return "it holds a number that is out of range"
    except msgspec.MsgspecError:
        return "it holds half of a surrogate pair" if _SURROGATE.search(raw) else "it is not JSON"
    return "it is JSON, but not an object with a `type`"


def _text(raw: bytes | None) -> str | None:
    try:
        return None if raw is None else msgspec.json.decode(raw, type=str)
    except ValueError:
        return None


class _NoObjectError(ValueError):
    """Some bytes are not a JSON object."""


class _Tokens:
    """Reads some JSON token by token."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw.rstrip()
        self._found: re.Match[bytes] | None = None

    def next(self) -> bytes:
        """The next token.

        Raises:
            _NoObjectError: there is none.
        """
        if self.is_over() or (found := _TOKEN.match(self._raw, self._at)) is None:
            raise _NoObjectError
        self._found = found
        return found[1]

    def value(self) -> bytes:
        """The next value, not decoded: up to its closing bracket, whatever is between."""
        token = self.next()
        start, level = self._start, int(token in _OPENING)
        if token in b"}],:":
            raise _NoObjectError
        while level:
            if (found := _BRACKET.match(self._raw, self._at)) is None:
                raise _NoObjectError
            self._found = found
            level += (found[1] in _OPENING) - (found[1] in _CLOSING)
        return self._raw[start : self._at]

    def scalar(self) -> bytes:
        """The next value, if it is neither an object nor an array."""
        token = self.next()
        if token in b"{}[],:":
            raise _NoObjectError
        return token

    def is_over(self) -> bool:
        """Whether there are no more tokens."""
        return self._at >= len(self._raw)

    @property
    def _start(self) -> int:
        return self._found.start(1) if self._found else 0

    @property
    def _at(self) -> int:
        return self._found.end() if self._found else 0


def _members(raw: bytes) -> dict[str, bytes] | None:
    """The members of an object by their names, not decoded; None if it is not an object, whatever its values are."""
    members = _listed_members(raw)
    return None if members is None else {_name(token): value for token, value in members}


def _listed_members(raw: bytes) -> list[tuple[bytes, bytes]] | None:
    """The members of an object, names and values not decoded; None if it is not an object, whatever its values are."""
    tokens = _Tokens(raw)
    try:
        members = [*_each_member(tokens)]
    except _NoObjectError:
        return None
    return members if tokens.is_over() else None


def _first_members(raw: bytes) -> dict[str, bytes]:
    """The members of an object up to the first that is an object or an array, or damaged."""
    members: dict[str, bytes] = {}
    with suppress(_NoObjectError):
        for token, value in _each_member(_Tokens(raw), is_flat=True):
            members[_name(token)] = value  # those before a damaged member are used
    return members


def _each_member(tokens: _Tokens, *, is_flat: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Each member; with `is_flat` up to the first value that is an object or an array."""
    if tokens.next() != b"{":
        raise _NoObjectError
    if (name := tokens.next()) == b"}":
        return
    while True:
        if not name.startswith(b'"') or tokens.next() != b":":
            raise _NoObjectError
        value = tokens.scalar() if is_flat else tokens.value()
        yield name, value
        token = tokens.next()
        if token == b"}":
            return
        if token != b",":
            raise _NoObjectError
        name = tokens.next()


def _name(token: bytes) -> str:
    name = _text(token)
    return _legible(token[1:-1]) if name is None else name


def _legible(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
