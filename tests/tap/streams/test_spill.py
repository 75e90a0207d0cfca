"""Rows kept on disk."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tap_mailing.streams.spill import Backlog

FILL = """
import resource
from mailing_api.errors import ConfigurationError
from tap_mailing.streams.spill import Backlog, Spill
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for kept, more in (Spill(), ()), (Backlog(), ("",)):
    rows = ((n, *more, "x" * 1000) for n in range(9000))
    try:
        kept.add(rows)
    except ConfigurationError as error:
        print(error)
    kept.close() if isinstance(kept, Spill) else kept.__exit__()
"""


def test_a_backlog_gives_each_row_once_and_the_oldest_first():
    with Backlog() as backlog:
        backlog.add([("b", "2026-02", {"n": 1}), ("a", "2026-03", {"n": 2}), ("c", "", {"n": 3})])
        backlog.add([("a", "2026-01", {"n": 4}), ("d", "2026-02", {"n": 5})])
        assert len(backlog) == 4
        assert list(backlog) == [("", {"n": 3}), ("2026-01", {"n": 4}), ("2026-02", {"n": 1}), ("2026-02", {"n": 5})]


@pytest.mark.slow
def test_p9_a_full_disk_is_reported_with_what_to_do():
    done = subprocess.run([sys.executable, "-c", FILL], capture_output=True, text=True, check=True)
    assert done.stdout.count("set the environment variable SQLITE_TMPDIR to a folder with space") == 2
    assert "xxx" not in done.stdout
