"""The report of a run: its numbers, its place, and that it is never worth a run; see also `tests.reports`."""

from __future__ import annotations

import logging
import os
import re
import signal
from contextlib import closing
from pathlib import Path

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.journal.journal import Journal, JournalError
from target_mailing.journal.stores import FileStore
from target_mailing.report import page as page_module
from target_mailing.report.codes import CODES
from target_mailing.target import TargetMailing
from tests.history import files_of, read_history
from tests.reports import check_report, read_page
from tests.target.command.test_command import Command, lines
from tests.target.conftest import LIST, people, person, schema, state

ROOT = Path(__file__).parents[3]
ROWS = [schema(), schema("others"), *people(range(30)), person(31, email="nobody"), person(3, name="Again")]
ROWS += [person(40, stream="others"), person(41, stream="others", subscription_status="excluded")]


@pytest.fixture
def report(mailjet):
    """Runs with a report; returns the run's result and its page."""

    def run(messages, **config):
        path = mailjet.folder / "report.html"
        page = mailjet.folder / ("report-plan.html" if config.get("mode") == "plan" else "report.html")
        page.unlink(missing_ok=True)
        result = mailjet.deliver(messages, report_path=str(path), **config)
        return result, check_report(page, result.outcomes)

    return run


def test_p4_the_page_accounts_for_every_row_by_stream_and_list(report, mailjet):
    result, page = report([*ROWS, state(1)])
    assert page.table("people to Spring readers") == [
        ["added or updated", "30"],
        ["superseded by a later row", "1"],
        ["rejected: bad_address", "1"],
        ["all rows", "32"],
    ]
    assert page.table("others to Spring readers")[-1] == ["all rows", "2"]
    assert page.table("All streams")[-1] == ["all rows", "34"]
    assert f"Delivery to {LIST}" in page.text
    assert "completed" in page.text
    assert page.tiles["calls"] == str(mailjet.sandbox.counters.total_calls)
    codes = {row[0]: row for row in page.table("Reasons")}
    assert codes["bad_address"][1:] == ["rejected", "1", *CODES["bad_address"]]
    assert codes["excluded"][1:3] == ["withheld", "1"]
    assert f"Report: {mailjet.folder / 'report.html'}" in result.log


def test_jobs_and_files_are_those_of_the_history(report, mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["person2@example.com"]}])
    before = files_of(mailjet.folder)
    _, page = report([schema(), *people(range(9)), state(1)], batch_rows=4, route="json")
    (path,) = files_of(mailjet.folder) - before
    jobs = read_history(path)["mailing_jobs"]
    shown = {row[0]: row for row in page.table("Jobs")}
    assert {job["job_id"] for job in jobs} == shown.keys()
    assert page.tiles["jobs"] == str(len(jobs))
    for job in jobs:
        _, status, _, rows, refused, *_, places, action = shown[job["job_id"]]
        assert (places, action, int(rows), int(refused)) == (LIST, "addnoforce", job["row_count"], job["refused"])
        assert status.startswith(job["status"])
    assert sum(int(row[4]) for row in shown.values()) == 1
    assert "Over time" in page.text
    (drawn,) = re.findall(r'<path class="read" d="M0 ([^"]+)H1000"', page.source)
    heights = [float(height) for height in re.findall(r"(?:^|V)([\d.]+)", drawn)]
    assert heights[0] > heights[-1]  # it rises: an SVG counts from its upper edge
    assert read_history(path)["mailing_runs"][0]["run_id"] in page.text
    links = {(mailjet.folder / link).resolve() for link in page.links}
    assert path.resolve() in links
    assert {one.resolve() for one in mailjet.folder.glob("rejects/*")} <= links


def test_jobs_are_known_without_a_history_too(report):
    _, page = report([schema(), *people(range(9)), state(1)], batch_rows=4, history_path="off")
    assert int(page.tiles["jobs"]) == len(page.table("Jobs")) == 3
    assert page.links == []


def test_a_folder_gets_a_page_for_each_run_named_as_its_history(mailjet):
    folder = mailjet.folder / "reports"
    for number in (1, 2):
        mailjet.deliver([schema(), person(number), state(1)], report_path=str(folder))
    names = {path.stem.removeprefix("history-") for path in files_of(mailjet.folder)}
    assert {path.name for path in folder.iterdir()} == {
        f"report-{name}.{end}" for name in names for end in ("html", "md")
    }


