"""The input of a run as the SDK hands it over: as a whole, and not message by message."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import IO, Any

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerReader

__all__ = ["WholeInput"]


class WholeInput(GenericSingerReader[str]):
    """Passes the whole input to the run, instead of single messages to callbacks."""

    default_input = sys.stdin

    def __init__(self, take: Callable[[IO[str] | None], Counter[str]]) -> None:
        super().__init__()
        self._take = take

    def process_lines(self, file_input: IO[str] | None, callbacks: Any) -> Counter[str]:  # noqa: ARG002
        """Deliver the input."""
        return self._take(file_input)

    def deserialize_json(self, line: str) -> dict[str, Any]:
        """Decode a line; unused, since the run decodes the input."""
        message: dict[str, Any] = msgspec.json.decode(line)
        return message
