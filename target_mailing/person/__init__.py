"""One person: named, recognised in journal, rejects and history, alike for `--explain` and `--erase`."""
