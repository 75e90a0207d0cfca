"""The end of a stream that was read in full, told in its STATE message beside the value.

A loader of tap-mailing's own family learns from it that no row is missing (target-mailing's `sync: mirror`). Other
targets read only the value of a STATE message; an unknown type of message would be an error to them, and
ACTIVATE_VERSION lets some of them delete rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from singer_sdk.singerlib.encoding.simple import StateMessage

__all__ = ["EndOfStream"]


@dataclass(slots=True)
class EndOfStream(StateMessage):
    """A STATE message behind the last row of a stream.

    Attributes:
        end_of_stream: the stream's name, and how many rows were written.
    """

    end_of_stream: Mapping[str, Any]
