"""Ways in which an answer can be wrong: its status, its headers, its body, the members of its body."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from tests.target.wire import Answer

__all__ = ["KINDS", "VALUES", "mutate", "part", "places", "put"]

#: JSON, as text, to be put in the place of a value. Addresses and words of these must be in no log.
VALUES = [
    "null", "true", "false", "0", "-1", "1", "1.5", "-0.0", "1e30", "1e999", "9" * 40, "9223372036854775808", "NaN",
    '""', '" "', '"canary"', '"-1"', '"1e5"', '"\\u0000"', '"\\ud800"', '"0"', '"null"', '"canary@example.com"',
    '"../../canary?x=y#z"', '"http://127.0.0.1:9/canary"', '"file:///etc/canary"', '"' + "x" * 5000 + '"',
    "[]", "{}", "[null]", '["canary"]', "[[]]", '{"canary": null}', '[{"canary": 1}]', "[" * 500 + "]" * 500,
    '{"a":' * 500 + "1" + "}" * 500, '"2024-99-99T99:99:99Z"', '"0000-00-00"', '"\u0663"', '"COMPLETED!"',
]  # fmt: skip
STATUSES = [
    200, 201, 202, 203, 204, 205, 206, 226, 299, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 406,
    408, 409, 410, 412, 413, 415, 418, 421, 422, 423, 425, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 507, 511,
    520, 529, 599, 600, 999,
]  # fmt: skip
PAGE = b"<html><head><title>502 canary</title></head><body><h1>canary@example.com</h1></body></html>"
ODD_HEADERS: list[tuple[bytes, bytes]] = [
    (b"Retry-After", b"9999999999999999999999"), (b"Retry-After", b"-1"), (b"Retry-After", b"soon"),
    (b"Retry-After", b"Fri, 31 Dec 99999999999999 23:59:59 GMT"), (b"Retry-After", b"\xff"),
    (b"Retry-After", b"Fri, 31 Dec 9999 23:59:59 GMT"), (b"Retry-After", b"\xd9\xa3"), (b"Retry-After", b"1e400"),
    (b"Date", b"soon"), (b"Date", b"\xff"), (b"Date", b"Fri, 31 Dec 99999999999999 23:59:59 GMT"), (b"Date", b""),
    (b"Content-Encoding", b"gzip"), (b"Content-Encoding", b"br"), (b"Content-Encoding", b"\xff"),
    (b"Content-Type", b"text/html"), (b"Content-Type", b"\xff\xfe"), (b"Content-Type", b"application/json; charset=x"),
    (b"Content-Length", b"-1"), (b"Content-Length", b"99999999999"), (b"Transfer-Encoding", b"canary"),
    (b"Content-Range", b"bytes 5-1/canary"), (b"ETag", b"\xff"), (b"x-amzn-errortype", b"canary@example.com:\xff"),
    (b"x-amzn-requestid", b"canary@example.com"), (b"x-amz-id-2", b"\xff"), (b"Set-Cookie", b"canary=\xff"),
    (b"Location", b"/canary@example.com"), (b"Link", b"<canary>; rel=next"), (b"X-RateLimit-Reset", b"-1"),
]  # fmt: skip
FAILURES: list[Callable[[], httpx.TransportError]] = [
    lambda: httpx.ReadTimeout("canary"), lambda: httpx.ReadError("canary"), lambda: httpx.WriteTimeout("canary"),
    lambda: httpx.RemoteProtocolError("canary"), lambda: httpx.ConnectError("canary"),
    lambda: httpx.PoolTimeout("canary"), lambda: httpx.WriteError("canary"),
]  # fmt: skip

BYSTANDERS = ["ada@example.com", "bob@example.com", "leaver@example.com", "nobody@example.com"]

_MARK = "\x01mark\x01"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield from places(inner, (*path, name))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {name: put(one, path[1:], new) if name == path[0] else one for name, one in value.items()}
    return [put(one, path[1:], new) if at == path[0] else one for at, one in enumerate(value)]


def _value(draw: random.Random, answer: Answer) -> str:
    """Another value in the place of one."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return _bytes(draw, answer)
    path = draw.choice([*places(found)])
    new = draw.choice(VALUES)
    answer.misleads = _is_likely(part(found, path), new)
    answer.body = json.dumps(put(found, path, _MARK)).replace(json.dumps(_MARK), new).encode()
    return f"{path} = {new[:40]}"


