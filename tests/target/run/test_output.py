"""STATE through real pipes: whole, or the run fails."""

from __future__ import annotations

import array
import fcntl
import io
import os
import signal
import subprocess
import sys
import termios
from subprocess import PIPE

import pytest

from tests.fork_server import FORKS
from tests.target.command.test_command import Command, lines, until
from tests.target.conftest import person, schema, state

#: Each starts the command as a process.
pytestmark = pytest.mark.slow

BIG = {"at": "x" * 20_000}
LINE = b'{"at": "' + b"x" * 20_000 + b'"}\n'


def waiting(readable):
    """Bytes that wait in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(readable, termios.FIONREAD, count)
    return count[0]


def start(mailjet, *, blocks, unbuffered, fresh=False, **options):
    """The command, its output going into a pipe of one page."""
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writable, blocks)
    environment = os.environ | ({"PYTHONUNBUFFERED": "1"} if unbuffered else {})
    process = FORKS.start(
        "target_mailing", "--config", str(Command(mailjet, **options).config),
        stdin=PIPE, stdout=writable, stderr=PIPE, env=environment, fresh=fresh,
    )  # fmt: skip
    os.close(writable)
    process.stdin.write(lines([schema(), person(1), state(BIG)]))
    return process, readable


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("unbuffered", [True, False])
def test_p1_state_leaves_whole_through_a_pipe_that_takes_little_while_the_target_is_stopped_and_continued(
    mailjet, blocks, unbuffered
):
    process, readable = start(mailjet, blocks=blocks, unbuffered=unbuffered, fresh=unbuffered and not blocks)
    with process:
        process.stdin.close()
        found = b""
        while len(found) < len(LINE):
            until(lambda found=found: waiting(readable) >= min(4096, len(LINE) - len(found)))
            process.send_signal(signal.SIGSTOP)
            process.send_signal(signal.SIGCONT)
            found += os.read(readable, 5000)
        assert process.wait(20) == 0, process.stderr.read()
        os.close(readable)
    assert found == LINE


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("ended", [True, False])
def test_a_signal_ends_a_target_whose_state_nobody_takes(mailjet, blocks, ended):
    process, readable = start(mailjet, blocks=blocks, unbuffered=True, batch_max_age=0.05)
    with process:
        process.stdin.flush()
        if ended:
            process.stdin.close()
        until(lambda: waiting(readable) == 4096)
        process.send_signal(signal.SIGTERM)
        code = process.wait(5)
        left = os.read(readable, 100_000)
        os.close(readable)
        err = process.stderr.read().decode()
    assert code in {1, 143}
    assert left == LINE[:4096], "nothing follows the part"
    assert "its reader took nothing for 1 s): the STATE is not complete" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("unbuffered", [True, False])
def test_p1_a_file_that_takes_only_a_part_of_a_state_is_a_failed_run(mailjet, unbuffered):
    big = state({"at": "x" * 2_000_000})
    taken = mailjet.folder / "taken"
    command = f'ulimit -f 1024; exec "{sys.executable}" -m target_mailing --config "{Command(mailjet).config}"'
    environment = os.environ | ({"PYTHONUNBUFFERED": "1"} if unbuffered else {})
    with taken.open("wb") as file:
        done = subprocess.run(
            ["sh", "-c", command], input=lines([schema(), person(1), big]), stdout=file, stderr=PIPE, env=environment,
            timeout=30, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert b"Standard output cannot be written (File too large): the STATE is not complete" in done.stderr
    assert taken.read_bytes() == lines([big["value"]])[: taken.stat().st_size]
    assert mailjet.deliver([schema(), person(1), state(1)]).states == [1]
    assert len(mailjet.received()) == 1


def test_p1_a_reader_that_goes_away_in_the_middle_is_a_failed_run(mailjet):
    process, readable = start(mailjet, blocks=False, unbuffered=True, fresh=True)
    with process:
        process.stdin.close()
        until(lambda: waiting(readable) == 4096)
        os.close(readable)
        assert process.wait(20) == 1
        err = process.stderr.read().decode()
    assert "Standard output is closed" in err
    assert "Traceback" not in err


def test_an_input_that_does_not_block_is_read_to_its_end(mailjet):
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    process = FORKS.start(
        "target_mailing", "--config", str(Command(mailjet, batch_max_age=0.05).config),
        stdin=readable, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    os.close(readable)
    with process:
        os.write(writable, lines([schema(), person(1), state(1)]))
        assert process.stdout.readline() == b'{"number": 1}\n'
        os.write(writable, lines([person(2), state(2)]))
        os.close(writable)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, b'{"number": 2}\n'), err
    assert len(mailjet.members()) == 2


def test_p9_a_closed_standard_input_is_one_clear_line_and_nothing_is_made(mailjet):
    command = f'exec "{sys.executable}" -m target_mailing --config "{Command(mailjet).config}" <&-'
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=20, check=False)
    errors = [line for line in done.stderr.decode().splitlines() if "ERROR" in line]
    assert (done.returncode, done.stdout, len(errors)) == (1, b"", 1), done.stderr
    assert "Standard input is closed" in errors[0]
    assert not (mailjet.folder / "journal.sqlite").exists()


def test_p9_an_input_that_cannot_be_read_is_one_clear_line_and_the_journal_is_released(mailjet):
    unreadable = os.open(mailjet.folder / "file", os.O_WRONLY | os.O_CREAT)
    done = FORKS.run(
        "target_mailing", "--config", str(Command(mailjet).config), stdin=unreadable, timeout=20, fresh=True
    )
    os.close(unreadable)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"The input cannot be read (Bad file descriptor)." in done.stderr
    assert mailjet.deliver([schema(), person(1), state(1)]).states == [1]


def test_p1_a_state_with_carriage_returns_between_its_tokens_leaves_as_one_line_for_every_reader(mailjet):
    value = '{"bookmarks":\r{"people": {"at": "a\\r\\n"}}\r}'
    result = mailjet.deliver_from(io.StringIO(f'{{"type": "STATE", "value": {value}}}\n'))
    assert result.states == [{"bookmarks": {"people": {"at": "a\r\n"}}}]
