"""Take the pictures of a report from that of the demo's first delivery: `make picture`, after `make demo`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.browser import Browser, find_browser

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "output" / "demo" / "reports" / "deliver.html"
#: Pixels.
WIDTH, HEIGHT = 1000, 1135


def main() -> None:
    """Write docs/report.png and docs/report-dark.png."""
    program = find_browser()
    if program is None:
        sys.exit("Neither Chromium nor Chrome is installed.")
    if not REPORT.exists():
        sys.exit(f"{REPORT} is missing: run `make demo` first.")
    with tempfile.TemporaryDirectory() as profile, Browser(program, Path(profile)) as browser:
        for name, dark in (("report.png", False), ("report-dark.png", True)):
            with browser.open(REPORT.as_uri(), width=WIDTH, height=HEIGHT, dark=dark) as tab:
                (ROOT / "docs" / name).write_bytes(tab.picture())


if __name__ == "__main__":
    main()
