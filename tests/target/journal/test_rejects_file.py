"""The rejects file: a Singer stream, private, complete, and ready to be piped back in."""

from __future__ import annotations

import json
import os
import stat
from contextlib import closing, contextmanager

import pytest

from mailing_api.errors import ConfigurationError
from target_mailing.journal.journal import Reject
from target_mailing.journal.rejects_file import RejectsFile
from tests.target.conftest import people, person, schema, state


def files(mailjet):
    return sorted(mailjet.folder.glob("rejects/*"))


def test_no_rejects_no_file(mailjet):
    mailjet.deliver([schema(), *people(range(3)), state(1)])
    assert files(mailjet) == []


def test_it_is_private_and_holds_the_record_as_it_came(mailjet):
    record = {"id": 1, "email": "nobody", "name": "Zoë", "unknown_to_the_schema": [1, {"a": None}], "visits": 2**60}
    result = mailjet.deliver([schema(), {"type": "RECORD", "stream": "people", "record": record}, state(1)])
    (file,) = files(mailjet)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (reject,) = result.rejects
    kept = {name: value for name, value in reject["record"].items() if not name.startswith("_reject_")}
    assert kept == record
    assert reject["record"]["_reject_reason"] == "'nobody' is not an e-mail address"
    assert reject["record"]["_reject_at"].endswith("Z")


def test_p9_piped_back_in_it_delivers_exactly_what_was_mended_and_counts_attempts(mailjet):
    bad = [person(1, email="nobody"), person(2, properties={"shoe_size": 44}), person(3, city=7)]
    mailjet.deliver([schema(), person(0), *bad, state(1)])
    (file,) = files(mailjet)
    mailjet.sandbox.mailjet.add_property("shoe_size", "int")
    mailjet.sandbox.counters.reset()
    again = mailjet.deliver(file.read_text())
    assert again.counts() == {"delivered": 2, "rejected": 1}
    assert mailjet.members()["person2@example.com"]["properties"]["shoe_size"] == "44"
    assert mailjet.members()["person3@example.com"]["properties"]["city"] == "7"
    (left,) = again.rejects
    assert left["record"]["_reject_attempt"] == 2
    assert left["record"]["id"] == 1
    assert mailjet.sandbox.counters.rows_received == {"contactslist/managemanycontacts": 2}


@pytest.mark.slow
def test_what_the_provider_refused_names_the_job_and_can_be_sent_again(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["person1@example.com"]}])
    first = mailjet.deliver([schema(), *people(range(3)), state(1)])
    (reject,) = first.rejects
    assert reject["record"]["_reject_code"] == "refused_by_provider"
    assert int(reject["record"]["_reject_job"]) == mailjet.sandbox.mailjet.jobs()[0]["id"]
    (file,) = files(mailjet)
    assert mailjet.deliver(file.read_text()).counts() == {"delivered": 1}
    assert mailjet.deliver([schema(), *people(range(3)), state(2)]).counts() == {"unchanged": 3}


def test_records_that_fail_the_schema_again_count_their_attempts_too(mailjet):
    strict = schema(columns={"id": {"type": "integer"}, "email": {"type": "string"}})
    replayed = {
        "type": "RECORD",
        "stream": "people",
        "record": {"id": "x", "email": "a@b.test", "_reject_code": "schema_invalid", "_reject_attempt": 4},
    }
    (reject,) = mailjet.deliver([strict, replayed], properties=None).rejects
    assert reject["record"]["_reject_attempt"] == 5


def test_rejects_left_in_the_journal_are_written_by_the_next_run(mailjet, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("target_mailing.journal.rejects_file.os.fsync", fail)
        failed = mailjet.deliver([schema(), person(1), person(2, email="nobody"), state(1)])
    assert "`rejects_path`" in str(failed.error)
    assert failed.states == []
    for file in files(mailjet):
        file.unlink()
    result = mailjet.deliver([schema(), person(1), person(3, email="nobody"), state(2)])
    assert [one["record"]["id"] for one in result.rejects] == [2, 3]
    assert result.states == [2]
    (file,) = files(mailjet)
    assert f"1 reject of an earlier run that failed or was stopped: {file}" in result.log
    assert f"1 reject: {file}" in result.log


@contextmanager
def full_disk(monkeypatch):
    """Nothing fits into a rejects file."""
    really_open = os.open

    def full(path, flags, *mode, **more):
        is_rejects_file = str(path).endswith(".singer") and flags & os.O_APPEND
        if is_rejects_file:
            return really_open("/dev/full", flags & ~os.O_EXCL, *mode, **more)
        return really_open(path, flags, *mode, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        yield


def test_p9_too_many_rejects_on_a_full_disk_name_no_file_but_say_that_it_is_full(mailjet, monkeypatch, caplog):
    with full_disk(monkeypatch):
        result = mailjet.deliver([schema(), *people(range(3), email="nobody"), state(1)], max_rejected="10%")
    assert "3 of 3 rows were rejected, more than 10% of the rows" in str(result.error)
    assert "One more error: Setting `rejects_path`: " in str(result.error)
    assert "No space left on device" in str(result.error)
    assert "See " not in str(result.error)
    assert "3 rejects: " not in caplog.text


def test_p9_a_full_disk_under_the_rejects_file_is_told_as_such_and_the_rest_is_closed(mailjet, monkeypatch):
    messages = [schema(), *people(range(3), email="nobody"), state(1)]
    with full_disk(monkeypatch):
        result = mailjet.deliver(messages)
    assert "Setting `rejects_path`: " in str(result.error)
    assert "No space left on device" in str(result.error)
    assert result.states == []
    assert not (mailjet.folder / "journal.sqlite.holder").exists()
    again = mailjet.deliver(messages)
    assert (again.error, again.states) == (None, [1])
    assert {one["record"]["id"] for one in again.rejects} == {0, 1, 2}


def test_a_disk_that_is_full_within_a_line_leaves_whole_lines_that_can_be_piped_back(tmp_path, monkeypatch):
    def reject(number, size):
        record = b'{"id": %d, "email": "%s"}' % (number, b"x" * size)
        return Reject("people", record, "bad_address", "why", None, 1, 0.0)

    really_write = os.write

    def write(file, data):
        if len(data) > 10_000:
            really_write(file, data[:5_000])
            raise OSError(28, "No space left on device")
        return really_write(file, data)

    with closing(RejectsFile(tmp_path, "one")) as file:
        file.write([reject(1, 10)])
        before = file.path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            with pytest.raises(ConfigurationError, match="No space left"):
                file.write([reject(2, 10), reject(3, 20_000)])
        assert file.path.read_bytes() == before
        file.write([reject(3, 20_000)])
        lines = [json.loads(line) for line in file.path.read_bytes().splitlines()]
    assert [line["record"]["id"] for line in lines if line["type"] == "RECORD"] == [1, 3]
    assert file.rows == 2


def test_p7_nothing_is_written_into_a_file_that_somebody_else_made(tmp_path):
    file = RejectsFile(tmp_path, "run")
    file.path.write_text("somebody else's")
    with closing(file), pytest.raises(ConfigurationError, match="File exists"):
        file.write([Reject("people", b"{}", "bad_address", "no address", None, 1, 0.0)])
    assert file.path.read_text() == "somebody else's"
