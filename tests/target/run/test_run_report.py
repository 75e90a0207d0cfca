"""What is said at the end of a run: a table, fields, metrics."""

from __future__ import annotations

import io
import json
import logging
import re
from types import SimpleNamespace

import pytest
from singer_sdk.logging import StructuredFormatter
from singer_sdk.metrics import Point

from mailing_api.process.table import Section, show, table
from target_mailing.delivery.tally import Tally
from target_mailing.rows.outcome import Outcome
from target_mailing.run.run_report import rows_of
from tests.target.conftest import people, person, schema, state

OTHERS = [person(number, stream="others") for number in range(40, 50)]
ROWS = [schema(), schema("others"), *people(range(30)), person(3, name="Again"), *OTHERS, person(31, email="nobody")]


def lines_of(log):
    """The lines of the table."""
    found = log.splitlines()
    begin = next(at for at, line in enumerate(found) if line.startswith("people to "))
    return found[begin : next(at for at, line in enumerate(found) if line.startswith("The run took"))]


def numbers(lines):
    """By section, what is counted."""
    sections, own = {}, {}
    for line in lines:
        if line.startswith("  "):
            words, _, value = line.strip().rpartition("  ")
            own[words.strip()] = value
        else:
            own = sections.setdefault(line.rstrip(":"), {})
    return sections


def test_p4_a_table_accounts_for_every_row_by_stream_and_list(mailjet):
    result = mailjet.deliver([*ROWS, state(1)])
    sections = numbers(lines_of(result.log))
    assert sections["people to Spring readers"] == {
        "added or updated": "30",
        "superseded by a later row": "1",
        "rejected: bad_address": "1",
        "rows": "32",
    }
    assert sections["others to Spring readers"] == {"added or updated": "10", "rows": "10"}
    assert sections["All streams"]["rows"] == "42"
    for own in [*sections.values()][:3]:
        *parts, whole = map(int, own.values())
        assert sum(parts) == whole
    assert sections["Jobs at Spring readers"]["jobs that have ended"] == "1"
    assert int(sections["Calls to Mailjet"]["calls"]) == mailjet.sandbox.counters.total_calls
    assert max(map(len, lines_of(result.log))) <= 80
    # The sentence stays behind it, for whoever reads the end of the log.
    assert result.log.index("The run took") < result.log.index("42 rows: 40 delivered")


