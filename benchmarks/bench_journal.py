"""The journal alone: bytes written and CPU time for each row, as the work grows.

python benchmarks/bench_journal.py                    100,000 and 1,000,000 keyed rows
python benchmarks/bench_journal.py --rows 10000000    as many as you like
python benchmarks/bench_journal.py --journal URL      in PostgreSQL, whose own writing is not counted

Each row is looked up and delivered in a batch of 5,000, each batch in four transactions, as by a run; with "deleted",
one row in a thousand leaves again at once. Then all come again, unchanged. Bytes are those that the operating system
counts for the process (`write_bytes` in /proc/self/io): pages that it is to write to disk. The file is beside this
program, because a folder in memory counts none.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from measure import table

from target_mailing.contacts.contact import EncodedContact
from target_mailing.journal.journal import Journal
from target_mailing.journal.stores import FileStore, PostgresStore
from target_mailing.rows.row import Row

BATCH_ROWS, CHUNK_ROWS = 5000, 1000


def written() -> int:
    """Bytes that this process had written so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def rows_of(journal: Journal, numbers: Sequence[int]) -> list[Row]:
    """Rows of people with an ID."""
    texts = [b"%d" % number for number in numbers]
    emails = [f"person.{number}@example.com" for number in numbers]
    keys, contacts = journal.hashes.key_ids("bench", "people")(texts), journal.hashes.contact_ids("bench")(emails)
    fingerprints = journal.hashes.fingerprints("add")(texts)
    return [
        Row(
            line=1, raw=b"", stream="people", key=key, id=contact, action="add", fingerprint=fingerprint,
            held=EncodedContact(email, email, b"x"),
        )
        for key, contact, fingerprint, email in zip(keys, contacts, fingerprints, emails, strict=True)
    ]  # fmt: skip


def deliver(journal: Journal, rows: list[Row], action: str) -> None:
    """A batch from its beginning to its end."""
    number = journal.begin_batch("bench", action, "json", rows)
    for step in ("consent", "submit"):
        journal.begin_step(number, step)
        journal.end_step("bench", number, step, {"job": number})
    journal.settle(
        number, destination="bench", action=action, route="json", outcomes={"delivered": len(rows)},
        placed=action == "add", confirmed=rows,
    )  # fmt: skip


def look_up(journal: Journal, rows: Sequence[Row]) -> int:
    """The look-ups of a run when rows come; returns how many are known."""
    keys = [row.key for row in rows if row.key is not None]
    journal.shared_keys.among(keys)
    journal.emails(keys)
    return len(journal.contacts([row.id for row in rows]))


def load(journal: Journal, rows: int, *, deletes: bool) -> None:
    """Deliver to everybody."""
    for begin in range(0, rows, BATCH_ROWS):
        batch = rows_of(journal, range(begin, min(rows, begin + BATCH_ROWS)))
        look_up(journal, batch)
        deliver(journal, batch, "add")
        if deletes:
            for row in batch[::1000]:
                journal.keys_of(row.id)
            gone = [msgspec.structs.replace(row, action="remove", drops_key=True) for row in batch[::1000]]
            deliver(journal, gone, "remove")


def again(journal: Journal, rows: int, *, shuffled: bool) -> None:
    """All come again, unchanged, in the same order or in another one."""
    numbers = [*range(rows)]
    if shuffled:
        random.Random(1).shuffle(numbers)
    for begin in range(0, rows, CHUNK_ROWS):
        chunk = rows_of(journal, numbers[begin : begin + CHUNK_ROWS])
        assert look_up(journal, chunk) == len(chunk)


def measure(place: str, rows: int, what: str) -> None:
    """Take one measure in this process, and print it."""
    journal = Journal(PostgresStore(place, "bench") if "://" in place else FileStore(Path(place)))
    bytes_before, cpu_before = written(), time.process_time()
    if what in ("first run", "deleted"):
        load(journal, rows, deletes=what == "deleted")
    elif what == "making rows":
        for begin in range(0, rows, CHUNK_ROWS):
            rows_of(journal, range(begin, begin + CHUNK_ROWS))
    else:
        again(journal, rows, shuffled=what == "shuffled")
    journal.close()
    print((written() - bytes_before) / rows, (time.process_time() - cpu_before) / rows * 1e6)


def main() -> None:
    """Measure each in a process of its own, and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, action="append")
    options.add_argument("--journal")
    options.add_argument("--what", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.what:
        measure(chosen.journal, chosen.rows[0], chosen.what)
        return
    found = []
    for rows in chosen.rows or [100_000, 1_000_000]:
        with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
            for what in ("first run", "unchanged", "shuffled", "making rows", "deleted"):
                place = chosen.journal or str(Path(folder, f"{what == 'deleted'}.sqlite"))
                command = [sys.executable, __file__, f"--rows={rows}", f"--journal={place}", f"--what={what}"]
                answer = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
                size, cpu = map(float, answer.split())
                found.append([f"{rows:,}", what, f"{size:,.0f}", f"{cpu:.1f}"])
    table(["rows", "", "bytes written a row", "CPU us a row"], found)


if __name__ == "__main__":
    main()
