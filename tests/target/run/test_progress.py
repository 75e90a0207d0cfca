"""The line that tells how far a run is."""

from __future__ import annotations

import logging

import msgspec
import pytest

from target_mailing.delivery.engine import Delivery
from target_mailing.run.progress import Progress, Standing, sentence_of
from tests.target.conftest import people, schema, state

BEGIN = Standing(read=1200, delivered=500, ended=700, sent=300, jobs=2, is_whole=False)


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {},
            "1200 rows read so far, 500 delivered, 200 ended otherwise, 500 waiting (300 sent, 2 jobs under way)",
        ),
        ({"jobs": 0}, "1200 rows read so far, 500 delivered, 200 ended otherwise, 500 waiting"),
        (
            {"is_whole": True, "jobs": 1},
            (
                "1200 rows read, 500 delivered, 200 ended otherwise, 500 waiting (300 sent, 1 job under way), "
                "about 1 min 40 s to go at this pace"
            ),
        ),
        (
            {"is_whole": True, "read": 1, "delivered": 1, "ended": 1, "jobs": 0},
            "1 row read, 1 delivered, 0 ended otherwise, 0 waiting",
        ),
    ],
)
def test_how_far_it_is(changes, sentence):
    standing = msgspec.structs.replace(BEGIN, **changes)
    assert sentence_of(standing, seconds=90, pace=5.0) == f"After 1 min 30 s: {sentence}"


def test_without_a_pace_nobody_knows_how_long_it_takes():
    standing = msgspec.structs.replace(BEGIN, is_whole=True)
    assert "to go" not in sentence_of(standing, seconds=90, pace=0.0)


def test_rows_that_end_before_anything_is_delivered_say_nothing_about_the_time_to_go():
    standing = msgspec.structs.replace(BEGIN, is_whole=True, read=40, delivered=0, ended=2)
    assert "to go" not in sentence_of(standing, seconds=30, pace=2 / 30)


def test_a_line_comes_every_thirty_seconds_and_tells_the_time_to_go_at_the_latest_pace(caplog):
    caplog.set_level(logging.INFO)
    clock, ended = Clock(), 0
    whole = msgspec.structs.replace(BEGIN, is_whole=True, read=10_000)
    progress = Progress(
        lambda: msgspec.structs.replace(whole, ended=ended, delivered=ended), prefix="Plan: ", clock=clock
    )
    for seconds in (0, 29.9, 30, 59.9, 60, 61):
        clock.now, ended = 1000.0 + seconds, int(seconds * 10)
        progress.turn()
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] for line in lines] == ["Plan", "Plan"]
    assert "After 30 s" in lines[0]
    assert "After 1 min" in lines[1]
    assert lines[1].endswith("about 15 min 40 s to go at this pace")
    fields = [record.progress for record in caplog.records]
    assert fields[1] == {**msgspec.structs.asdict(whole), "ended": 600, "delivered": 600, "seconds": 60.0}


def test_a_run_tells_what_it_has_read_sent_and_delivered(mailjet, monkeypatch):
    monkeypatch.setattr("target_mailing.run.progress._EVERY", 0.0)
    result = mailjet.deliver([schema(), *people(range(20)), state(1)], batch_rows=10)
    lines = [line for line in result.log.splitlines() if line.startswith("After ")]
    assert any("20 rows read, 20 delivered, 0 ended otherwise, 0 waiting" in line for line in lines)
    assert any("sent," in line and "under way" in line for line in lines)
    assert "person" not in "".join(lines)


def test_jobs_under_way_are_those_at_the_provider(mailjet, monkeypatch):
    seen = []
    pump = Delivery.pump

    def look(delivery):
        pump(delivery)
        seen.append(delivery.in_jobs())

    monkeypatch.setattr(Delivery, "pump", look)
    mailjet.deliver([schema(), *people(range(20)), state(1)], batch_rows=10)
    assert any(jobs and 0 < rows <= 20 for jobs, rows in seen)
    assert (seen[0], seen[-1]) == ((0, 0), (0, 0))
