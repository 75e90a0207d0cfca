"""Imports followed to their end: error files, lost replies, kills, time-outs."""

from __future__ import annotations

import json
import threading

import pytest

from target_mailing.delivery.errors import DeliveryFailed
from tests.faults.pairs import crossed
from tests.target.command.test_command import Command, lines, until
from tests.target.conftest import files, imports, person, reader, readers, schema, state

#: Each waits for jobs of a sandbox of its own.
pytestmark = pytest.mark.slow

UPLOAD = "/v3/DATA/contactslist/*/CSVData/*"
IMPORT = "/v3/REST/csvimport"
ERRORS = "/v3/DATA/BatchJob/*/CSVError/*"

#: A datetime makes a file without header.
RICH = {"city": "Lyon", "birthday": "1990-02-03T04:05:06Z"}


# Errors


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("columns", [{}, {"properties": RICH}])
def test_rows_in_the_error_file_are_rejected_and_the_others_delivered(by_csv, header, columns):
    by_csv.sandbox.switches.change({"headerless_error_header": header})
    by_csv.sandbox.mailjet.plan_jobs([{"bad_rows": ["person3@example.com", "person5@example.com"]}])
    result = by_csv.deliver([schema(), *readers(range(8), **columns), state(1)])
    assert result.counts() == {"delivered": 6, "rejected": 2}
    assert result.outcomes["reasons"] == {"refused_by_provider": 2}
    assert (result.outcomes["batches"], result.outcomes["resubmitted"]) == (1, 0)
    assert result.states == [1]
    first, _ = result.rejects
    assert first["record"]["email"] == "person3@example.com"
    assert first["record"]["_reject_reason"] == "Contact could not be imported"
    assert first["record"]["_reject_job"] == str(imports(by_csv)[0]["id"])
    assert "person3" not in result.log


@pytest.mark.parametrize(
    "file",
    [
        {
            "status": 200,
            "content": "email,city,error\nperson3@example.com,Lyon, ###Value not converted###city\n",
        },
        {"status": 200, "content": "email,city,error\nsomebody@else.test,Lyon, ###x\nperson3@example.com, ###y\n"},
        {"status": 200, "content": "email,city,error\n"},
        {"status": 200, "body": "html"},
        {"status": 404},
        {"status": 400},
    ],
)
@pytest.mark.parametrize("end", ["completed", "error", "abort"])
def test_fewer_rows_named_than_counted_and_nobody_is_taken_for_delivered(by_csv, file, end):
    bad = ["person3@example.com", "person5@example.com"]
    by_csv.sandbox.mailjet.plan_jobs([{"bad_rows": bad, "end": end}] + [{"bad_rows": bad}] * 20)
    by_csv.sandbox.faults.add(kind="status", method="GET", path=ERRORS, **file)
    result = by_csv.deliver([schema(), *readers(range(8)), state(1)])
    assert result.counts() == {"delivered": 6, "rejected": 2}
    assert {one["record"]["email"] for one in result.rejects} == set(bad)
    assert result.outcomes["resubmitted"] >= 7
    assert by_csv.statuses().keys() == {f"person{n}@example.com" for n in range(8)} - set(bad)


def test_an_error_file_that_cannot_be_had_splits_until_the_row_is_found(by_csv):
    by_csv.sandbox.mailjet.plan_jobs([{"bad_rows": ["person3@example.com"]}] * 20)
    by_csv.sandbox.faults.add(kind="status", status=404, method="GET", path=ERRORS, times=None)
    result = by_csv.deliver([schema(), *readers(range(16)), state(1)])
    assert result.counts() == {"delivered": 15, "rejected": 1}
    assert result.outcomes["reasons"] == {"not_imported": 1}
    assert result.outcomes["batches"] <= 1 + 2 * 4
    assert len(files(by_csv)) == result.outcomes["batches"]


@pytest.mark.parametrize("end", ["error", "abort"])
@pytest.mark.parametrize("words", ["full", "aborted"])
def test_a_job_that_ends_badly_without_a_file_is_split(by_csv, end, words):
    by_csv.sandbox.mailjet.change(status_words=words)
    by_csv.sandbox.mailjet.plan_jobs([{"end": end}])
    result = by_csv.deliver([schema(), *readers(range(8)), state(1)])
    assert result.counts() == {"delivered": 8}
    assert (result.outcomes["batches"], result.outcomes["resubmitted"]) == (3, 8)
    assert len(by_csv.members()) == 8