def test_one_stream_has_no_table_of_all_streams_but_who_left_besides(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    moved = person(0, email="moved@example.com")
    result = mailjet.deliver([schema(), moved, person(1), state(2)])
    sections = numbers(lines_of(result.log))
    assert "All streams" not in sections
    assert sections["people to Spring readers"] == {"added or updated": "1", "unchanged": "1", "rows": "2"}
    assert sections["Not among the rows"] == {"former addresses removed": "1"}


def test_only_the_most_frequent_reasons_are_named():
    tally = Tally()
    for number in range(1, 8):
        tally.count(number, Outcome.REJECTED, f"code_{number}")
    tally.count(5, Outcome.SKIPPED, None)
    tally.count(2, Outcome.SKIPPED, "no_address")
    assert [*rows_of(tally)] == [
        ("skipped: no_address", "2"),
        ("skipped: other reasons", "5"),
        *((f"rejected: code_{number}", str(number)) for number in (7, 6, 5, 4, 3)),
        ("rejected: other reasons", "3"),
        ("rows", "35"),
    ]


def test_retries_and_waits_are_in_the_table_and_the_fields(mailjet, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.06)
    mailjet.sandbox.faults.add(method="GET", path="*/contactmetadata", kind="status", status=503, times=1)
    mailjet.sandbox.faults.add(method="POST", path="*/managemanycontacts", kind="status", status=429, times=1)
    result = mailjet.deliver([schema(), *people(range(3)), state(1)])
    sections = numbers(lines_of(result.log))
    calls = sections["Calls to Mailjet"]
    assert (calls["of these retries"], calls["refused as too many (429)"]) == ("2", "1")
    (record,) = [one for one in caplog.records if hasattr(one, "calls")]
    fields = json.loads(StructuredFormatter().format(record))["extra"]
    assert fields["calls"]["calls"] == mailjet.sandbox.counters.total_calls
    assert (fields["calls"]["retries"], fields["calls"]["throttled"]) == (2, 1)
    assert fields["calls"]["seconds_waited"] > 0.06
    assert calls["waited for turns and retries"].endswith(" s")
    (stream,) = fields["streams"]
    assert (stream["stream"], stream["lists"], stream["rows"]) == ("people", ["Spring readers"], 3)
    assert stream["effects"] == {"added_or_updated": 3}
    assert [one["ended"] for one in fields["jobs"].values()] == [1]
    measured = {one["metric"]: one["value"] for one in points(caplog.records)}
    assert measured["http_retry_count"] == 2
    assert measured["http_wait_duration"] == pytest.approx(fields["calls"]["seconds_waited"], abs=0.002)
    assert fields["seconds"] > 0


def points(records):
    return [one.args[0].to_dict() for one in records if one.args and isinstance(one.args, tuple) and is_point(one)]


def is_point(record):
    return isinstance(record.args[0], Point)


def test_metrics_have_the_same_numbers(mailjet, caplog):
    caplog.set_level(logging.INFO)
    mailjet.deliver([*ROWS, state(1)])
    found = points(caplog.records)
    rows = [one for one in found if one["metric"] == "record_count"]
    assert {
        (one["tags"]["stream"], one["tags"]["outcome"], one["tags"].get("effect")): one["value"] for one in rows
    } == {
        ("people", "delivered", "added_or_updated"): 30,
        ("people", "superseded", None): 1,
        ("people", "rejected", None): 1,
        ("others", "delivered", "added_or_updated"): 10,
    }
    calls = [one["value"] for one in found if one["metric"] == "http_request_count"]
    assert sum(calls) == mailjet.sandbox.counters.total_calls
    (job,) = [one for one in found if one["metric"] == "job_duration"]
    assert (job["type"], job["tags"]["job_type"]) == ("timer", "addnoforce")
    (whole,) = [one for one in found if one["metric"] == "sync_duration"]
    assert whole["tags"]["status"] == "succeeded"
    assert "http_retry_count" not in {one["metric"] for one in found}


def test_a_run_that_fails_has_its_table_too(mailjet, caplog):
    caplog.set_level(logging.INFO)
    result = mailjet.deliver([schema(), *people(range(3)), *[person(9, email="nobody")] * 3, state(1)], max_rejected=1)
    assert result.error is not None
    sections = numbers(lines_of(result.log))
    own = sections["people to Spring readers"]
    assert own["rejected: bad_address"] == "3"
    assert own["rows"] == "6"  # as many as were read, whether or not they came to an end
    *parts, whole = map(int, own.values())
    assert sum(parts) == whole
    assert "6 rows: " in result.log
    (whole,) = [one for one in points(caplog.records) if one["metric"] == "sync_duration"]
    assert whole["tags"]["status"] == "failed"


def test_p4_rows_that_were_not_delivered_before_the_end_are_without_an_outcome(mailjet):
    mailjet.sandbox.faults.add(method="POST", path="*/managemanycontacts", kind="status", status=401, times=None)
    result = mailjet.deliver([*ROWS, state(1)])
    assert result.error is not None
    sections = numbers(lines_of(result.log))
    assert sections["people to Spring readers"] == {
        "rejected: bad_address": "1",
        "without an outcome": "31",
        "rows": "32",
    }
    assert sections["others"] == {"without an outcome": "10"}
    assert sections["All streams"]["without an outcome"] == "41"
    assert sections["All streams"]["rows"] == "42"
    assert result.outcomes["rows_without_outcome"] == 41
    assert "42 rows: 1 rejected (bad_address), 41 without an outcome" in result.log


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_somebody_at_a_terminal_reads_it_without_a_prefix_unless_the_level_hides_it(
    mailjet, monkeypatch, caplog, level
):
    caplog.set_level(logging.DEBUG)
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr("mailing_api.process.table.sys", SimpleNamespace(stderr=shown))
    monkeypatch.setattr(logging.getLogger("target-mailing"), "level", level)
    logging.getLogger("target-mailing").manager._clear_cache()
    result = mailjet.deliver([*ROWS, state(1)])
    lines = shown.getvalue().splitlines()
    assert "The run took" not in result.log
    assert max(map(len, lines), default=0) <= 80
    assert ("  rows" in shown.getvalue()) is (level == logging.INFO)
    of_metrics = [record for record in caplog.records if record.getMessage().startswith("METRIC: ")]
    assert {record.levelno for record in of_metrics} == {logging.DEBUG}


def test_a_plan_has_its_own_table_alone(mailjet):
    log = mailjet.deliver([*ROWS, state(1)], mode="plan").log
    assert "The run took" not in log
    assert "METRIC" not in log


def test_p7_nobody_is_in_table_fields_metrics_and_progress(mailjet, monkeypatch, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("target_mailing.run.progress._EVERY", 0.0)
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr("mailing_api.process.table.sys", SimpleNamespace(stderr=shown))
    rows = [person(n, email=f"canary{n}@example.com", name="Canary", city="Canaryville") for n in range(6)]
    result = mailjet.deliver([schema(), *rows, person(9, email="canary"), state(1)])
    assert "After " in result.log
    assert "people to Spring readers" in shown.getvalue()
    everything = "".join([shown.getvalue(), *capfd.readouterr()])
    everything += "".join(StructuredFormatter().format(record) for record in caplog.records)
    for secret in ("canary", mailjet.sandbox.secret_key, mailjet.sandbox.api_key):
        assert not re.search(secret, everything, re.IGNORECASE)


def test_p7_a_stream_that_is_named_by_an_address_is_not_named_at_a_terminal(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr("mailing_api.process.table.sys", SimpleNamespace(stderr=shown))
    show(["canary@example.com to a list:", "  rows  1"], logging.getLogger("mailing_api"))
    assert shown.getvalue() == "<address> to a list:\n  rows  1\n"


def test_values_stand_in_one_column_and_empty_sections_are_left_out():
    lines = [
        *table([Section("One", [("a", "1"), ("longer", "1,000")]), Section("None", []), Section("Two", [("b", "2")])])
    ]
    assert lines == ["One:", "  a           1", "  longer  1,000", "Two:", "  b           2"]
