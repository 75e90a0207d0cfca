"""Run the state machines again and again, each time with another seed, until one fails or the time is over."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time


def main() -> int:
    """Run; the exit code is that of the run that failed, 0 for none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    until, seed = time.monotonic() + 60 * options.minutes, options.seed
    while time.monotonic() < until:
        print(f"Seed {seed}: repeat it by `make test-deep SEED={seed}`", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", str(options.workers), "--dist", "worksteal"]
        code = subprocess.run(
            [*command, "-m", "machine", f"--hypothesis-seed={seed}"], env=os.environ | {"SEARCH": "deep"}, check=False
        ).returncode
        if code:
            return code
        seed += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