@pytest.mark.parametrize("switches", [{"csv_blank_integers": True}, {"quoted_numbers": True}, {"large_data_ids": True}])
@pytest.mark.parametrize("bad", [[], ["person1@example.com"]])
def test_numbers_of_any_kind_are_understood(by_csv, switches, bad):
    by_csv.sandbox.mailjet.change(**switches)
    by_csv.sandbox.mailjet.plan_jobs([{"bad_rows": bad}])
    result = by_csv.deliver([schema(), *readers(range(3)), state(1)])
    assert result.counts() == {"delivered": 3 - len(bad)} | ({"rejected": 1} if bad else {})
    assert result.outcomes["batches"] == 1


@pytest.fixture
def without_numbers(by_csv):
    """Imports say that they are completed, and nothing else."""
    done = json.dumps({"Count": 1, "Data": [{"ID": 1, "Status": "Completed"}], "Total": 1})
    look = {"kind": "status", "status": 200, "content": done, "method": "GET", "path": f"{IMPORT}/*", "times": None}
    by_csv.sandbox.faults.add(**look)
    return by_csv


@pytest.mark.parametrize(("bad", "named"), [([], 0), (["person1@example.com"], 1)])
def test_a_job_that_tells_no_number_is_asked_for_its_file(without_numbers, bad, named):
    without_numbers.sandbox.mailjet.plan_jobs([{"bad_rows": bad, "seconds": 0}])
    result = without_numbers.deliver([schema(), *readers(range(3)), state(1)])
    assert result.counts() == {"delivered": 3 - named} | ({"rejected": named} if named else {})
    assert without_numbers.sandbox.counters.calls["GET /v3/DATA/batchjob/{job}/CSVError/{mime}"] == 1


def test_a_job_that_tells_no_number_is_no_success_if_its_file_cannot_be_read(without_numbers):
    without_numbers.sandbox.faults.add(kind="status", status=400, method="GET", path=ERRORS)
    result = without_numbers.deliver([schema(), *readers(range(4)), state(1)])
    assert result.counts() == {"delivered": 4}
    assert (result.outcomes["batches"], result.outcomes["resubmitted"]) == (3, 4)


def test_a_call_that_is_refused_as_a_whole_is_split(by_csv):
    by_csv.sandbox.faults.add(kind="status", status=400, method="POST", path=IMPORT)
    by_csv.sandbox.faults.add(kind="status", status=400, method="POST", path=UPLOAD, skip=2)
    result = by_csv.deliver([schema(), *readers(range(4)), state(1)])
    assert result.counts() == {"delivered": 4}


def test_a_file_too_large_for_the_provider_is_cut(by_csv, monkeypatch):
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    by_csv.sandbox.mailjet.change(max_csv_bytes=100)
    result = by_csv.deliver([schema(), *readers(range(8)), state(1)])
    assert result.counts() == {"delivered": 8}
    assert len(by_csv.members()) == 8
    assert all(len(text.encode()) <= 100 for text in files(by_csv))


def test_uploads_cut_off_while_nothing_else_is_answered_either_fail_the_run(by_csv, monkeypatch):
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    by_csv.sandbox.faults.add(kind="reset", method="POST", path=UPLOAD, times=None)
    by_csv.sandbox.faults.add(kind="reset", method="GET", path=IMPORT, times=None)
    failed = by_csv.deliver([schema(), *readers(range(8)), state(1)])
    assert failed.error is not None
    assert (failed.states, failed.counts(), failed.outcomes["batches"]) == ([], {}, 1)
    by_csv.sandbox.faults.clear()
    assert by_csv.deliver([schema(), *readers(range(8)), state(1)]).counts() == {"delivered": 8}


# Time


def test_p1_state_waits_for_the_import_to_finish(by_csv, monkeypatch):
    by_csv.sandbox.mailjet.plan_jobs([{"hold": True}])
    written: list[bytes] = []
    monkeypatch.setattr("target_mailing.run.run.write_state", written.append)
    run = threading.Thread(target=lambda: by_csv.deliver([schema(), reader(1), state(1)]))
    run.start()
    (job,) = until(lambda: imports(by_csv))
    until(lambda: imports(by_csv)[0]["polls"] > 4)
    assert written == []
    by_csv.sandbox.mailjet.finish_job(job["id"])
    run.join(20)
    assert written == [b'{"number": 1}']


