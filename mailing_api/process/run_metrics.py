"""Numbers of a run as metrics of the Singer SDK: log lines with a point in JSON."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, cast

from singer_sdk import metrics

from mailing_api.http.traffic import TrafficTotals
from mailing_api.process.table import is_terminal

__all__ = ["log_count", "log_time", "log_traffic"]

logger = logging.getLogger(__name__)

#: Metrics that the SDK has no name for.
_OWN: Final = Enum("_OWN", {"RETRIES": "http_retry_count", "WAITED": "http_wait_duration"}, type=str)


def log_count(metric: metrics.Metric, value: int, tags: Mapping[str, Any]) -> None:
    """Log how many there were of something in the whole run; nothing if there were none."""
    _log("counter", metric, value, tags)


def log_time(metric: metrics.Metric, seconds: float, tags: Mapping[str, Any]) -> None:
    """Log how long something took; nothing if it took no time."""
    _log("timer", metric, round(seconds, 3), tags)


def log_traffic(totals: TrafficTotals, tags: Mapping[str, Any]) -> None:
    """Log the calls of a run: those that the provider refused as too many apart from the others."""
    others = totals.calls - totals.throttled
    log_count(metrics.Metric.HTTP_REQUEST_COUNT, others, tags)
    throttled = {**tags, str(metrics.Tag.HTTP_STATUS_CODE.value): 429}
    log_count(metrics.Metric.HTTP_REQUEST_COUNT, totals.throttled, throttled)
    log_count(cast("metrics.Metric", _OWN["RETRIES"]), totals.retries, tags)
    log_time(cast("metrics.Metric", _OWN["WAITED"]), totals.waited, tags)


def _log(kind: str, metric: metrics.Metric, value: float, tags: Mapping[str, Any]) -> None:
    if value:
        own = {**tags, str(metrics.Tag.PID.value): os.getpid()}
        point = metrics.Point(kind, metric, value, own)
        if is_terminal():  # where the table is read, and these lines would push it away
            logger.debug("METRIC: %s", point)
        else:
            metrics.log(metrics.get_metrics_logger(), point)
