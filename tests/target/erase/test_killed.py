"""SIGKILL in the middle of an erasure loses nothing of the others, and the next one finishes."""

from __future__ import annotations

import json
import os
import pathlib
import random
import signal
import sqlite3
import time
from contextlib import closing

import pytest
import sqlalchemy as sa

from tests.target.command.test_command import Command
from tests.target.conftest import people, person, schema, state
from tests.target.erase.erasing import asked_to_erase, erase, on_disk

pytestmark = pytest.mark.slow

CANARY = b"canary"


def world_of(mailjet):
    """Two rejects files, two histories and a journal with one person among others."""
    columns = schema()["schema"]["properties"] | {"id": {"type": ["string", "integer"]}}
    mine = {"id": "canary-key", "email": "canary@example.com", "name": "canary name"}
    for number in range(2):
        rows = [*people(range(number, number + 40), visits=number), person(0, **mine, visits=number)]
        wrong = [person(number + 200, visits="often"), person(0, **mine, visits=f"often{number}")]
        assert mailjet.deliver([schema(columns=columns), *rows, *wrong, state(1)], history_path=plain(mailjet),
                               history_contacts="plain").error is None  # fmt: skip


def plain(mailjet):
    return str(mailjet.folder / "outcomes")


def others(mailjet):
    """What there is of the others: records by file, and the journal's addresses."""
    found = []
    for path in sorted([*mailjet.folder.glob("rejects/r*"), *mailjet.folder.glob("outcomes/h*")]):
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        rows = [one["record"] for one in lines if one["type"] == "RECORD"]
        found += [row for row in rows if CANARY not in json.dumps(row).encode() and row.get("key", "") is not None]
    with closing(sqlite3.connect(mailjet.folder / "journal.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        emails = [email for (email,) in database.execute("SELECT email FROM keys WHERE email <> ''")]
        ids = database.execute("SELECT id FROM contacts ORDER BY n").fetchall()
    return found, sorted(email for email in emails if CANARY not in email.encode()), len(ids)


def finish(mailjet, before, moment):
    left = others(mailjet)
    assert left[:2] == before[:2], moment
    assert left[2] >= before[2] - 2, moment  # the person has a row of each run
    erase(mailjet, "canary-key", history_path=plain(mailjet))
    assert CANARY not in on_disk(mailjet.folder), moment
    assert others(mailjet)[:2] == before[:2], moment


def steps(child_stops_at):
    """Kill this process at the call of this number that changes something."""
    calls = iter(range(child_stops_at))

    def counting(given):
        def call(*parts, **options):
            if next(calls, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return given(*parts, **options)

        return call

    for owner, names in (
        (os, ("fsync", "pwrite", "link", "unlink", "rename", "ftruncate")),
        (pathlib.os, ("fsync",)),
        (sa.Connection, ("execute", "exec_driver_sql", "commit")),
    ):
        for name in names:
            setattr(owner, name, counting(getattr(owner, name)))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_at_every_step(mailjet):
    kept = mailjet.folder / "kept"
    world_of(mailjet)
    names = [
        *mailjet.folder.glob("journal.sqlite"),
        *mailjet.folder.glob("rejects/*"),
        *mailjet.folder.glob("outcomes/*"),
    ]
    contents = {path: path.read_bytes() for path in names}
    before = others(mailjet)
    kept.mkdir()
    step, ended = 0, None
    while ended is None or not os.WIFEXITED(ended):
        for path, content in contents.items():
            path.write_bytes(content)
        child = os.fork()
        if not child:
            code = 1
            try:
                steps(step)
                _, error = asked_to_erase(mailjet, "canary-key", history_path=plain(mailjet))
                code = 0 if error is None else 2
            finally:
                os._exit(code)
        ended = os.waitpid(child, 0)[1]
        if os.WIFEXITED(ended):
            assert os.WEXITSTATUS(ended) == 0
        finish(mailjet, before, step)
        step += 1 + step // 12
    assert step > 60


def test_at_random_moments(mailjet):
    world_of(mailjet)
    names = [
        *mailjet.folder.glob("journal.sqlite"),
        *mailjet.folder.glob("rejects/*"),
        *mailjet.folder.glob("outcomes/*"),
    ]
    contents = {path: path.read_bytes() for path in names}
    before = others(mailjet)
    file = mailjet.folder / "who"
    command = Command(mailjet, history_path=plain(mailjet))
    chance = random.Random(7)
    killed, took = 0, None
    for _ in range(13):
        for path, content in contents.items():
            path.write_bytes(content)
        file.write_text("canary-key")
        began = time.monotonic()
        with command.start("--erase", str(file), "--yes") as process:
            if took is not None:
                time.sleep(chance.uniform(0, took))
                process.kill()
            killed += process.wait() == -signal.SIGKILL
        took = took or time.monotonic() - began
        file.unlink()
        finish(mailjet, before, "random")
    assert killed
