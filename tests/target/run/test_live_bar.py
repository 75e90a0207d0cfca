"""The bar of a run at a terminal: with its log, with a tap at the same terminal, and after signals and kills."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from subprocess import DEVNULL, PIPE
from types import SimpleNamespace

import msgspec
import pytest

from target_mailing.run.progress import Progress, texts_of
from tests.fork_server import FORKS
from tests.target.command.test_command import Command, lines
from tests.target.conftest import people, schema, state
from tests.target.run.test_progress import BEGIN, Clock
from tests.terminal import Terminal

WHOLE = msgspec.structs.replace(BEGIN, read=12_000, delivered=8_000, ended=8_150, sent=3_800, jobs=4, is_whole=True)


def environment(**changes):
    """Of a program at a terminal that is not of a CI service."""
    base = {name: value for name, value in os.environ.items() if name not in {"CI", "NO_COLOR", "COLUMNS"}}
    return base | {"TERM": "xterm-256color", "TARGET_MAILING_LOGLEVEL": "INFO"} | changes


@contextmanager
def under_way(mailjet, terminal, *, output=PIPE, variables=None, **config):
    """A run at a terminal with a job that does not end, and with rows of many people behind it."""
    held = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*managemanycontacts/*", times=None)
    command = ["--config", str(Command(mailjet, batch_rows=20, jobs_in_flight=1, **config).config)]
    options = {"env": environment(**(variables or {})), "stdin": PIPE, "stdout": output, "stderr": terminal.theirs}
    with FORKS.start("target_mailing", *command, **options) as process:
        process.stdin.write(lines([schema(), *people(range(30)), state(1)]))
        process.stdin.close()
        held.wait_until_held()
        try:
            yield process, held
        finally:
            held.release()
            mailjet.sandbox.faults.clear()
            process.wait(10)


def test_a_narrow_terminal_is_told_less():
    assert texts_of(WHOLE, seconds=90, pace=192.5)[1:] == [
        "1:30  8,150 of 12,000, 3,850 waiting (3,800 in 4 jobs), about 20 s to go",
        "1:30  8,150 of 12,000, 3,850 waiting (4 jobs), about 20 s to go",
        "1:30  8,150 of 12,000, 3,850 waiting, about 20 s to go",
        "1:30  8,150 of 12,000, 20 s to go",
        "1:30  8,150 of 12,000",
    ]


@pytest.mark.parametrize(("ended", "sent", "jobs"), [(102_498, 40_000, 4), (1_502_498, 100_000, 12)])
def test_rows_that_wait_are_told_in_80_columns_however_many(ended, sent, jobs):
    standing = msgspec.structs.replace(WHOLE, read=2_300_000, ended=ended, sent=sent, jobs=jobs)
    texts = texts_of(standing, seconds=9000, pace=100.0)
    shown = next(text for text in texts if len(text) + 7 <= 79)  # the first that leaves room for the chart
    assert f"{standing.read - ended:,} waiting" in shown
    assert " to go" in shown


def test_while_rows_are_read_nobody_knows_the_time_to_go():
    standing = msgspec.structs.replace(WHOLE, is_whole=False, jobs=0, sent=0)
    assert texts_of(standing, seconds=5, pace=100.0)[1] == "0:05  8,150 of 12,000 so far, 3,850 waiting"
    away = msgspec.structs.replace(WHOLE, is_unreachable=True)
    assert texts_of(away, seconds=5, pace=100.0)[1].endswith("(3,800 in 4 jobs), the provider does not answer")


def test_the_pace_leaves_out_the_time_in_which_the_provider_was_away(monkeypatch):
    clock, seen = Clock(), []
    bar = SimpleNamespace(
        draw=lambda share, texts: seen.append((round(share, 3), texts[0])), is_in_background=lambda: False
    )
    ended, is_away = 0, False
    progress = Progress(
        lambda: msgspec.structs.replace(WHOLE, ended=ended, delivered=ended, is_unreachable=is_away), clock=clock
    )
    progress.bar = bar
    for second in range(100):
        clock.now, is_away = 1000.0 + second, 20 <= second < 90
        ended += 0 if is_away else 100
        progress.turn()
    assert "about 1 min 39 s to go" in seen[10][1]
    assert seen[50][1].endswith("the provider does not answer")
    assert "about 1 min 30 s to go" in seen[-1][1]


@pytest.mark.parametrize("is_behind", [True, False])
def test_in_the_background_there_are_lines(caplog, is_behind):
    caplog.set_level("INFO")
    clock = Clock()
    progress = Progress(lambda: WHOLE, clock=clock)
    progress.bar = SimpleNamespace(draw=lambda *_: None, is_in_background=lambda: is_behind)
    for second in range(70):
        clock.now = 1000.0 + second
        progress.turn()
    assert len(caplog.records) == 2 * is_behind


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 40])
def test_p7_a_run_at_a_terminal_has_a_bar_below_its_log(mailjet, columns):
    with Terminal(columns) as terminal:
        with under_way(mailjet, terminal, output=terminal.theirs) as (process, held):
            line = terminal.until("0 of 30")
            assert len(line) < columns
            assert ("waiting (20 in 1 job)" in line) == (columns == 80)
            held.release()
            assert process.wait(10) == 0
        terminal.close()
        text = "\n".join(terminal.lines)
        assert '\n{"number": 1}\n' in text, "STATE has lines of its own"
        assert terminal.last == ""
        assert " of 30" not in text, "nothing is left of the bar"
        for secret in ("person", "example.com", mailjet.sandbox.secret_key, mailjet.sandbox.api_key):
            assert secret not in terminal.output
        if columns == 80:
            begins = [one[:2] for one in terminal.lines]
            assert begins.count("20") >= 8, "each line of the log begins at the left"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "config"),
    [({"TERM": "dumb"}, {}), ({"CI": "true"}, {}), ({}, {"progress": "line"}), ({}, {"progress": "off"})],
)
def test_where_a_run_at_a_terminal_has_no_bar(mailjet, variables, config):
    with Terminal() as terminal:
        with under_way(mailjet, terminal, variables=variables, **config) as (process, held):
            held.release()
            assert process.wait(10) == 0
        terminal.close()
        assert " of 30" not in terminal.output
        assert ("\x1b" in terminal.output) == (not variables), "a table clears a bar that may be there"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_a_clean_terminal(mailjet, number):
    with Terminal() as terminal:
        with under_way(mailjet, terminal) as (process, _):
            terminal.until("0 of 30")
            process.send_signal(number)
            assert process.wait(10) == (-number if number == signal.SIGKILL else 128 + number)
        terminal.close()
        if number == signal.SIGKILL:
            assert terminal.output.endswith("\r"), "what comes next takes the place of the bar"
        else:
            assert terminal.last == ""
            assert "0 of 30" not in "\n".join(terminal.lines)


@pytest.mark.slow
def test_a_tap_and_a_target_at_one_terminal_have_one_bar(mailjet):
    mailjet.sandbox.mailjet.seed(50)
    settings = {name: mailjet.config[name] for name in ("mailjet_api_key", "mailjet_secret_key", "mailjet_base_url")}
    (config := mailjet.folder / "tap.json").write_text(json.dumps(settings))
    slow = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*/listrecipient*", times=1)
    with Terminal() as terminal:
        env = environment()
        readable, writable = os.pipe()
        tap = ["tap_mailing", "--config", str(config)]
        target = ["target_mailing", "--config", str(Command(mailjet, on_unknown_stream="skip", properties=None).config)]
        with (
            FORKS.start(*tap, env=env, stdin=DEVNULL, stdout=writable, stderr=terminal.theirs) as first,
            FORKS.start(*target, env=env, stdin=readable, stdout=DEVNULL, stderr=terminal.theirs) as second,
        ):
            os.close(writable)
            os.close(readable)
            slow.wait_until_held()
            terminal.until("so far")
            slow.release()
            assert (first.wait(20), second.wait(20)) == (0, 0)
        terminal.close()
        assert "streams done" not in terminal.output, "the tap leaves the bar to the target"
        whole = [line for line in terminal.lines if "so far" in line]
        assert whole == [], "no line of the log stands behind a bar"


@pytest.mark.slow
@pytest.mark.parametrize("number", [None, signal.SIGINT])
def test_a_tap_alone_has_a_bar(mailjet, number):
    mailjet.sandbox.mailjet.seed(50)
    settings = {name: mailjet.config[name] for name in ("mailjet_api_key", "mailjet_secret_key", "mailjet_base_url")}
    (config := mailjet.folder / "tap.json").write_text(json.dumps(settings))
    slow = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*/listrecipient*", times=1)
    with Terminal() as terminal:
        command = ["tap_mailing", "--config", str(config)]
        with FORKS.start(*command, env=environment(), stdin=DEVNULL, stdout=DEVNULL, stderr=terminal.theirs) as tap:
            slow.wait_until_held()
            assert "mailjet_" in terminal.until(" streams done")
            if number is not None:
                tap.send_signal(number)
            else:
                slow.release()
            assert tap.wait(20) == (130 if number else 0)
            slow.release()
        terminal.close()
        assert "streams done" not in "\n".join(terminal.lines)
        assert "@" not in terminal.output
