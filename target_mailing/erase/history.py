"""The history files without the keys of one person; their outcomes stay, so that a run's totals stay true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from target_mailing.history.records import OUTCOMES

__all__ = ["PersonOutcomes"]

#: How the line of an outcome begins.
_BEGIN: Final = b'{"type":"RECORD","stream":"%b",' % OUTCOMES.encode()


class _Record(msgspec.Struct):
    stream: str
    key: str | None = None


class _Line(msgspec.Struct):
    record: _Record


_decode: Final = msgspec.json.Decoder(_Line).decode


class PersonOutcomes:
    """Blanks the keys of a person's outcomes."""

    def __init__(self, is_key: Callable[[str, str], bool]) -> None:
        """Take what recognises a key of the person, given its stream and how it is shown."""
        self._is_key = is_key

    def lines(self, path: Path) -> Iterator[tuple[bytes, bytes | None]]:
        """The lines of a file, and what is left of each."""
        with path.open("rb") as file:
            for line in file:
                yield line, self._blanked(line) if line.startswith(_BEGIN) else line

    def _blanked(self, line: bytes) -> bytes | None:
        try:
            record = _decode(line).record
        except msgspec.MsgspecError:
            return line if line.endswith(b"\n") else None
        if record.key is None or not self._is_key(record.stream, record.key):
            return line
        message: dict[str, Any] = msgspec.json.decode(line)
        message["record"]["key"] = None
        return msgspec.json.encode(message) + b"\n"