def _is_likely(old: Any, new: str) -> bool:
    """Whether a value is one that the provider might have given in the place of another."""
    try:
        value = json.loads(new)
    except (ValueError, RecursionError):
        return False
    if isinstance(old, bool):
        return str(value).lower() in {"true", "false", "0", "1"}
    if isinstance(old, int):
        return isinstance(value, (int, float)) or str(value).isdecimal()
    return isinstance(value, type(old))


def _members(draw: random.Random, answer: Answer) -> str:
    """A member that is missing, is called otherwise, comes twice, or stands among strangers."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return _bytes(draw, answer)
    objects = [path for path in places(found) if isinstance(part(found, path), dict) and part(found, path)]
    if not objects:
        return _shape(draw, answer)
    path = draw.choice(objects)
    one = part(found, path)
    name = draw.choice([*one])
    how = draw.choice(["missing", "renamed", "case", "twice before", "twice after", "stranger"])
    rest = {key: value for key, value in one.items() if key != name}
    if how == "missing":
        new = rest
    elif how == "renamed":
        new = {"canary" if key == name else key: value for key, value in one.items()}
    elif how == "case":
        new = {key.swapcase() if key == name else key: value for key, value in one.items()}
    elif how == "stranger":
        new = {"canary@example.com": {"Error": "canary"}, **one}
    else:
        text, other = json.dumps(one), f"{json.dumps(name)}: {draw.choice(VALUES)}"
        new = "{" + other + ", " + text[1:] if how == "twice before" else text[:-1] + ", " + other + "}"
        answer.body = json.dumps(put(found, path, _MARK)).replace(json.dumps(_MARK), new).encode()
        return f"{path}.{name} {how} {other[:60]}"
    answer.body = json.dumps(put(found, path, new)).encode()
    return f"{path}.{name} {how}"


def part(value: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def _shape(draw: random.Random, answer: Answer) -> str:
    """Another body altogether."""
    body = answer.body
    shapes: dict[str, bytes] = {
        "HTML": PAGE, "nothing": b"", "blank": b" \r\n", "null": b"null", "a list of it": b"[" + body + b"]",
        "inside an object": b'{"data": ' + body + b', "Data": ' + body + b"}", "twice": body + body,
        "a byte order mark": b"\xef\xbb\xbf" + body, "UTF-16": body.decode("utf-8", "replace").encode("utf-16"),
        "as text": json.dumps(body.decode("utf-8", "replace")).encode(), "NUL": body + b"\0", "deep": b"[" * 100_000,
        "cut": body[: draw.randrange(len(body) + 1)], "a guard": b")]}',\n" + body, "a callback": b"f(" + body + b")",
        "XML": b"<?xml version='1.0' encoding='x-canary'?><Error><Code>canary</Code></Error>",
        "entities": b'<!DOCTYPE x [<!ENTITY a "canary"><!ENTITY b "&a;&a;&a;">]><Error><Code>&b;</Code></Error>',
        "an error": b'{"ErrorMessage": "canary@example.com", "StatusCode": 400, "message": "canary", "__type": "x",'
        b'"error": {"type": "canary@example.com", "message": "canary"}}',
    }  # fmt: skip
    name = draw.choice([*shapes])
    answer.body = shapes[name]
    return name


def _bytes(draw: random.Random, answer: Answer) -> str:
    """Some bytes that are others."""
    body = bytearray(answer.body or b"canary")
    said = []
    for _ in range(draw.randint(1, 3)):
        at, new = draw.randrange(len(body)), draw.choice([0, 0x22, 0x2C, 0x5C, 0x7B, 0x7D, 0x80, 0xFF])
        body[at] = new
        said.append(f"{at}={new:#x}")
    answer.body = bytes(body)
    return "bytes " + " ".join(said)


def _status(draw: random.Random, answer: Answer) -> str:
    """Another status, with or without the body; what leads elsewhere leads back."""
    was_refusal = _is_refusal(answer.status)
    answer.status = draw.choice(STATUSES)
    how = draw.choice(["its body", "no body", "HTML", "an error"])
    if how == "no body":
        answer.body = b""
    elif how == "HTML":
        answer.body = PAGE
    elif how == "an error":
        answer.body = (
            b'{"ErrorMessage": "MJ01 canary@example.com", "message": "canary", "error": {"type": "canary@a.test"}}'
        )
    answer.misleads = _is_refusal(answer.status) or (was_refusal and answer.status < 300)
    if 300 <= answer.status < 400:
        answer.headers.append((b"Location", draw.choice([b"/", b"http://127.0.0.1:9/canary", b"", b"\xff", b"//"])))
    return f"HTTP {answer.status} with {how}"


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status not in {408, 429}


def _header(draw: random.Random, answer: Answer) -> str:
    """An odd header, with the status or with one for which it matters."""
    name, value = draw.choice(ODD_HEADERS)
    answer.headers = [(one, said) for one, said in answer.headers if one.lower() != name.lower()] + [(name, value)]
    answer.status = draw.choice([answer.status, answer.status, 429, 503, 400, 404])
    answer.misleads = _is_refusal(answer.status)
    return f"HTTP {answer.status} with {name.decode()}: {value[:50]!r}"


def _transport(draw: random.Random, answer: Answer) -> str:
    """A failure of the network, after the work was done: before the answer's head, or within its body."""
    failure = draw.choice(FAILURES)()
    if draw.random() < 0.5:
        raise failure
    half = len(answer.body) // 2
    answer.pieces = [answer.body[:half], failure]
    return f"{type(failure).__name__} within the body"