@pytest.mark.slow
def test_old_reports_in_a_folder_are_deleted_if_a_setting_says_so_and_nothing_else_is(mailjet):
    folder = mailjet.folder / "reports"
    mailjet.deliver([schema(), state(1)], report_path=str(folder))
    mailjet.deliver([schema(), state(1)], report_path=str(folder), mode="plan")
    old = {*folder.iterdir()}
    others = {folder / "report-mine.html", folder / "report.html", *(one.with_stem(f"{one.stem}-old") for one in old)}
    for path in (*old, *others):
        path.touch()
        os.utime(path, (0, 0))
    for keep, left in ((None, old), ("P40000D", old), ("P30D", set())):
        assert mailjet.deliver([schema(), state(1)], report_path=str(folder), report_keep=keep).error is None
        assert {*folder.iterdir()} >= others
        assert {*folder.iterdir()} & old == left
    assert len({*folder.iterdir()} - others) == 6
    with pytest.raises(ConfigurationError, match="report_keep"):
        TargetMailing(config=mailjet.settings(report_path=str(folder), report_keep="P-1D")).check()
    assert "report_keep" in str(mailjet.deliver([state(1)], report_path=str(folder), report_keep=0).error)
    page = folder / "report.html"
    page.unlink()
    mailjet.deliver([schema(), state(1)], report_path=str(page), report_keep="P30D")
    assert {*folder.iterdir()} >= others


def test_a_file_is_replaced_but_no_other_file_is(mailjet):
    path = mailjet.folder / "mine.html"
    for count in (1, 2):
        mailjet.deliver([schema(), *people(range(count)), state(1)], report_path=str(path))
        assert read_page(path).tiles["rows"] == str(count)
    for other in (path, path.with_suffix(".md")):
        content = other.read_bytes()
        other.write_text("precious")
        result = mailjet.deliver([schema(), person(9), state(1)], report_path=str(path.with_suffix(".md")))
        assert isinstance(result.error, ConfigurationError)
        assert f"{other} is there and is no report" in str(result.error)
        assert other.read_text() == "precious"
        other.write_bytes(content)
    assert len(mailjet.members()) == 2


def test_a_run_that_fails_has_a_page_that_says_why(report, mailjet):
    mailjet.sandbox.faults.add(method="POST", path="*/managemanycontacts", kind="status", status=401, times=None)
    result, page = report([*ROWS, state(1)])
    assert result.error is not None
    assert str(result.error) in " ".join(page.text.split())
    assert page.tiles["without an outcome"] == "32"
    assert "failed" in page.text


def test_a_run_that_fails_before_it_reads_replaces_the_page_of_an_earlier_run(report, mailjet):
    report([schema(), person(1), state(1)])
    (mailjet.folder / "journal.sqlite").write_text("something else entirely")
    result, page = report([schema(), person(1), state(1)])
    assert isinstance(result.error, JournalError)
    assert str(result.error) in " ".join(page.text.split())
    assert page.tiles["rows"] == "0"
    assert f"Delivery to {LIST}" in page.text


def test_a_run_that_does_not_begin_leaves_the_page_of_an_earlier_run(mailjet):
    path = mailjet.folder / "report.html"
    place = {"report_path": str(path)}
    mailjet.deliver([schema(), person(1), person(2, email="nobody"), state(1)], **place)
    before = path.read_bytes(), path.with_suffix(".md").read_bytes()
    result = mailjet.retry(codes=["bad_adress"], **place)
    assert isinstance(result.error, ConfigurationError)
    result = mailjet.deliver([schema(), person(1), state(1)], journal_hash_key="x", **place)
    assert isinstance(result.error, ConfigurationError | JournalError)
    with closing(Journal(FileStore(mailjet.folder / "journal.sqlite"))):
        result = mailjet.deliver([schema(), person(1), state(1)], **place)
    assert isinstance(result.error, JournalError)
    assert (path.read_bytes(), path.with_suffix(".md").read_bytes()) == before


def test_a_plan_has_a_page_of_its_own_beside_that_of_a_delivery(mailjet):
    path, folder = mailjet.folder / "report.html", mailjet.folder / "reports"
    mailjet.deliver([schema(), person(1), state(1)], report_path=str(path))
    before = path.read_bytes(), path.with_suffix(".md").read_bytes()
    result = mailjet.deliver([schema(), person(2), state(1)], report_path=str(path), mode="plan")
    assert f"Plan for {LIST}" in read_page(mailjet.folder / "report-plan.html").text
    assert "report-plan.html" in result.log
    assert (path.read_bytes(), path.with_suffix(".md").read_bytes()) == before
    mailjet.deliver([schema(), person(2), state(1)], report_path=str(folder), mode="plan")
    assert all(re.fullmatch(r"plan-.+\.(html|md)", one.name) for one in folder.iterdir())
    assert len([*folder.iterdir()]) == 2


