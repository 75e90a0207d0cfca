"""The totals that a run of target-mailing logs, read by a log configuration as anybody may give it one."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from singer_sdk.logging import ConsoleFormatter

__all__ = ["ENVIRONMENT", "Formatter", "meltano_logging", "meltano_totals", "totals"]

#: For a run whose log is to hold the fields of the totals behind their sentence.
ENVIRONMENT = {
    "SINGER_SDK_LOG_CONFIG": str(Path(__file__).with_suffix(".yml")),
    "PYTHONPATH": str(Path(__file__).parents[1]),
}

_MARK = " | fields: "


class Formatter(ConsoleFormatter):
    """The format of the console, and the fields of the totals."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        fields = getattr(record, "outcomes", None)
        return text if fields is None else f"{text}{_MARK}{json.dumps(fields, separators=(',', ':'))}"


def totals(log: str) -> dict[str, Any]:
    """The fields of the totals in a log; none where the run did not come to tell them."""
    found: list[dict[str, Any]] = [json.loads(line.partition(_MARK)[2]) for line in log.splitlines() if _MARK in line]
    return found[-1] if found else {}


def meltano_logging(folder: Path, name: str) -> tuple[Path, Path]:
    """A log configuration of Meltano that also writes a file of JSON lines; returns both files."""
    path, lines = folder / f"{name}.logging.yml", folder / f"{name}.jsonl"
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "console": {"()": "meltano.core.logging.console_log_formatter", "colors": False},
            "json": {"()": "meltano.core.logging.json_formatter"},
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "console", "stream": "ext://sys.stderr"},
            "file": {"class": "logging.FileHandler", "formatter": "json", "filename": str(lines), "delay": True},
        },
        "root": {"level": "INFO", "handlers": ["console", "file"]},
    }
    path.write_text(json.dumps(config))  # which is YAML, too
    return path, lines


def meltano_totals(lines: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """The sentence and the fields of each target's totals."""
    if not lines.exists():
        return {}
    found = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    return {one["name"]: (one["event"], one["outcomes"]) for one in found if "outcomes" in one}
