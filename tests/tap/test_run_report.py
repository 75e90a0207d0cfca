"""What the tap says while it reads, and at its end."""

from __future__ import annotations

import json
import logging

import pytest
from singer_sdk.logging import StructuredFormatter

from mailing_sandbox.server import Sandbox
from tap_mailing.progress import Progress, StreamCount
from tests.tap.conftest import run_tap

PEOPLE = [{"email": f"canary{number}@example.com", "name": "Canary"} for number in range(25)]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        sandbox.mailjet.add_contacts(PEOPLE)
        yield sandbox


@pytest.fixture
def config(sandbox):
    return {
        "mailjet_api_key": sandbox.api_key,
        "mailjet_secret_key": sandbox.secret_key,
        "mailjet_base_url": sandbox.url,
    }


def lines_of(caplog):
    lines = [record.getMessage() for record in caplog.records if record.name == "tap-mailing"]
    return lines[lines.index("Rows read:") :]


def test_the_end_is_a_table_of_rows_by_stream_of_how_many_and_of_calls(sandbox, config, caplog):
    caplog.set_level(logging.INFO)
    sandbox.faults.add(method="GET", path="*/contact", kind="status", status=503, times=1)
    before = sandbox.counters.total_calls
    run = run_tap(config, "mailjet_contacts", "mailjet_mailing_lists")
    lists = len(run.ids("mailjet_mailing_lists"))
    calls = sandbox.counters.total_calls - before
    lines = lines_of(caplog)
    table = dict(line.strip().split("  ", 1) for line in lines if line.startswith("  "))
    assert {words: value.strip() for words, value in table.items()} == {
        "mailjet_contacts": "25 of 25",
        "mailjet_mailing_lists": str(lists),
        "calls": str(calls),
        "of these retries": "1",
    }
    assert max(map(len, lines)) <= 80
    assert lines[-2].startswith("The run took ")
    assert lines[-1] == f"{25 + lists} rows of 2 streams read"


def test_fields_and_metrics_have_the_same_numbers(config, caplog):
    caplog.set_level(logging.INFO)
    run_tap(config, "mailjet_contacts")
    (record,) = [one for one in caplog.records if hasattr(one, "calls")]
    fields = json.loads(StructuredFormatter().format(record))["extra"]
    assert fields["streams"] == [{"stream": "mailjet_contacts", "rows": 25, "total": 25, "whole": True}]
    calls = fields["calls"]["mailjet"]
    assert calls["calls"] > 0
    assert fields["seconds"] > 0
    metrics = [one.args[0].to_dict() for one in caplog.records if one.name == "singer_sdk.metrics"]
    assert [one["value"] for one in metrics if one["metric"] == "http_request_count"] == [calls["calls"]]
    assert [one["value"] for one in metrics if one["metric"] == "record_count"] == [25]


def test_a_stream_that_fails_is_told_apart(sandbox, config, caplog):
    caplog.set_level(logging.INFO)
    sandbox.faults.add(method="GET", path="*/contact", kind="status", status=400, times=None)
    try:
        run = run_tap(config, "mailjet_contacts", "mailjet_mailing_lists")
    finally:
        sandbox.faults.clear()
    assert run.error is not None
    (line,) = [line for line in lines_of(caplog) if line.startswith("  mailjet_contacts ")]
    assert line.endswith("0, not complete")


def test_p7_nobody_is_in_what_the_tap_says(config, caplog, monkeypatch, capfd):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("tap_mailing.progress._EVERY", 0.0)
    run_tap(config, "mailjet_contacts", "mailjet_mailing_lists")
    said = "".join(StructuredFormatter().format(record) for record in caplog.records) + "".join(capfd.readouterr())
    assert "After 0." in said
    for secret in ("canary", config["mailjet_api_key"], config["mailjet_secret_key"]):
        assert secret not in said.lower()


class Listing:
    size: int | None = 40_000


def test_a_line_comes_every_thirty_seconds(caplog):
    caplog.set_level(logging.INFO)
    now = 1000.0
    counts = {"one": StreamCount(), "other": StreamCount()}
    progress = Progress(counts, clock=lambda: now)
    counts["one"].is_over, counts["one"].written = True, 5
    counts["other"].listing = Listing()
    for seconds in (0, 29.9, 30, 59, 60):
        now = 1000.0 + seconds
        counts["other"].written = int(seconds) * 100
        progress.turn("other")
    assert [record.getMessage() for record in caplog.records] == [
        "After 30 s: 3005 rows read, 1 of 2 streams done; other: 3,000 of 40,000",
        "After 1 min: 6005 rows read, 1 of 2 streams done; other: 6,000 of 40,000",
    ]


def test_a_total_that_is_less_than_what_was_read_is_none():
    count = StreamCount()
    assert (str(count), count.total) == ("0", None)
    count.listing, count.written = Listing(), 40_001
    assert str(count) == "40,001"


def test_postgrid_and_mpdx_tell_how_many_rows_there_are(caplog):
    caplog.set_level(logging.INFO)
    with Sandbox(job_seconds=0.0) as sandbox:
        sandbox.postgrid.seed(7)
        sandbox.mpdx.seed(4)
        config = {"postgrid_api_key": sandbox.postgrid.test_key, "postgrid_base_url": sandbox.url}
        config |= {"mpdx_token": sandbox.mpdx.token(), "mpdx_base_url": sandbox.url}
        run_tap(config, "postgrid_contacts", "mpdx_contacts")
    read = [line.split("  ")[-1].strip() for line in lines_of(caplog) if line.startswith(("  postgrid_", "  mpdx_"))]
    assert read == ["4 of 4", "7 of 7"]