def test_a_job_not_visible_yet_is_waited_for_and_any_words_are_understood(by_csv):
    by_csv.sandbox.mailjet.change(job_404_polls=2, status_words="short")
    assert by_csv.deliver([schema(), *readers(range(3)), state(1)]).counts() == {"delivered": 3}
    assert len(imports(by_csv)) == 1


def test_p1_after_job_timeout_the_next_run_follows_the_import(by_csv):
    by_csv.sandbox.mailjet.plan_jobs([{"hold": True}])
    failed = by_csv.deliver([schema(), *readers(range(3)), state(1)], job_timeout=0.3)
    assert isinstance(failed.error, DeliveryFailed)
    assert failed.states == []
    by_csv.sandbox.mailjet.finish_job(imports(by_csv)[0]["id"])
    # The batch keeps its route, whatever the setting says by then.
    result = by_csv.deliver([schema(), *readers(range(4)), state(1)], route="json")
    assert result.counts() == {"unchanged": 3, "delivered": 1}
    assert result.outcomes["resumed"] == 1
    assert len(imports(by_csv)) == 1


# Lost replies and crashes


@pytest.mark.parametrize("kind", ["reply_lost", "cut_body", "html", "reset"])
def test_a_lost_reply_to_the_upload_is_no_matter(by_csv, kind, monkeypatch):
    monkeypatch.setattr("mailing_api.http.client.random.random", lambda: 0.0)
    by_csv.sandbox.faults.add(kind=kind, method="POST", path=UPLOAD)
    result = by_csv.deliver([schema(), *readers(range(5)), state(1)])
    assert result.counts() == {"delivered": 5}
    assert (result.outcomes["adopted"], result.outcomes["resubmitted"]) == (0, 0)
    assert len(imports(by_csv)) == 1


@pytest.mark.parametrize(
    ("kind", "config", "switches"),
    crossed(
        ["reply_lost", "cut_body", "html"],
        [{}, {"action": "excludemarketing"}],
        [{}, {"large_data_ids": True, "quoted_numbers": True}, {"request_at_zero": True}],
    ),
)
def test_p3_an_import_whose_reply_was_lost_is_adopted_by_its_file(by_csv, kind, config, switches):
    by_csv.sandbox.mailjet.change(**switches)
    by_csv.sandbox.faults.add(kind=kind, method="POST", path=IMPORT)
    result = by_csv.deliver([schema(), *readers(range(5)), state(1)], **config)
    assert result.counts() == {"delivered": 5}
    assert (result.outcomes["adopted"], result.outcomes["resubmitted"]) == (1, 0)
    assert (len(imports(by_csv)), len(files(by_csv))) == (1, 1)


def test_an_import_that_never_arrived_is_posted_again_with_a_new_file(by_csv):
    """An import of the same list, method and time is under way, but of another file."""
    by_csv.sandbox.mailjet.change(data_id_reuse=False)
    by_csv.sandbox.mailjet.plan_jobs([{"hold": True}])
    by_csv.deliver([schema(), reader(77), state(1)], job_timeout=0.1, journal=str(by_csv.folder / "other"))
    by_csv.sandbox.faults.add(kind="reset", method="POST", path=IMPORT)
    result = by_csv.deliver([schema(), *readers(range(5)), state(1)], job_timeout=10)
    assert result.counts() == {"delivered": 5}
    assert (result.outcomes["adopted"], result.outcomes["resubmitted"]) == (0, 5)
    assert by_csv.sandbox.counters.calls["POST /v3/DATA/contactslist/{list}/CSVData/{mime}"] == 3
    assert len(by_csv.received()) == 6


def test_an_import_lost_again_and_again_is_cut(by_csv):
    by_csv.sandbox.faults.add(kind="reset", method="POST", path=IMPORT, times=3)
    result = by_csv.deliver([schema(), *readers(range(6)), state(1)])
    assert result.counts() == {"delivered": 6}
    assert sorted(job["total"] for job in imports(by_csv)) == [3, 3]


