"""History files, read as a loader reads them; and checks of each, made after every run of the helpers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from target_mailing.contacts.effects import Effect
from target_mailing.rows.outcome import Outcome

__all__ = ["check_history", "files_of", "read_history"]


class _Message(msgspec.Struct):
    type: str
    stream: str
    record: dict[str, Any] = {}
    schema: dict[str, Any] = {}
    key_properties: list[str] = []


_LINES = msgspec.json.Decoder(_Message)


def files_of(folder: Path) -> set[Path]:
    """The history files in a folder, by their final names."""
    return {path.with_name(path.name.removesuffix(".part")) for path in (folder / "history").glob("*.singer*")}


def read_history(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The records of a file by stream; of those with equal keys, the last one: as a loader has them in its tables."""
    keys: dict[str, list[str]] = {}
    columns: dict[str, set[str]] = {}
    tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
    text = path.read_bytes()
    assert text.endswith(b"\n"), path
    for message in _LINES.decode_lines(text):
        if message.type == "SCHEMA":
            keys[message.stream] = message.key_properties
            columns[message.stream] = {*message.schema["properties"]}
            tables[message.stream] = {}
        else:
            record = message.record
            assert record.keys() == columns[message.stream]
            key = tuple(record[name] for name in keys[message.stream])
            assert message.stream != "mailing_outcomes" or key not in tables[message.stream], record
            tables[message.stream][key] = record
    return {stream: [*table.values()] for stream, table in tables.items()}


def check_history(folder: Path, before: Collection[Path], outcomes: Mapping[str, Any]) -> None:
    """A run's history, if it has one, names each row once, and adds up to the totals that the run told, if it did."""
    for path in files_of(folder) - set(before):
        if not path.exists():
            continue  # of a run that was killed
        assert path.stat().st_mode & 0o777 == 0o600
        history = read_history(path)
        (run,) = history["mailing_runs"]
        if run["ended_at"] is None:
            continue  # completed for a run that was killed
        rows = history["mailing_outcomes"]
        counts = Counter(row["outcome"] for row in rows)
        effects = Counter(row["effect"] for row in rows if row["effect"] is not None)
        codes = Counter(row["code"] for row in rows if row["code"] is not None)
        assert run["row_count"] == len(rows), (run, len(rows))
        assert counts == +Counter({name: run[name] for name in map(str, Outcome)}), (counts, run)
        if outcomes:
            assert counts == +Counter({name: outcomes[name] for name in map(str, Outcome)}), (counts, outcomes)
            assert (effects, codes) == (outcomes["effects"], outcomes["reasons"]), (effects, codes, outcomes)
        assert +effects == +Counter({name: run[f"{name}_rows"] for name in map(str, Effect)}), (effects, run)
        assert all(row["key"] is None or "@" not in row["key"] for row in rows)
        known = {(job["batch"], job["job_id"]) for job in history["mailing_jobs"]}
        assert {(row["batch"], row["job_id"]) for row in rows if row["job_id"] is not None} <= known
