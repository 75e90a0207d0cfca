from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from mailing_sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An empty sandbox whose jobs end at the first look, unless a test says otherwise."""
    with Sandbox(job_seconds=0) as running:
        yield running


@pytest.fixture
def api(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client of the emulated Mailjet, with credentials."""
    with httpx.Client(
        base_url=sandbox.url, auth=(sandbox.api_key, sandbox.secret_key), timeout=10, verify=False
    ) as client:
        yield client


@pytest.fixture
def control(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client of the control API, without credentials."""
    with httpx.Client(base_url=f"{sandbox.url}/_sandbox", timeout=10, verify=False) as client:
        yield client
