"""The options of a client that do not depend on the provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import httpx

from mailing_api.http.pace import Pace
from mailing_api.http.read_only import ReadOnly
from mailing_api.http.retry import RetryPolicy
from mailing_api.http.shared_pace import Budget
from mailing_api.http.traffic import Traffic

__all__ = ["Connection"]


class Connection(TypedDict, total=False):
    """Options of `HttpClient` that do not depend on the provider; explained there."""

    user_agent: str
    retry: RetryPolicy | None
    pace: Pace | None
    timeout: float
    connections: int
    allow_http: bool
    transport: httpx.BaseTransport | None
    sleep: Callable[[float], None]
    gate: ReadOnly | None
    traffic: Traffic | None
    budget: Budget | None
