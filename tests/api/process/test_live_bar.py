"""The bar at the bottom of a terminal: what it shows, where there is one, and that the log stays whole above it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import contextmanager, suppress

import pytest

from mailing_api.process.live_bar import LiveBar, clear_line, clock_of, close_bar, is_piped, live_bar, takes_bar
from tests.terminal import Terminal, shown

logger = logging.getLogger("tap-mailing")
ENVIRONMENT = {"TERM": "xterm"}
TEXTS = ["1:05  8,150 of 12,000, 3,850 waiting (3,800 in 4 jobs), about 20 s to go", "1:05  8,150 of 12,000", "68 %"]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("NO_COLOR", "CI", "COLUMNS", "LINES", "SINGER_SDK_LOG_CONFIG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def terminal():
    with Terminal() as one:
        yield one


@contextmanager
def stderr_at(terminal, monkeypatch, *, level=logging.INFO):
    """Standard error and the log at a terminal."""
    with open(os.dup(terminal.theirs), "w", encoding="utf-8", buffering=1) as stream:  # noqa: PTH123
        monkeypatch.setattr(sys, "stderr", stream)
        handler = logging.StreamHandler(stream)
        monkeypatch.setattr(logging.root, "handlers", [handler])
        before = logger.level
        logger.setLevel(level)
        try:
            yield handler
        finally:
            logger.setLevel(before)


@pytest.mark.parametrize(
    ("columns", "line"), [(80, "━━━━╺━ " + TEXTS[0]), (40, "━━━━╺━ " + TEXTS[1]), (12, "━━━━╺━ 68 %")]
)
def test_it_says_as_much_as_there_is_room_for(columns, line, monkeypatch):
    with Terminal(columns) as terminal, stderr_at(terminal, monkeypatch), live_bar(logger) as bar:
        bar.draw(0.68, TEXTS)
        assert terminal.until("68" if columns == 12 else "8,150") == line
        assert terminal.output.endswith("\r"), "the cursor is at its beginning"


def test_without_room_for_a_chart_there_is_none_and_a_long_text_is_cut(monkeypatch):
    with Terminal(11) as terminal, stderr_at(terminal, monkeypatch), live_bar(logger) as bar:
        bar.draw(0.68, ["1:05  8,150 of 12,000"])
        terminal.until("1:05  8,1…")
        bar.draw(None, ["reading"])
        terminal.until("reading")


def test_a_wide_terminal_has_a_wide_chart(monkeypatch):
    with Terminal(140) as terminal, stderr_at(terminal, monkeypatch), live_bar(logger) as bar:
        bar.draw(1.5, TEXTS)
        assert terminal.until("1:05") == "━" * 20 + " " + TEXTS[0]


@pytest.mark.parametrize("colour", [True, False])
def test_no_color_is_honoured(terminal, monkeypatch, colour):
    if not colour:
        monkeypatch.setenv("NO_COLOR", "1")
    with stderr_at(terminal, monkeypatch), live_bar(logger) as bar:
        bar.draw(0.5, TEXTS)
        terminal.until("8,150")
    terminal.close()
    assert ("\x1b[32m" in terminal.output, "\x1b[3" in terminal.output or "\x1b[9" in terminal.output) == (
        colour,
        colour,
    )


def test_log_lines_stand_above_it_whole(terminal, monkeypatch):
    long = "a line that is longer than a terminal of eighty columns has room for, " + "so it goes on in the next one"
    with stderr_at(terminal, monkeypatch) as handler:
        with live_bar(logger) as bar:
            logger.info("before it is drawn")
            bar.draw(0.5, TEXTS)
            logger.info("%s", long)
            logger.warning("two\nlines")
            bar.draw(0.75, ["3 of 4"])
            terminal.until("3 of 4")
            bar.clear()
            os.write(terminal.theirs, b'{"of another program": 1}\n')
            bar.draw(1.0, ["4 of 4"])
            terminal.until("4 of 4")
        assert handler.stream is sys.stderr
        logger.info("after")
    terminal.close()
    expected = ["before it is drawn", long[:80], long[80:], "two", "lines", '{"of another program": 1}', "after", ""]
    assert terminal.lines == expected


def test_nothing_is_left_of_it_after_an_error_nor_is_it_drawn_again(terminal, monkeypatch):
    with stderr_at(terminal, monkeypatch):
        with suppress(KeyboardInterrupt), live_bar(logger) as bar:
            bar.draw(0.5, TEXTS)
            terminal.until("8,150")
            raise KeyboardInterrupt
        bar.draw(0.6, TEXTS)
        with live_bar(logger) as bar:
            bar.draw(0.5, TEXTS)
            terminal.until("8,150")
            close_bar()
            bar.draw(0.6, TEXTS)
    terminal.close()
    assert terminal.lines == [""]


def test_what_another_program_writes_takes_its_place_until_it_is_drawn_again(terminal, monkeypatch):
    with stderr_at(terminal, monkeypatch), live_bar(logger) as bar:
        bar.draw(0.5, TEXTS)
        terminal.until("8,150")
        os.write(terminal.theirs, f"{clear_line()}of the tap\n".encode())
        bar.draw(0.5, ["3 of 4"])
        terminal.until("3 of 4")
        assert terminal.lines[0] == "of the tap"


def test_in_the_background_nothing_is_drawn_and_no_line_is_cleared(terminal, monkeypatch):
    with stderr_at(terminal, monkeypatch), live_bar(logger) as bar:
        bar.draw(0.5, TEXTS)
        terminal.until("8,150")
        monkeypatch.setattr("os.tcgetpgrp", lambda _: os.getpgrp() + 1)
        bar.draw(0.6, ["6 of 10"])
        os.write(terminal.theirs, b"\n$ ")
        logger.info("a line")
        monkeypatch.undo()
    terminal.close()
    assert "6 of 10" not in terminal.output
    assert terminal.lines[1] == "$ a line"


def test_a_terminal_that_does_not_tell_its_width_is_taken_for_a_usual_one(monkeypatch):
    with Terminal(0) as terminal, stderr_at(terminal, monkeypatch), live_bar(logger) as bar:
        bar.draw(0.5, TEXTS)
        terminal.columns = 80
        assert terminal.until("1:05").endswith(TEXTS[0])


def test_a_terminal_that_is_gone_is_no_error(monkeypatch):
    terminal = Terminal()
    with stderr_at(terminal, monkeypatch), live_bar(logger) as bar:
        monkeypatch.setattr("os.get_terminal_size", lambda _: (_ for _ in ()).throw(OSError))
        bar.draw(0.5, TEXTS)
        monkeypatch.undo()
        monkeypatch.setattr(bar, "_stream", type("Gone", (), {"write": lambda *_: (_ for _ in ()).throw(OSError)})())
        bar.draw(0.5, TEXTS)
        bar.clear()
    with terminal:
        pass


def test_a_terminal_that_takes_nothing_keeps_nobody(monkeypatch):
    ours, theirs = os.openpty()
    os.set_blocking(theirs, False)
    with open(theirs, "w", encoding="utf-8", buffering=1) as stream:  # noqa: PTH123
        try:
            while True:
                os.write(theirs, b"x" * 1000)
        except BlockingIOError:
            os.set_blocking(theirs, True)
        LiveBar(stream).draw(0.5, TEXTS)  # else it would wait for ever
        os.close(ours)


@pytest.mark.parametrize(
    "changes",
    [
        {"TERM": "dumb"},
        {"TERM": "unknown"},
        {"TERM": ""},
        {"CI": "true"},
        {"SINGER_SDK_LOG_CONFIG": "json.yaml"},
    ],
)
def test_where_there_is_none(terminal, monkeypatch, changes):
    with stderr_at(terminal, monkeypatch):
        with live_bar(logger, ENVIRONMENT | changes) as bar:
            assert bar is None
        assert not takes_bar(ENVIRONMENT | changes)


def test_where_there_is_one(terminal, monkeypatch):
    assert not takes_bar(ENVIRONMENT), "the tests' standard error is no terminal"
    assert clear_line() == ""
    with stderr_at(terminal, monkeypatch):
        assert takes_bar(ENVIRONMENT)
        assert takes_bar(ENVIRONMENT | {"CI": "false"})
    with stderr_at(terminal, monkeypatch, level=logging.WARNING), live_bar(logger) as bar:
        assert bar is None, "who wants few lines wants no bar"
    with stderr_at(terminal, monkeypatch):
        monkeypatch.setattr(logging.root, "handlers", [logging.NullHandler()])
        with live_bar(logger) as bar:
            assert bar is None
    monkeypatch.setattr(sys, "stderr", None)
    assert not takes_bar(ENVIRONMENT)


@pytest.mark.slow
def test_rich_is_loaded_only_where_it_is_drawn():
    code = """
import atexit, sys
from target_mailing.__main__ import main
atexit.register(lambda: print("httpx" in sys.modules, "rich" in sys.modules))
main()
"""
    run = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("\nTrue False\n"), run.stdout


def test_a_pipe_is_left_to_the_next_program(monkeypatch, tmp_path):
    readable, writable = os.pipe()
    os.close(readable)
    for descriptor, expected in ((writable, True), (os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY), False)):
        with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123
            monkeypatch.setattr(sys, "stdout", stream)
            assert is_piped() is expected
    monkeypatch.setattr(sys, "stdout", None)
    assert not is_piped()


def test_a_clock():
    assert [clock_of(seconds) for seconds in (0.9, 65, 3600 * 2 + 5)] == ["0:00", "1:05", "2:00:05"]


def test_a_terminal_of_the_tests_takes_no_other_sequence():
    assert shown("ab\rc\x1b[2Kd\r\n\x1b[31me", 80) == [" d", "e"]
    with pytest.raises(AssertionError):
        shown("\x1b[?25l", 80)
