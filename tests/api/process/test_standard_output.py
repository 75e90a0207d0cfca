"""Messages leave whole, through pipes that take little at a time, do not block, or are never read."""

from __future__ import annotations

import fcntl
import io
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from mailing_api.process import standard_output
from mailing_api.process.standard_output import WholeOutput, hurry, install


@contextmanager
def pipe(*, blocks=True, pages=1):
    """A pipe of a few pages, each of which holds one small write."""
    readable, writable = os.pipe()
    fcntl.fcntl(writable, fcntl.F_SETPIPE_SZ, 4096 * pages)
    os.set_blocking(writable, blocks)
    try:
        yield readable, writable
    finally:
        for one in (readable, writable):
            with suppress(OSError):
                os.close(one)


def read_by(readable, size):
    found = []

    def read():
        while piece := os.read(readable, size):
            found.append(piece)

    thread = threading.Thread(target=read)
    thread.start()
    return thread, found


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("size", [1, 1000, 4096, 100_000])
@pytest.mark.parametrize("length", [0, 1, 4095, 4096, 4097, 50_000])
def test_everything_arrives_once_and_in_order(blocks, size, length):
    if size == 1:
        length = min(length, 5000)
    messages = [(b"%06d" % n) * (length // 6) + b"\n" for n in range(3)]
    with pipe(blocks=blocks) as (readable, writable):
        thread, found = read_by(readable, size)
        output = io.BufferedWriter(WholeOutput(writable))
        for one in messages:
            assert output.write(one) == len(one)
        output.flush()
        os.close(writable)
        thread.join(10)
    assert b"".join(found) == b"".join(messages)


def test_what_is_neither_pipe_nor_file_gets_everything():
    with open(os.devnull, "wb") as file:  # noqa: PTH123
        assert WholeOutput(file.fileno()).write(b"x" * 100_000) == 100_000


@pytest.fixture
def writes(monkeypatch):
    """The lengths of all writes."""
    lengths = []
    write = os.write

    def noted(file, piece):
        lengths.append(len(piece))
        return write(file, piece)

    monkeypatch.setattr(os, "write", noted)
    return lengths


@pytest.mark.parametrize("pages", [1, 16])
def test_a_pipe_that_is_empty_is_filled_by_one_write(writes, pages):
    with pipe(pages=pages) as (_, writable):
        WholeOutput(writable).write(b"x" * (4096 * pages))
    assert writes == [4096 * pages]


def test_a_pipe_that_holds_something_gets_only_what_it_surely_takes(writes):
    with pipe(pages=4) as (_, writable):
        output = WholeOutput(writable)
        output.write(b"x")
        output.write(b"y" * 3 * 4096)
    assert writes == [1, 4096, 4096, 4096]


def test_a_file_gets_everything_at_once(writes, tmp_path):
    with (tmp_path / "out").open("wb") as file:
        output = WholeOutput(file.fileno())
        output.write(b"x" * 100_000)
        output.write(b"y" * 100_000)
    assert writes == [100_000, 100_000]
    assert (tmp_path / "out").read_bytes() == b"x" * 100_000 + b"y" * 100_000


@pytest.mark.parametrize("blocks", [True, False])
def test_after_a_reader_went_away_nothing_more_is_tried(blocks):
    with pipe(blocks=blocks) as (readable, writable):
        os.close(readable)
        output = WholeOutput(writable)
        with pytest.raises(BrokenPipeError):
            output.write(b"x")
        assert output.write(b"y" * 10_000) == 10_000


@pytest.mark.parametrize("blocks", [True, False])
def test_a_reader_that_stalls_is_left_when_there_is_a_hurry_and_nothing_follows_the_part(blocks):
    with pipe(blocks=blocks) as (readable, writable):
        output = WholeOutput(writable)
        output.hurry(0.0)
        with pytest.raises(TimeoutError, match="took nothing"):
            output.write(b"x" * 10_000)
        assert output.write(b"y") == 1
        os.close(writable)
        assert set(os.read(readable, 100_000)) == set(b"x")


def test_a_hurry_that_a_signal_begins_holds_for_the_write_under_way(monkeypatch):
    with pipe() as (_, writable):
        output = WholeOutput(writable)
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(output)))
        before = signal.signal(signal.SIGALRM, lambda *_: hurry(0.0))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            with pytest.raises(TimeoutError):
                output.write(b"x" * 10_000)
        finally:
            signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(("hurried", "failed"), [(100, 106), (0, 56)])
def test_a_write_has_the_whole_patience_from_its_own_beginning_or_that_of_the_hurry(monkeypatch, hurried, failed):
    now = 0

    class Stalled:
        """A pipe that takes nothing; each look at it takes a second."""

        def register(self, *_):
            """Nothing to do."""

        def poll(self, _):
            nonlocal now
            now += 1
            if now == hurried:
                output.hurry(5.0)
            return []

    monkeypatch.setattr(standard_output.select, "poll", Stalled)
    monkeypatch.setattr(standard_output.time, "monotonic", lambda: float(now))
    with pipe() as (_, writable):
        output = WholeOutput(writable)
        if now == hurried:
            output.hurry(5.0)
        now = 50
        with pytest.raises(TimeoutError, match="took nothing for 5 s"):
            output.write(b"x")
    assert now == failed


def test_a_hurry_does_not_matter_to_a_reader_that_reads():
    with pipe() as (readable, writable):
        thread, found = read_by(readable, 1000)
        output = WholeOutput(writable)
        output.hurry(30.0)
        output.write(b"x" * 100_000)
        os.close(writable)
        thread.join(10)
        assert len(b"".join(found)) == 100_000


def test_standard_output_in_memory_is_left_as_it_is(monkeypatch):
    for given in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stdout", given)
        install()
        assert sys.stdout is given


def test_what_stood_in_standard_output_comes_first(monkeypatch):
    with pipe(pages=4) as (readable, writable):
        plain = io.TextIOWrapper(io.FileIO(writable, "w", closefd=False), encoding="utf-8")
        monkeypatch.setattr(sys, "stdout", plain)
        plain.write("before ")
        install()
        sys.stdout.write("after")
        sys.stdout.buffer.write(b"")
        sys.stdout.flush()
        assert os.read(readable, 100) == b"before after"


def test_what_a_write_did_not_take_is_written_again(monkeypatch):
    """Another process filled the pipe between the check and the write, or the pipe took a part."""
    answers = iter([BlockingIOError(), 3, 0, BlockingIOError(), 100])
    written = []

    def write(_, piece):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        written.append(bytes(piece[:answer]))
        return len(written[-1])

    with pipe() as (_, writable):
        monkeypatch.setattr(os, "write", write)
        assert WholeOutput(writable).write(b"a message") == len(b"a message")
        monkeypatch.undo()
    assert b"".join(written) == b"a message"
