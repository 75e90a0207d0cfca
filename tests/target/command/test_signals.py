"""Signals: the command ends within five seconds, whatever its main thread waits for; nothing settled is lost."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from subprocess import PIPE

import psycopg
import pytest

from tests.fork_server import ROOT
from tests.target.command.test_command import Command, lines, until
from tests.target.conftest import people, person, schema, state

#: Each starts the command as a process.
pytestmark = pytest.mark.slow

#: Starts a plugin with a function that neither returns nor notices a signal, as many of the C library's.
STUCK = """
import ctypes, socket, sys
def stuck(*_, **__):
    print("stuck", file=sys.stderr, flush=True)
    lock, library = ctypes.create_string_buffer(64), ctypes.CDLL(None)
    library.pthread_mutex_lock(lock)
    library.pthread_mutex_lock(lock)
from mailing_api.http.network import Network
from {plugin}.__main__ import main
{function} = stuck
main()
"""


def ended(process, number=signal.SIGTERM, *, within=5.0):
    """Send a signal; returns the exit code."""
    asked = time.monotonic()
    process.send_signal(number)
    code = process.wait(within)
    assert time.monotonic() - asked < within
    return code


@contextmanager
def delivering(mailjet, **options):
    """A run that has written its first STATE, and gets no more input for now."""
    with Command(mailjet, batch_max_age=0.05, **options).start() as process:
        process.stdin.write(lines([schema(), person(1), state(1)]))
        process.stdin.flush()
        assert process.stdout.readline() == b'{"number": 1}\n'
        yield process


def goes_on(mailjet, process, **options):
    """The next run delivers what the stopped one did not, and sends nothing twice."""
    assert process.stdout.read() == b"", "rows that the journal does not have are not acknowledged"
    assert b"Traceback" not in process.stderr.read()
    code, out, err = Command(mailjet, **options).run([schema(), *people([1, 2, 3]), state(3)])
    assert (code, out) == (0, '{"number": 3}\n'), err
    assert len(mailjet.members()) == 3
    assert len([one for one in mailjet.received() if one["contact"]["Email"] == "person1@example.com"]) == 1


def test_a_signal_ends_a_target_whose_journal_another_program_locks(mailjet):
    with delivering(mailjet) as process:
        with closing(sqlite3.connect(mailjet.folder / "journal.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            process.stdin.write(lines([person(2), state(2)]))
            process.stdin.flush()
            time.sleep(0.2)
            assert ended(process) in {1, 143}, "SQLite itself waits for five seconds"
        goes_on(mailjet, process)


def test_a_signal_ends_a_target_whose_database_does_not_answer(mailjet, postgresql_url):
    options = {"journal": postgresql_url, "mailjet_account": mailjet.folder.name}
    with delivering(mailjet, **options) as process:
        with psycopg.connect(postgresql_url) as other:
            schemas = other.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'target_mailing_%'").fetchall()
            for (name,) in schemas:
                for (table,) in other.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = %s", [name]
                ).fetchall():
                    other.execute(f'LOCK TABLE "{name}"."{table}" IN ACCESS EXCLUSIVE MODE')
            process.stdin.write(lines([person(2), state(2)]))
            process.stdin.flush()
            time.sleep(0.5)
            assert ended(process) == 143
        goes_on(mailjet, process, **options)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_target_that_waits_for_a_connection_to_its_database(mailjet, number):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://me@127.0.0.1:{server.getsockname()[1]}/db"
        with Command(mailjet, journal=url, mailjet_account="x").start() as process:
            connection, _ = server.accept()
            with connection:
                assert ended(process, number) == 128 + number


@pytest.mark.parametrize(
    ("plugin", "function", "options"),
    [
        ("target_mailing", "socket.getaddrinfo", []),  # in another thread
        ("target_mailing", "Network.__init__", ["--check"]),
        ("tap_mailing", "socket.getaddrinfo", []),
        ("tap_mailing", "Network.__init__", []),
    ],
)
def test_a_signal_ends_a_plugin_in_a_call_that_does_not_notice_it(mailjet, plugin, function, options):
    config = str(Command(mailjet, mailjet_base_url="https://mailjet.test").config)
    command = [sys.executable, "-c", STUCK.format(plugin=plugin, function=function), "--config", config, *options]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=ROOT) as process:
        process.stdin.write(lines([schema(), person(1)]))
        process.stdin.flush()
        for line in process.stderr:
            if line == b"stuck\n":
                break
        time.sleep(0.2)
        assert ended(process) == 143
        assert b"Stopped by signal 15" in process.stderr.read()


def test_a_second_signal_ends_a_target_at_once_and_settled_state_still_leaves(mailjet):
    held = mailjet.sandbox.faults.add(kind="hold", method="POST", path="*/managemanycontacts", skip=1)
    with Command(mailjet, batch_rows=1, jobs_in_flight=1).start() as process:
        process.stdin.write(lines([schema(), person(1), state(1), person(2), state(2)]))
        process.stdin.flush()
        held.wait_until_held()
        process.terminate()
        time.sleep(0.2)
        assert ended(process, signal.SIGINT, within=1.5) in {130, 143}
        assert process.stdout.read() == b'{"number": 1}\n'
    held.release()


@pytest.mark.parametrize("plugin", ["target_mailing", "tap_mailing"])
def test_a_signal_ends_a_plugin_whose_log_nobody_reads(mailjet, plugin):
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writable, bytes(4096 - 200))
    command = [sys.executable, "-m", plugin, "--config", str(Command(mailjet).config)]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=writable, cwd=ROOT) as process:
        os.close(writable)
        until(lambda: _is_blocked(process.pid))
        assert ended(process) in {143, -signal.SIGTERM}
    os.close(readable)


def _is_blocked(pid):
    """Whether the main thread writes into a pipe that is full."""
    with open(f"/proc/{pid}/wchan") as file:  # noqa: PTH123
        return "pipe" in file.read()


def test_a_signal_ends_a_target_that_reads_its_settings(mailjet):
    settings = mailjet.folder / "settings"
    os.mkfifo(settings)
    command = [sys.executable, "-m", "target_mailing", "--config", str(settings)]
    process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=ROOT)
    with process, settings.open("wb"):  # opened once the process reads
        assert ended(process) in {143, -signal.SIGTERM}


def test_a_signal_while_the_program_works_is_obeyed_by_it_alone(mailjet):
    """The watching thread does nothing where the run ends in time."""
    with delivering(mailjet) as process:
        assert ended(process) == 143
        err = process.stderr.read().decode()
    assert "Stopped by signal 15 (SIGTERM): 0 batches under way stay in the journal" in err
    assert "in the middle of a call" not in err
