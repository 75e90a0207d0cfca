"""A run's history: every row, every job and the run. That each adds up, `tests.history` checks after every run."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from mailing_sandbox.server import Sandbox
from target_mailing.history import history as history_module
from target_mailing.history.file import HistoryFile
from target_mailing.history.history import RunHistory
from target_mailing.rows.outcome import Outcome
from target_mailing.run_identity import AboutRun
from tests.history import files_of, read_history
from tests.target.command.test_command import Command
from tests.target.conftest import COLUMNS, people, person, schema, state
from tests.target.plan.test_plans import WORLDS
from tests.target.plan.worlds import RUNS, address, take, world


def history_of(mailjet, messages, **config):
    """The history of a run that delivers these messages."""
    before = files_of(mailjet.folder)
    result = mailjet.deliver(messages, **config)
    (path,) = files_of(mailjet.folder) - before
    return result, read_history(path)


def ends(history):
    """By line: key, outcome, and effect or code."""
    rows = sorted(history["mailing_outcomes"], key=lambda row: row["line"])
    return {row["line"]: (row["key"], row["outcome"], row["effect"] or row["code"]) for row in rows}


def test_every_row_every_job_and_the_run_are_in_the_history(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    rows = [person(1), person(2), person(3), person(4, email="no"), person(5), person(5, city="Rom")]
    rows += [person(6, subscription_status="excluded")]
    _, history = history_of(mailjet, [schema(), *rows, state(1)], route="json")
    assert ends(history) == {
        2: ("1", "unchanged", None),
        3: ("2", "delivered", "added_or_updated"),
        4: ("3", "delivered", "added_or_updated"),
        5: ("4", "rejected", "bad_address"),
        6: ("5", "superseded", None),
        7: ("5", "delivered", "added_or_updated"),
        8: ("6", "withheld", "excluded"),
    }
    (run,), (job,) = history["mailing_runs"], history["mailing_jobs"]
    assert (run["exit_code"], run["row_count"], run["list"], run["account"]) == (
        0,
        7,
        "Spring readers",
        "mailjet-default",
    )
    assert run["started_at"] < job["submitted_at"] < job["ended_at"] < run["ended_at"]
    assert (job["row_count"], job["status"], job["refused"], job["resumed"]) == (3, "completed", 0, False)
    assert job["polls"] >= 1
    sent = {row["line"]: row for row in history["mailing_outcomes"] if row["job_id"] is not None}
    assert {line: (row["batch"], row["job_id"]) for line, row in sent.items()} == dict.fromkeys(
        [3, 4, 7], (job["batch"], job["job_id"])
    )
    assert {row["destination"] for row in history["mailing_outcomes"]} == {job["destination"]}


def test_a_row_whose_former_address_was_removed_was_sent_by_its_own_job(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    _, history = history_of(mailjet, [schema(), person(1, email="new@example.com"), state(2)])
    by_action = {job["action"]: job["job_id"] for job in history["mailing_jobs"]}
    (row,) = history["mailing_outcomes"]
    assert (row["outcome"], row["job_id"]) == ("delivered", by_action["addnoforce"])
    assert history["mailing_runs"][0]["former_removed"] == 1


def test_rows_that_the_provider_refuses_have_its_job(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["person2@example.com"]}])
    _, history = history_of(mailjet, [schema(), *people([1, 2]), state(1)])
    rejected = [row for row in history["mailing_outcomes"] if row["outcome"] == "rejected"]
    assert [row["key"] for row in rejected] == ["2"]
    assert rejected[0]["job_id"] in {job["job_id"] for job in history["mailing_jobs"]}
    assert sum(job["refused"] for job in history["mailing_jobs"]) == 1


def test_streams_of_several_lists_and_those_that_are_skipped_are_in_one_history(mailjet):
    mailjet.sandbox.mailjet.add_list("Others")
    messages = [schema("a"), schema("b"), schema("orders", {"id": {"type": "integer"}})]
    messages += [
        person(1, stream="a"),
        person(1, stream="b"),
        {"type": "RECORD", "stream": "orders", "record": {"id": 9}},
    ]
    _, history = history_of(mailjet, [*messages, state(1)], streams={"b": {"list": "Others"}}, on_unknown_stream="skip")
    rows = {row["stream"]: row for row in history["mailing_outcomes"]}
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "a": "delivered", "b": "delivered", "orders": "skipped",
    }  # fmt: skip
    assert rows["orders"]["destination"] is None
    assert rows["a"]["destination"] != rows["b"]["destination"]
    assert len(history["mailing_jobs"]) == 2


def test_keys_are_those_of_the_tap_whatever_maps_make_of_its_rows(mailjet):
    maps = {"people": {"email": "email", "id": "id * 100", "__key_properties__": ["id"], "__filter__": "id != 2"}}
    rows = [person(1), person(2), person(3, email="no"), {**person(4), "record": {"id": 4, "email": [1]}}]
    _, history = history_of(mailjet, [schema(), *rows, state(1)], stream_maps=maps, properties=None)
    assert [key for key, _, _ in ends(history).values()] == ["1", "2", "3", "4"]
    assert ends(history)[3] == ("2", "skipped", None)


def test_rows_that_cannot_be_read_have_the_key_that_can(mailjet):
    text = mailjet.text([schema(), person(1), person(2)]).replace('"Person 2"', "NaN")
    _, history = history_of(mailjet, text)
    assert ends(history)[3] == ("2", "rejected", "unreadable")


@pytest.mark.parametrize("contacts", ["hashed", "plain"])
def test_p7_keys_that_are_addresses_are_hashed_and_alike_in_each_run(mailjet, contacts):
    messages = [schema(keys=["email"]), *people([1, 2]), person(3, email="canary"), state(1)]
    histories = [history_of_plain(mailjet, messages, history_contacts=contacts) for _ in range(2)]
    first, second = ([key for key, _, _ in ends(history).values()] for history in histories)
    assert first == second
    assert len({*first}) == 3
    if contacts == "plain":
        assert first == ["person1@example.com", "person2@example.com", "canary"]
    else:
        assert all(re.fullmatch("hashed:[0-9a-f]{32}", key) for key in first)


def history_of_plain(mailjet, messages, **config):
    """The same in a folder of its own, whose files the helper does not check."""
    folder = mailjet.folder / f"histories {len([*mailjet.folder.iterdir()])}"
    mailjet.deliver(messages, history_path=str(folder), **config)
    (path,) = folder.iterdir()
    return read_history(path)


def test_the_document_has_every_column(mailjet):
    text = (Path(__file__).parents[3] / "docs" / "history.md").read_text(encoding="utf-8")
    _, history = history_of(mailjet, [schema(), person(1), state(1)])
    parts = re.split(r"^`(mailing_\w+)`, by", text, flags=re.MULTILINE)[1:]
    for stream, part in zip(parts[::2], parts[1::2], strict=True):
        cells = re.findall(r"^\| (`[^|]*) \|", part.partition("\n## ")[0], re.MULTILINE)
        assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(history[stream][0])


def test_p7_nobodys_data_is_in_a_history(mailjet):
    columns = dict.fromkeys(("name", "city"), "canary")
    rows = [
        person(f"canary{number}@example.com", email=f"canary{number}@example.com", **columns) for number in range(4)
    ]
    rows += [person("canary", email="canary", subscription_status="canary"), person(["canary@example.com"])]
    keys = {**COLUMNS, "id": {"type": ["string", "array"]}}
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["canary2@example.com"]}])
    before = files_of(mailjet.folder)
    mailjet.deliver([schema(columns=keys), *rows, state(1)])
    (path,) = files_of(mailjet.folder) - before
    text = path.read_text().replace('"key":"canary"', "")  # a key that nobody can tell from another
    assert "canary" not in text
    assert mailjet.sandbox.secret_key not in text


def test_off_and_plans_write_none(mailjet):
    mailjet.deliver([schema(), person(1), state(1)], history_path="off")
    mailjet.deliver([schema(), person(1), state(1)], mode="plan")
    assert not (mailjet.folder / "history").exists()


def test_a_folder_that_cannot_be_written_ends_the_history_and_nothing_else(mailjet, caplog):
    (mailjet.folder / "file").touch()
    with caplog.at_level(logging.WARNING):
        result = mailjet.deliver([schema(), person(1), state(1)], history_path=str(mailjet.folder / "file/history"))
    assert (result.error, result.states, result.counts()) == (None, [1], {"delivered": 1})
    (warning,) = [line for line in caplog.messages if "history" in line]
    assert warning.startswith(f"Setting `history_path`: {mailjet.folder / 'file/history'} cannot be written")


@pytest.mark.parametrize("writes", range(6))
def test_a_full_disk_ends_the_history_and_nothing_else(mailjet, monkeypatch, caplog, writes):
    write, left, folder = os.write, [writes], mailjet.folder / "histories"

    def full(descriptor, data):
        if not Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(folder):
            return write(descriptor, data)
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with caplog.at_level(logging.WARNING):
        result = mailjet.deliver([schema(), *people(range(3)), state(1)], history_path=str(folder))
    assert (result.error, result.states, result.counts()) == (None, [1], {"delivered": 3})
    assert sum("`history_path`" in line for line in caplog.messages) == (left[0] < 0)
    (path,) = folder.iterdir()
    assert path.suffix == ".singer"
    assert read_history(path) if writes else path.read_bytes() == b""


@pytest.mark.parametrize("fails", range(1, 5))
def test_a_disk_that_is_full_among_many_outcomes_ends_the_history_once(tmp_path, monkeypatch, caplog, fails):
    history = RunHistory(tmp_path, AboutRun("run", 0.0))
    for first in (1, 3):  # the first two lines are on disk when the others come
        history.take(first, 2, [([first, first + 1], [b'"stream":"s","key":"a"', b'"stream":"s","key":"b"'])])
    append, calls = HistoryFile.append, []

    def full(self, lines):
        calls.append(lines)
        if len(calls) == fails:
            raise OSError(28, "No space left on device")
        append(self, lines)

    monkeypatch.setattr(HistoryFile, "append", full)
    monkeypatch.setattr(history_module, "_TOGETHER", 1)
    with caplog.at_level(logging.WARNING):
        history.ended([1, 2, 3, 4], Outcome.DELIVERED, None, "list", None)
        history.ended([1], Outcome.DELIVERED, None, "list", None)
        history.end(None, None)
    assert len(calls) == fails
    assert sum("`history_path`" in line for line in caplog.messages) == 1
    (path,) = tmp_path.iterdir()
    assert len(read_history(path)["mailing_outcomes"]) == fails - 1


@pytest.mark.parametrize("fault", ["journal", "list"])
def test_a_run_that_fails_has_its_exit_code(mailjet, fault):
    mailjet.sandbox.faults.add(kind="status", status=403, path="*/managemanycontacts")
    result, history = history_of(mailjet, [schema(), person(1), state(1)])
    assert result.error is not None
    (run,) = history["mailing_runs"]
    assert (run["exit_code"], run["row_count"]) == (1, 0)


def test_a_job_that_outlasts_its_run_is_unfinished_and_then_resumed(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    _, first = history_of(mailjet, [schema(), person(1), state(1)], job_timeout=0.05)
    for job in mailjet.sandbox.mailjet.jobs():
        mailjet.sandbox.mailjet.finish_job(job["id"])
    _, second = history_of(mailjet, [schema(), person(1), state(1)])
    (left,), (job,) = first["mailing_jobs"], second["mailing_jobs"]
    assert (left["status"], left["ended_at"], job["status"], job["resumed"]) == ("unfinished", None, "completed", True)
    assert (left["job_id"], left["batch"]) == (job["job_id"], job["batch"])
    assert ends(second) == {2: ("1", "unchanged", None)}


@pytest.mark.slow
def test_a_killed_run_leaves_whole_lines_which_the_next_run_names(mailjet):
    hold = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*/managemanycontacts/*", times=1)
    command = Command(mailjet, batch_rows=2)
    with command.start() as process:
        process.stdin.write(mailjet.text([schema(), *people(range(6)), state(1)]).encode())
        process.stdin.flush()
        hold.wait_until_held()
        (part,) = (mailjet.folder / "history").iterdir()
        assert part.suffix == ".part"
        process.kill()
    hold.release()
    with part.open("ab") as file:
        file.write(b'{"type":"RECORD","stream":"mailing_outc')  # as a disk that was cut off may leave it
    _, history = history_of(mailjet, [schema(), *people(range(6)), state(1)])
    assert not part.exists()
    killed = read_history(part.with_name(part.name.removesuffix(".part")))
    assert [(run["ended_at"], run["exit_code"]) for run in killed["mailing_runs"]] == [(None, None)]
    assert {job["status"] for job in killed["mailing_jobs"]} <= {"submitted", "completed"}
    assert killed["mailing_jobs"][0]["job_id"] in {job["job_id"] for job in history["mailing_jobs"]}


@pytest.mark.slow
def test_a_run_leaves_the_file_of_another_run_that_has_not_ended(mailjet):
    folder, others = mailjet.folder / "history", {"journal": str(mailjet.folder / "others.sqlite"), "list": "Others"}
    mailjet.sandbox.mailjet.add_list("Others")
    hold = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*/managemanycontacts/*", times=1)
    with Command(mailjet).start() as process:
        process.stdin.write(mailjet.text([schema(), *people(range(6)), state(1)]).encode())
        process.stdin.close()
        hold.wait_until_held()
        assert mailjet.deliver([schema(), person(1), state(1)], **others).states == [1]
        assert sorted(path.suffix for path in folder.iterdir()) == [".part", ".singer"]
        hold.release()
        assert process.wait(30) == 0
    assert sorted(len(read_history(path)["mailing_outcomes"]) for path in folder.iterdir()) == [1, 6]


@pytest.mark.slow
def test_a_run_that_is_stopped_has_its_exit_code(mailjet):
    hold = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*/managemanycontacts/*", times=1)
    with Command(mailjet, batch_rows=2).start() as process:
        process.stdin.write(mailjet.text([schema(), *people(range(6)), state(1)]).encode())
        process.stdin.flush()
        hold.wait_until_held()
        process.terminate()
        assert process.wait(10) == 143
    hold.release()
    (path,) = files_of(mailjet.folder)
    history = read_history(path)
    assert [run["exit_code"] for run in history["mailing_runs"]] == [143]
    assert "unfinished" in {job["status"] for job in history["mailing_jobs"]}
    assert "submitted" not in {job["status"] for job in history["mailing_jobs"]}


@pytest.mark.slow
def test_check_says_where_the_history_would_be(mailjet):
    (mailjet.folder / "file").touch()
    for path, said in (
        (None, "would be created"),
        ("off", "off"),
        (str(mailjet.folder / "file/x"), "could not be made"),
    ):
        code, out, err = Command(mailjet, history_path=path).run(b"", "--check")
        assert code == 0, err
        (line,) = [line for line in out.splitlines() if line.startswith("history: ")]
        assert said in line
    assert not (mailjet.folder / "history").exists()


def test_old_files_are_deleted_when_a_run_starts(mailjet):
    mailjet.deliver([schema(), person(1), state(1)])
    (old,) = files_of(mailjet.folder)
    os.utime(old, (1, 1))
    mailjet.deliver([schema(), person(1), state(1)], history_keep="P30000D")
    assert old.exists()
    mailjet.deliver([schema(), person(1), state(1)])
    assert not old.exists()


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox:
        yield sandbox


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=RUNS)
def test_p4_histories_of_every_destination_add_up(sandbox, tmp_path_factory, name, runs):
    """Rows with keys that move, duplicates, opt-outs, deletes and rejects: `deliver` checks each run's history."""
    with world(name, sandbox, tmp_path_factory.mktemp("world")) as here:
        for changes, batch_rows, out, seconds, at_once in runs:
            if out is not None and here.opt_out is not None:
                here.opt_out(address(out))
            take(sandbox, seconds)
            before = files_of(here.account.folder)
            here.account.deliver(here.messages(changes), batch_rows=batch_rows, jobs_in_flight=at_once)
            (path,) = files_of(here.account.folder) - before
            keys = {row["line"]: row["key"] for row in read_history(path)["mailing_outcomes"]}
            assert keys == {line: str(change[0]) for line, change in enumerate(changes, 2)}