def test_settings_other_than_the_defaults_are_shown_apart(report):
    _, page = report([schema(), person(1), state(1)], resend_window="PT36H", job_timeout=7200)
    (own, defaults) = (dict(rows[1:]) for (heading, _), rows in page.tables.items() if heading == "Settings")
    assert own.keys() & {"list", "resend_window", "job_timeout"} == {"list", "resend_window", "job_timeout"}
    assert (own["resend_window"], own["job_timeout"]) == ("PT36H", "2 h")
    assert not {"sync", "whole", "mirror_scope"} & own.keys()
    assert (defaults["sync"], defaults["job_abandon"]) == ("upsert", "2 days")


def test_removals_that_are_held_back_are_told(report):
    report([schema(), *people(range(30)), state(1)])
    gone = [person(number, _sdc_deleted_at="2026-01-01T00:00:00Z") for number in range(25)]
    result, page = report([schema(), *gone, person(29), state(2)], max_removals=20)
    assert result.error is not None
    held = dict(page.table(f"Removals held back: {LIST}"))
    assert held["contacts that would be removed"] == "25"
    assert held["most that may leave (max_removals)"] == "20"
    assert page.tiles["held back"] == "25"
    assert dict(page.table("Besides the rows")) == {"contacts not taken off, by max_removals": "25"}


def test_a_plan_has_a_report_that_says_so(report, mailjet):
    result, page = report([*ROWS, state(1)], mode="plan")
    assert f"Plan for {LIST}" in page.text
    assert page.tiles["jobs needed"] == "1"
    assert ("Jobs", 0) not in page.tables
    assert page.table("All streams")[-1] == ["all rows", "34"]
    assert not list(mailjet.folder.glob("history/*"))
    assert "Nothing was delivered" in (mailjet.folder / "report-plan.md").read_text()
    assert result.error is None


def test_a_reconciliation_says_that_it_has_none(mailjet):
    path = mailjet.folder / "report.html"
    result = mailjet.deliver([schema(), person(1), state(1)], mode="reconcile", report_path=str(path))
    assert "Setting `report_path`: a reconciliation has no report" in result.log
    assert not path.exists()


def test_an_empty_input_has_a_page(report):
    _, page = report([schema(), state(1)])
    assert page.tiles["rows"] == "0"
    assert "No row was read." in page.text


def test_the_markdown_has_the_same_numbers(report, mailjet):
    report([*ROWS, state(1)])
    text = (mailjet.folder / "report.md").read_text()
    assert f"# Delivery to {LIST}: completed" in text
    tables = re.split(r"^## ", text, flags=re.MULTILINE)
    (whole,) = [part for part in tables if part.startswith("All rows\n")]
    *parts, total = (int(number.replace(",", "")) for number in re.findall(r"\| ([\d,]+) \|$", whole, re.MULTILINE))
    assert sum(parts) == total == 34
    assert "| rejected | bad_address | 1 |" in text


HOSTILE = (
    "<script>alert(1)</script>\"' onload=x | `x` [a](http://b) \u202eabc \u0645\u0631\u062d \uff37\uff29\uff24\uff25"
)


def test_names_that_mean_something_in_html_or_markdown_are_only_text(report, mailjet):
    mailjet.sandbox.mailjet.add_list(HOSTILE[:60])
    _, page = report([schema(HOSTILE), person(1, stream=HOSTILE), state(1)], list=HOSTILE[:60])
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in page.source
    assert page.source.count("<script>") == 1
    text = (mailjet.folder / "report.md").read_text()
    assert "<script>" not in text.replace("\\<", "")
    assert "\\[a\\](http\\://b)" in text
    assert all(line.count("|") - line.count("\\|") in {0, 3, 4, 6, 7} for line in text.splitlines())


def test_p7_nobodys_data_and_no_secret_is_in_a_report(report, mailjet):
    columns = dict.fromkeys(("name", "city"), "canary")
    rows = [person(number, email=f"canary{number}@example.com", **columns) for number in range(4)]
    rows += [person(8, email="canary", subscription_status="canary"), person("canary@example.com"), person("canary")]
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["canary2@example.com"]}])
    for config in ({}, {"max_rejected": 0}, {"mode": "plan"}):
        settings = {
            "streams": {"canary@example.com": {"action": "addnoforce"}},
            "stream_maps": {"people": {"x": "'canary'"}},
        }
        report([schema(), *rows, state(1)], **settings, **config)
        for path in mailjet.folder.glob("report.*"):
            text = path.read_text()
            assert "canary" not in text
            assert mailjet.sandbox.secret_key not in text
            assert mailjet.sandbox.api_key not in text


