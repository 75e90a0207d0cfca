"""The streams of a history file: their SCHEMAs, and how their records are encoded; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from mailing_api.values import timestamp_of
from target_mailing.contacts.effects import Effect
from target_mailing.rows.outcome import Outcome
from target_mailing.run_events import Job, SentBy

__all__ = ["JOBS", "OUTCOMES", "RUNS", "job_record", "moment", "outcome_records", "record", "schemas"]

RUNS: Final = "mailing_runs"
JOBS: Final = "mailing_jobs"
OUTCOMES: Final = "mailing_outcomes"

_TEXT: Final = {"type": ["string", "null"]}
_NUMBER: Final = {"type": ["integer", "null"]}
_FLAG: Final = {"type": ["boolean", "null"]}
_MOMENT: Final = {"type": ["string", "null"], "format": "date-time"}
_ID: Final = {"type": "string"}
_ORDINAL: Final = {"type": "integer"}

#: By stream, its columns.
_COLUMNS: Final[Mapping[str, Mapping[str, Any]]] = {
    RUNS: {
        "run_id": _ID,
        "account": _TEXT,
        "list": _TEXT,
        "started_at": _MOMENT,
        "ended_at": _MOMENT,
        "exit_code": _NUMBER,
        "row_count": _NUMBER,
        **{str(outcome): _NUMBER for outcome in Outcome},
        **{f"{effect}_rows": _NUMBER for effect in Effect},
        "former_removed": _NUMBER,
        "absent_delivered": _NUMBER,
        "batches": _NUMBER,
        "resubmitted": _NUMBER,
        "calls": _NUMBER,
        "retries": _NUMBER,
        "throttled": _NUMBER,
        "seconds_waited": {"type": ["number", "null"]},
        "version": _TEXT,
    },
    JOBS: {
        "run_id": _ID,
        "batch": _ORDINAL,
        "job_id": _ID,
        "destination": _TEXT,
        "route": _TEXT,
        "action": _TEXT,
        "row_count": _NUMBER,
        "submitted_at": _MOMENT,
        "ended_at": _MOMENT,
        "polls": _NUMBER,
        "status": _TEXT,
        "refused": _NUMBER,
        "resumed": _FLAG,
    },
    OUTCOMES: {
        "run_id": _ID,
        "line": _ORDINAL,
        "stream": _TEXT,
        "key": _TEXT,
        "destination": _TEXT,
        "outcome": _TEXT,
        "effect": _TEXT,
        "code": _TEXT,
        "batch": _NUMBER,
        "job_id": _TEXT,
        "settled_at": _MOMENT,
    },
}
_KEYS: Final[Mapping[str, Sequence[str]]] = {
    RUNS: ["run_id"],
    JOBS: ["run_id", "batch", "job_id"],
    OUTCOMES: ["run_id", "line"],
}

_encode = msgspec.json.Encoder().encode


def schemas() -> bytes:
    """The lines with the SCHEMAs of all streams, with which every file begins."""
    return b"".join(
        _line(
            {
                "type": "SCHEMA",
                "stream": stream,
                "schema": {"type": "object", "properties": columns},
                "key_properties": _KEYS[stream],
            }
        )
        for stream, columns in _COLUMNS.items()
    )


def record(stream: str, values: Mapping[str, Any]) -> bytes:
    """The line of a record that has all columns of its stream; those without a value are null."""
    return _line({
        "type": "RECORD", "stream": stream, "record": {name: values.get(name) for name in _COLUMNS[stream]},
    })  # fmt: skip


def job_record(run_id: str, job: Job) -> bytes:
    """The line of a job's record."""
    ended = None if job.ended is None else moment(job.ended)
    values = msgspec.structs.asdict(job) | {"run_id": run_id, "route": job.route or None, "row_count": job.rows}
    return record(JOBS, values | {"submitted_at": moment(job.submitted), "ended_at": ended, "polls": job.looks})


def outcome_records(
    run_id: str,
    lines: Sequence[int],
    parts: Sequence[bytes],
    *,
    destination: str,
    outcome: Outcome,
    code: str | None,
    by: SentBy | None,
    at: float,
) -> bytes:
    """The lines of the records of rows that end alike.

    Args:
        run_id: of the run.
        lines: of the input, one or more.
        parts: for each of them `"stream":...,"key":...`.
        destination: its name; "" for none.
        outcome: of all rows.
        code: of the outcome, or the effect of delivered rows.
        by: what the rows were sent by.
        at: Unix seconds.
    """
    is_delivered = outcome is Outcome.DELIVERED
    alike = _encode(
        {
            "destination": destination or None,
            "outcome": outcome,
            "effect": code if is_delivered else None,
            "code": None if is_delivered else code,
            "batch": None if by is None else by.batch,
            "job_id": None if by is None else by.job,
            "settled_at": moment(at),
        }
    )
    begin = b'{"type":"RECORD","stream":"%b","record":{"run_id":"%b","line":' % (OUTCOMES.encode(), run_id.encode())
    end = b",%b}\n" % alike[1:]
    return begin + (end + begin).join([b"%d,%b" % pair for pair in zip(lines, parts, strict=True)]) + end


def moment(seconds: float) -> str:
    """Unix seconds as in every stream of ours."""
    return timestamp_of(datetime.fromtimestamp(seconds, UTC))


def _line(message: Mapping[str, Any]) -> bytes:
    return _encode(message) + b"\n"
