"""Print which packages of this environment have other versions than those locked.

With `--only-same` it exits with 1 if there are any.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

LOCK = Path(__file__).with_name("dev.txt")


def main() -> int:
    """Compare, and print a line for each that differs; the exit code."""
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^\s\\;]+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    here = {re.sub(r"[-_.]+", "-", one.name).lower(): one.version for one in distributions()}
    moved = [
        f"  {name} {locked[name]} -> {version}"
        for name, version in sorted(here.items())
        if locked.get(name, version) != version
    ]
    print(f"Other versions than the locked ones: {len(moved) or 'none'}", *moved, sep="\n")
    return int(bool(moved) and "--only-same" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