def _packed(draw: random.Random, answer: Answer) -> str:
    """A compressed body: whole, cut, changed, or twice."""
    body = gzip.compress(answer.body, mtime=0)
    how = draw.choice(["whole", "cut", "changed", "twice", "a bomb"])
    if how == "cut":
        body = body[: draw.randrange(len(body))]
    elif how == "changed":
        body = body[:12] + b"\xff" + body[13:]
    elif how == "twice":
        body = gzip.compress(body, mtime=0)
    elif how == "a bomb":
        body = gzip.compress(b"[" * 3_000_000, mtime=0)
    answer.body = body
    answer.headers.append((b"Content-Encoding", b"gzip"))
    return f"gzip, {how}"


def _table(draw: random.Random, answer: Answer) -> str:
    """The same file in another form, with somebody else's address where none belongs."""
    text = answer.body.decode("utf-8", "replace").lstrip("\ufeff")
    if text[:1] in {"{", "[", "<", ""} or "," not in text:
        return _bytes(draw, answer)
    lines = [*csv.reader(io.StringIO(text))]
    other = draw.choice(BYSTANDERS)
    how = draw.choice(
        ["as it is", "no header", "reversed", "a column more", "a column less", "a note", "folded", "cut"]
    )
    if how == "no header":
        lines = lines[1:]
    elif how == "reversed":
        lines = [line[::-1] for line in lines]
    elif how == "a column more":
        lines = [["duplicate of", *line] if at == 0 else [other, *line] for at, line in enumerate(lines)]
    elif how == "a column less":
        lines = [line[:-1] for line in lines]
    elif how == "a note":
        lines.append([f"see {other}; 1 row in error"])
    elif how == "folded":
        lines = [[cell.upper() for cell in line] for line in lines]
    delimiter = draw.choice([",", ";", "\t", "|"])
    ends = draw.choice(["\n", "\r\n", "\r", "\n\n"])
    quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    to = io.StringIO()
    csv.writer(to, delimiter=delimiter, lineterminator=ends, quoting=quoting).writerows(lines)
    written = to.getvalue()
    if how == "cut":
        written = written[: draw.randrange(len(written) + 1)]
    answer.body = written.encode(draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"]))
    return f"a table, {how}, {delimiter!r} {ends!r} {other}"


KINDS = [
    _value,
    _value,
    _value,
    _members,
    _members,
    _shape,
    _bytes,
    _status,
    _status,
    _header,
    _transport,
    _packed,
    _table,
    _table,
]


def mutate(draw: random.Random, answer: Answer) -> str:
    """Change an answer somehow; tells how. May raise an error of the transport."""
    return draw.choice(KINDS)(draw, answer)
