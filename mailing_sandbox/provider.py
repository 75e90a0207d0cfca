"""What the server asks of an emulated provider, and what passes between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute


class Call(msgspec.Struct, frozen=True):
    """One request. `segments` are the decoded parts of the path, `query` holds the first value of each name.

    `raw_path` and `raw_query` are as they came, for providers that check a signature over them.
    """

    method: str
    path: str
    segments: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw_path: str = ""
    raw_query: str = ""

    @classmethod
    def of(cls, method: str, raw_path: str, query: str, headers: dict[str, str], body: bytes) -> Call:
        """Take a request apart; query names are lower-cased, an encoded slash stays inside its segment."""
        segments = tuple(unquote(part) for part in raw_path.split("/") if part)
        first: dict[str, str] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            first.setdefault(name.lower(), value)
        return cls(method, "/" + "/".join(segments), segments, first, headers, body, raw_path, query)


class Reply(msgspec.Struct):
    """One answer. `dropped` means that the connection is reset instead."""

    status: int
    body: bytes = b""
    content_type: str | None = "application/json"
    headers: dict[str, str] = {}
    reason: str = ""
    dropped: bool = False


class Provider(Protocol):
    """One emulated provider: a share of the paths, its data, and its own corner of the control API."""

    name: str
    prefixes: tuple[str, ...]

    @property
    def switches(self) -> msgspec.Struct:
        """Return the present switches."""

    def template(self, call: Call) -> str:
        """Return the route of a call, to count it under, such as ``GET /v3/REST/contact``."""

    def answer(self, call: Call) -> Reply:
        """Do the work of a call and answer it. Never raises for what a client sent."""

    def error(self, status: int, message: str | None) -> Reply:
        """Return the provider's own JSON error for an injected status."""

    def routes(self) -> Sequence[BaseRoute]:
        """Return the control routes, mounted under ``/_sandbox/{name}``."""

    def change(self, **switches: Any) -> None:
        """Set some of the switches; ValueError names one that does not fit."""

    def reset(self) -> None:
        """Forget all data, as if started empty. Credentials and switches stay."""

    def seed(self, contacts: int, seed: int) -> None:
        """Fill with invented data; the same numbers give the same data."""
