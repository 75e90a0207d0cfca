"""Holds the journal in the file that is named, for a minute."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore

if __name__ == "__main__":
    journal = Journal(FileStore(Path(sys.argv[1])))
    print("held", flush=True)
    time.sleep(60)