@pytest.mark.parametrize("name", ["file/report.html", "file/reports", f"{'x' * 300}.html", "loop/report.html"])
def test_a_place_that_cannot_be_written_is_a_warning_and_the_run_is_not_failed(mailjet, caplog, name):
    (mailjet.folder / "file").touch()
    (mailjet.folder / "loop").symlink_to("loop")
    with caplog.at_level(logging.WARNING):
        result = mailjet.deliver([schema(), person(1), state(1)], report_path=str(mailjet.folder / name))
    assert (result.error, result.states, result.counts()) == (None, [1], {"delivered": 1})
    (warning,) = [line for line in caplog.messages if "report" in line]
    assert warning.startswith(f"Setting `report_path`: {mailjet.folder / name}")
    assert " cannot be written (" in warning


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_refused_at_once(mailjet, kind):
    path = mailjet.folder / "report.html"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    result = mailjet.deliver([schema(), person(1), state(1)], report_path=str(path))
    assert f"{path} is there and is no report" in str(result.error)


def test_a_suffix_is_known_in_any_letter_case(mailjet):
    mailjet.deliver([schema(), person(1), state(1)], report_path=str(mailjet.folder / "Run.HTML"))
    mailjet.deliver([schema(), person(1), state(1)], report_path=str(mailjet.folder / "Other.MD"))
    assert {path.name for path in mailjet.folder.glob("[RO]*")} == {"Run.HTML", "Run.md", "Other.MD", "Other.html"}


def test_a_full_disk_leaves_the_earlier_report_whole_and_no_other_file(mailjet, monkeypatch, caplog):
    folder = mailjet.folder / "reports"
    path = folder / "report.html"
    mailjet.deliver([schema(), person(1), state(1)], report_path=str(path))
    before = path.read_bytes(), path.with_suffix(".md").read_bytes()
    fsync = os.fdopen

    def full(descriptor, *args, **options):
        file = fsync(descriptor, *args, **options)
        if not Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(folder):
            return file
        return _Full(file)

    monkeypatch.setattr("mailing_api.storage.result_files.os.fdopen", full)
    with caplog.at_level(logging.WARNING):
        result = mailjet.deliver([schema(), *people(range(3)), state(1)], report_path=str(path))
    assert (result.error, result.states) == (None, [1])
    assert "No space left on device" in caplog.text
    assert (path.read_bytes(), path.with_suffix(".md").read_bytes()) == before
    assert {one.name for one in folder.iterdir()} == {"report.html", "report.md"}


class _Full:
    """A file on a full disk."""

    def __init__(self, file):
        self._file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def write(self, data):
        self._file.write(data[:100])
        raise OSError(28, "No space left on device")


def test_a_defect_of_the_report_fails_no_run(mailjet, monkeypatch, caplog):
    def broken(_):
        raise ValueError("canary")

    monkeypatch.setattr(page_module, "html", broken)
    with caplog.at_level(logging.WARNING):
        result = mailjet.deliver([schema(), person(1), state(1)], report_path=str(mailjet.folder / "r.html"))
    assert (result.error, result.states) == (None, [1])
    assert "this run has no report. Unexpected ValueError" in caplog.text
    assert "canary" not in caplog.text


def test_every_documented_code_is_explained():
    text = (ROOT / "docs" / "rejects.md").read_text(encoding="utf-8")
    codes = re.findall(r"^\| `(\w+)` \|", text.partition("## Codes")[2].partition("## Piping")[0], re.MULTILINE)
    assert {*codes} == CODES.keys()


def test_the_check_tells_where_reports_would_be(mailjet, capsys):
    for path, words in (("reports", "would be created"), ("r.html", "r.html would be created")):
        TargetMailing(config=mailjet.settings(report_path=str(mailjet.folder / path))).check()
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("report: ")]
        assert words in line
    assert not (mailjet.folder / "reports").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_has_a_page_that_says_so_and_one_that_is_killed_has_none(mailjet, number):
    path = mailjet.folder / "report.html"
    with Command(mailjet, batch_max_age=0.05, report_path=str(path)).start() as process:
        process.stdin.write(lines([schema(), person(1), state(1)]))
        process.stdin.flush()
        assert process.stdout.readline() == b'{"number": 1}\n'
        process.send_signal(number)
        assert process.wait(10) in {143, -signal.SIGKILL}
    if number == signal.SIGTERM:
        page = check_report(path, {})
        assert "The run was stopped by signal 15 (SIGTERM)." in page.text
        assert page.tiles["delivered"] == "1"
        assert "stopped" in page.text
    else:
        assert not [*mailjet.folder.glob("report*")]


@pytest.mark.slow
def test_jobs_under_way_when_a_signal_stops_the_run_are_left_for_the_next_one(mailjet):
    hold = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*/managemanycontacts/*", times=1)
    path = mailjet.folder / "report.html"
    with Command(mailjet, batch_rows=2, report_path=str(path)).start() as process:
        process.stdin.write(lines([schema(), *[person(number) for number in range(6)], state(1)]))
        process.stdin.flush()
        hold.wait_until_held()
        process.terminate()
        assert process.wait(10) == 143
    hold.release()
    page = check_report(path, {})
    assert "left for the next run" in page.text
    assert "not known to have ended" not in page.text