@pytest.mark.parametrize("shown", [True, False])
def test_a_lost_json_call_never_adopts_an_import_of_ours(by_csv, shown):
    """The list, the action and the time fit. The import has ended, or nobody knows its number yet."""
    held = by_csv.sandbox.faults.add(kind="hold", method="POST", path=IMPORT) if shown else None
    with Command(by_csv, batch_rows=1, jobs_in_flight=2).start() as process:
        process.stdin.write(lines([schema(), reader(1), state(1)]))
        process.stdin.flush()
        if held is not None:
            held.wait_until_held()
        else:
            assert process.stdout.readline() == b'{"number": 1}\n'
            by_csv.sandbox.mailjet.set_job(imports(by_csv)[0]["id"], {"DataID": 0})
        lost = by_csv.sandbox.faults.add(kind="reset", method="POST", path="*/managemanycontacts")
        process.stdin.write(lines([person(2), state(2)]))
        process.stdin.close()
        until(lambda: lost.hits)
        if held is not None:
            held.release()
        until(lambda: len(by_csv.sandbox.mailjet.jobs()) == 2)
        assert process.stdout.read().endswith(b'{"number": 2}\n')
        err = process.stderr.read().decode()
    assert '"delivered":2' in err
    assert '"adopted":0' in err
    assert '"resubmitted":1' in err
    assert len(by_csv.members()) == 2


@pytest.mark.slow
def test_p3_killed_after_the_upload_the_rows_are_imported_once(by_csv):
    held = by_csv.sandbox.faults.add(kind="hold", method="POST", path=UPLOAD, when="after")
    _killed_when(by_csv, held.wait_until_held)
    held.release()
    code, out, err = Command(by_csv).run([schema(), *readers(range(6)), state(2)])
    assert (code, out) == (0, '{"number": 2}\n')
    assert '"delivered":6' in err
    assert '"resubmitted":0' in err
    assert len(by_csv.received()) == 6


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_p3_killed_before_the_reply_of_the_import(by_csv, when):
    held = by_csv.sandbox.faults.add(kind="hold", method="POST", path=IMPORT, when=when)
    _killed_when(by_csv, held.wait_until_held)
    held.release()
    code, out, err = Command(by_csv).run([schema(), *readers(range(6)), state(2)])
    assert (code, out) == (0, '{"number": 2}\n')
    assert len(by_csv.received()) == 6
    counts = {"after": ['"adopted":1', '"unchanged":6'], "before": ['"adopted":0', '"resubmitted":6', '"delivered":6']}
    assert all(one in err for one in counts[when]), err


@pytest.mark.slow
def test_p3_killed_while_uploading_again_the_rows_go_again_and_are_counted(by_csv):
    by_csv.sandbox.faults.add(kind="reset", method="POST", path=IMPORT)
    held = by_csv.sandbox.faults.add(kind="hold", method="POST", path=UPLOAD, when="before", skip=1)
    _killed_when(by_csv, held.wait_until_held)
    by_csv.sandbox.faults.clear()
    code, out, err = Command(by_csv).run([schema(), *readers(range(6)), state(2)])
    assert (code, out) == (0, '{"number": 2}\n')
    assert '"resubmitted":6' in err
    assert len(by_csv.received()) == 6


@pytest.mark.slow
def test_p3_killed_while_polling_the_next_run_follows_the_import(by_csv):
    by_csv.sandbox.mailjet.plan_jobs([{"hold": True, "bad_rows": ["person2@example.com"]}])
    _killed_when(by_csv, lambda: until(lambda: imports(by_csv) and imports(by_csv)[0]["polls"] > 2))
    by_csv.sandbox.mailjet.finish_job(imports(by_csv)[0]["id"])
    code, out, err = Command(by_csv).run([schema(), *readers(range(7)), state(2)])
    assert (code, out) == (0, '{"number": 2}\n')
    assert '"unchanged":5' in err
    assert '"delivered":2' in err
    assert len(by_csv.received()) == 8


def _killed_when(mailjet, ready):
    with Command(mailjet).start() as process:
        process.stdin.write(lines([schema(), *readers(range(6)), state(1)]))
        process.stdin.close()
        ready()
        process.kill()
        assert process.stdout.read() == b""


def test_p7_nothing_of_a_row_is_printed(by_csv):
    by_csv.sandbox.mailjet.plan_jobs([{"bad_rows": ["canary4@example.com"]}])
    rows = [reader(n, email=f"canary{n}@example.com", city="Canaryville") for n in range(6)]
    code, out, err = Command(by_csv).run(lines([schema(), *rows, state(1)]), level="DEBUG")
    assert code == 0, err
    assert '"rejected":1' in err
    for canary in ("canary", by_csv.sandbox.secret_key, by_csv.sandbox.api_key):
        assert canary not in (out + err).lower()
