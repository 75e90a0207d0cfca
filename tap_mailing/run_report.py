"""The end of a run of the tap: a table and a sentence for people, fields for programs, and metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from mailing_api.counted import counted, lasting
from mailing_api.http.traffic import Traffic
from mailing_api.process.run_metrics import log_traffic
from mailing_api.process.table import Section, show, table, traffic_fields, traffic_rows
from tap_mailing.progress import StreamCount

__all__ = ["ReadStream", "report"]

logger = logging.getLogger("tap-mailing")


class ReadStream(msgspec.Struct, frozen=True):
    """A stream at the end of a run.

    Attributes:
        name: of the stream.
        count: how far it was read.
        is_whole: it did not fail.
    """

    name: str
    count: StreamCount
    is_whole: bool


def report(streams: Sequence[ReadStream], traffic: Mapping[str, tuple[str, Traffic]], seconds: float) -> None:
    """Report a run, whether or not all streams could be read.

    Args:
        streams: that were selected.
        traffic: by provider, its title and the calls.
        seconds: that the run took.
    """
    for name, (_, calls) in traffic.items():
        log_traffic(calls.totals, {"provider": name})
    show([*table(_sections(streams, traffic)), f"The run took {lasting(seconds)}."], logger)
    rows = sum(stream.count.written for stream in streams)
    fields = {
        "streams": [
            {
                "stream": stream.name,
                "rows": stream.count.written,
                "total": stream.count.total,
                "whole": stream.is_whole,
            }
            for stream in streams
        ],
        "calls": {name: traffic_fields(calls.totals) for name, (_, calls) in traffic.items()},
        "seconds": round(seconds, 3),
    }
    # Structured log formats show the fields, too.
    logger.info("%s of %s read", counted(rows, "row"), counted(len(streams), "stream"), extra=fields)


def _sections(streams: Sequence[ReadStream], traffic: Mapping[str, tuple[str, Traffic]]) -> Iterator[Section]:
    yield Section("Rows read", [(stream.name, _value(stream)) for stream in streams])
    for title, calls in traffic.values():
        yield Section(f"Calls to {title}", traffic_rows(calls.totals))


def _value(stream: ReadStream) -> str:
    return str(stream.count) if stream.is_whole else f"{stream.count}, not complete"
