from __future__ import annotations

import logging

import pytest


@pytest.fixture(autouse=True)
def plain_records():
    """Log records as Python makes them, whatever command another test ran in this process."""
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    yield
    logging.setLogRecordFactory(before)
