"""The command: exit codes, log lines, signals, kills, and what must never be printed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.fork_server import FORKS
from tests.target.conftest import LIST, people, person, schema, state
from tests.totals import ENVIRONMENT, totals

#: Each starts the command as a process.
pytestmark = pytest.mark.slow


class Command:
    """target-mailing as a process of its own."""

    def __init__(self, mailjet, **config):
        self.mailjet = mailjet
        self.config = mailjet.folder / "config.json"
        self.config.write_text(json.dumps(mailjet.settings(**config)))

    def start(self, *options, level="INFO", fresh=False):
        own = {"TARGET_MAILING_LOGLEVEL": level, "XDG_STATE_HOME": str(self.mailjet.folder / "state")}
        environment = os.environ | ENVIRONMENT | own
        return FORKS.start(
            "target_mailing", "--config", str(self.config), *options,
            fresh=fresh, env=environment, stdin=PIPE, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip

    def run(self, messages, *options, level="INFO", fresh=False):
        text = messages if isinstance(messages, bytes) else lines(messages)
        with self.start(*options, level=level, fresh=fresh) as process:
            out, err = process.communicate(text, timeout=60)
        return process.returncode, out.decode(), err.decode()


def lines(messages):
    return b"".join(json.dumps(one).encode() + b"\n" for one in messages)


def until(look, seconds=15.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def test_a_run_prints_only_state_and_exits_0(mailjet):
    code, out, err = Command(mailjet).run([schema(), *people(range(5)), state({"at": 5})], fresh=True)
    assert (code, out) == (0, '{"at": 5}\n')
    assert '"delivered":5' in err
    assert "Traceback" not in err


#: What only some runs need: a plan, a report, another provider, PostgreSQL, a terminal, durations in months.
LOADED_WHEN_NEEDED = {
    "target_mailing.plan.report", "target_mailing.report.report", "target_mailing.report.contents",
    "target_mailing.reconcile.reconcile", "target_mailing.explain.explain", "target_mailing.erase.erase",
    "target_mailing.past_runs.answer", "target_mailing.ses.account", "target_mailing.postgrid.account",
    "mailing_api.storage.postgres_session", "mailing_api.aws.session", "mailing_api.ses.client",
    "mailing_api.postgrid.client", "botocore", "psycopg", "pycountry", "jinja2", "rich", "pendulum",
}  # fmt: skip


def test_a_usual_run_loads_only_what_it_needs(mailjet):
    """Each module that is loaded for nothing costs every run time and memory."""
    Command(mailjet)  # writes the configuration
    loaded = mailjet.folder / "loaded"
    code = (
        "import atexit, pathlib, sys\n"
        "from target_mailing.__main__ import main\n"
        f"atexit.register(lambda: pathlib.Path({str(loaded)!r}).write_text('\\n'.join(sys.modules)))\n"
        "main()"
    )
    options = ["--config", str(mailjet.folder / "config.json")]
    messages = lines([schema(), *people(range(5)), state({"at": 5})])
    subprocess.run([sys.executable, "-c", code, *options], input=messages, capture_output=True, check=True)
    modules = {*loaded.read_text().split()}
    assert "target_mailing.mailjet.account" in modules
    assert not modules & LOADED_WHEN_NEEDED


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (lines([schema(), *people(range(3)), state(1)])[:-4], "Line 5.*cut off"),
        (lines([schema()]) + b"not json\n" + lines([state(1)]), "Line 2.*not a Singer message"),
        (lines([schema()]) + b'{"no": "type"}\n', "Line 2.*not a Singer message"),
        (lines([person(1), state(1)]), "Line 1.*'people'.*SCHEMA"),
        (lines([schema(), {"type": "STATE"}]), "Line 2.*STATE without"),
        (lines([schema(), {"type": "BATCH", "stream": "people", "manifest": []}]), "Line 2.*'BATCH'"),
        (lines([{"type": "SCHEMA", "stream": "people", "schema": {}}]), "Line 1.*'people'.*without properties"),
        (lines([schema("people", {"city": {"type": "string"}}, []), state(1)]), "Stream 'people'.*'email'"),
        (lines([schema("x_contacts", {"city": {"type": "string"}}, []), state(1)]), "'x_contacts'.*column `email`"),
        (lines([schema("people", {"email": {"type": "strong"}}, []), state(1)]), "'people'.*not a valid JSON Schema"),
    ],
)
def test_p9_bad_input_is_one_clear_line_and_no_state_passes_it(mailjet, text, named):
    code, out, err = Command(mailjet, properties=None).run(text)
    errors = [line for line in err.splitlines() if "ERROR" in line or "rror:" in line]
    assert code == 1
    assert out == ""
    assert len(errors) == 1, err
    assert re.search(named, errors[0]), errors
    assert "Traceback" not in err


def test_p9_a_missing_setting_that_the_environment_has_is_told_so(mailjet, monkeypatch):
    monkeypatch.setenv("TARGET_MAILING_LIST", LIST)
    code, _, err = Command(mailjet, list=None).run([schema(), state(1)])
    assert code == 1
    assert "Setting `list`" in err
    assert "TARGET_MAILING_LIST is in the environment; it is read only with --config=ENV." in err


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"mailjet_secret_key": None}, "`mailjet_secret_key` is missing"),
        ({"mailjet_api_key": None}, "No provider.*`mailjet_api_key`"),
        ({"mailjet_secret_key": "wrong"}, "`mailjet_secret_key`.*wrong"),
        ({"mailjet_base_url": "nowhere"}, "`mailjet_base_url`"),
        ({"list": None}, "`list`"),
        ({"list": "No such list"}, "`list`.*'No such list'.*create_list"),
        ({"list": 4711}, "`list`.*4711"),
        ({"action": "dance"}, "action"),
        ({"journal": "/proc/nowhere/journal"}, "`journal`.*/proc/nowhere"),
        ({"rejects_path": "/proc/nowhere"}, "`rejects_path`.*/proc/nowhere"),
        ({"properties": ["shoe_size"]}, "'people'.*'shoe_size'"),
        ({"max_rejected": "lots"}, "`max_rejected`"),
        ({"job_timeout": "soon"}, "`job_timeout`"),
        ({"max_requests_per_second": 0}, "`max_requests_per_second`"),
        ({"jobs_in_flight": 0}, "`jobs_in_flight`"),
        ({"request_timeout": 0}, "`request_timeout`"),
        ({"stream_maps": {"people": {"city": "nofunc(email)"}}}, r"`stream_maps.people.city`: .*FunctionNotDefined"),
        (
            {"stream_maps": {"people": {"city": "int(name)"}}},
            "`stream_maps.people.city`: .*line 2 .*ValueError",
        ),
        ({"stream_maps": {"people": {"id": None}}}, "`stream_maps.people`: .*'id'"),
    ],
)
def test_p9_wrong_settings_are_one_clear_line_that_names_them(mailjet, config, named, monkeypatch):
    for variable in ("MJ_APIKEY_PUBLIC", "MJ_APIKEY_PRIVATE"):
        monkeypatch.delenv(variable, raising=False)
    code, out, err = Command(mailjet, **config).run([schema(), person(1), state(1)])
    errors = [line for line in err.splitlines() if "ERROR" in line]
    assert (code, out) == (1, "")
    assert len(errors) == 1, err
    assert re.search(named, errors[0]), errors
    assert "Traceback" not in err
    assert totals(err) == {}
    assert mailjet.received() == []


def test_p9_a_dead_server_is_one_clear_line(mailjet, monkeypatch):
    mailjet.sandbox.stop()
    monkeypatch.setenv("MAILING_TEST", "1")
    code, out, err = Command(mailjet).run([schema(), person(1), state(1)])
    assert (code, out) == (1, "")
    host = mailjet.config["mailjet_base_url"].removeprefix("http://")
    assert f"no response (ConnectError): {host} cannot be reached, Connection refused. Check `mailjet_base_url`." in err
    assert "Traceback" not in err


def test_p3_killed_while_polling_the_next_run_follows_the_job_and_sends_only_what_is_new(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"hold": True}])
    with Command(mailjet).start() as process:
        process.stdin.write(lines([schema(), *people(range(6)), state(1)]))
        process.stdin.close()
        (job,) = until(mailjet.sandbox.mailjet.jobs)
        until(lambda: mailjet.sandbox.mailjet.jobs()[0]["polls"] > 2)
        process.kill()
        assert process.stdout.read() == b""
    mailjet.sandbox.mailjet.finish_job(job["id"])
    rows = [person(5), person(2, city="Nice"), person(0), person(7), person(1), person(3), person(4)]
    code, out, err = Command(mailjet).run([schema(), *rows, state(2)])
    assert (code, out) == (0, '{"number": 2}\n')
    assert '"unchanged":5' in err
    assert '"resumed":1' in err
    sent = [json.dumps(row["contact"], sort_keys=True) for row in mailjet.received()]
    assert len(sent) == len(set(sent)) == 8
    assert mailjet.members()["person2@example.com"]["properties"] == {"city": "Nice"}


def test_p3_killed_before_the_reply_the_job_is_adopted_by_the_next_run(mailjet):
    held = mailjet.sandbox.faults.add(kind="hold", method="POST", path="*/managemanycontacts", when="after")
    with Command(mailjet).start() as process:
        process.stdin.write(lines([schema(), *people(range(6)), state(1)]))
        process.stdin.close()
        held.wait_until_held()
        process.kill()
    held.release()
    code, out, err = Command(mailjet).run([schema(), *people(range(6)), state(2)])
    assert (code, out) == (0, '{"number": 2}\n')
    assert '"adopted":1' in err
    assert len(mailjet.received()) == 6


def test_p3_killed_before_the_request_arrived_the_rows_are_sent_and_counted(mailjet):
    held = mailjet.sandbox.faults.add(kind="hold", method="POST", path="*/managemanycontacts", when="before")
    with Command(mailjet).start() as process:
        process.stdin.write(lines([schema(), *people(range(6)), state(1)]))
        process.stdin.close()
        held.wait_until_held()
        process.kill()
    mailjet.sandbox.faults.clear()
    mailjet.sandbox.mailjet.reset()
    mailjet.sandbox.mailjet.add_list("Spring readers")
    code, out, err = Command(mailjet, properties=None).run([schema(), *people(range(6)), state(2)])
    assert (code, out) == (0, '{"number": 2}\n')
    assert '"delivered":6' in err


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_within_seconds_and_only_settled_state_leaves(mailjet, signum, code):
    # Under `nohup` the tests, and so the process, would be deaf to SIGHUP.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        _is_ended_by(signum, code, mailjet)
    finally:
        signal.signal(signal.SIGHUP, before)


def _is_ended_by(signum, code, mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{}, {"hold": True}])
    with Command(mailjet, batch_rows=2, jobs_in_flight=1).start(fresh=True) as process:
        process.stdin.write(lines([schema(), *people([0, 1]), state(1), *people([2, 3]), state(2), *people([4, 5])]))
        process.stdin.flush()
        until(lambda: len(mailjet.sandbox.mailjet.jobs()) == 2)
        asked = time.monotonic()
        process.send_signal(signum)
        assert process.wait(10) == code
        assert time.monotonic() - asked < 5
        assert process.stdout.read() == b'{"number": 1}\n'
        err = process.stderr.read().decode()
        process.stdin.close()
    assert re.search("batch(?: under way stays|es under way stay) in the journal", err)
    assert "Traceback" not in err
    assert len(mailjet.received()) == 4


def test_a_signal_leaves_a_moment_to_the_reply_of_a_submission_so_that_nothing_goes_twice(mailjet):
    held = [mailjet.sandbox.faults.add(kind="hold", method="POST", path="*/managemanycontacts") for _ in range(2)]
    with Command(mailjet, batch_rows=2, jobs_in_flight=2).start() as process:
        process.stdin.write(lines([schema(), *people(range(8)), state(1)]))
        process.stdin.close()
        for one in held:
            one.wait_until_held()
        process.terminate()
        for one in held:
            one.release()
        assert process.wait(5) == 143
        assert process.stdout.read() == b""
    assert len(mailjet.received()) == 3  # of batches that differ in size
    code, out, err = Command(mailjet).run([schema(), *people(range(8)), state(1)])
    assert (code, out) == (0, '{"number": 1}\n')
    assert '"resumed":2' in err
    assert '"resubmitted":0' in err
    assert len(mailjet.received()) == 8


def test_a_signal_does_not_wait_long_for_a_reply(mailjet):
    held = mailjet.sandbox.faults.add(kind="hold", method="POST", path="*/managemanycontacts")
    with Command(mailjet).start() as process:
        process.stdin.write(lines([schema(), person(1), state(1)]))
        process.stdin.close()
        held.wait_until_held()
        asked = time.monotonic()
        process.terminate()
        assert process.wait(10) == 143
        assert time.monotonic() - asked < 5
    held.release()


def test_a_signal_while_waiting_for_the_provider_ends_too(mailjet):
    held = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*contactslist", when="before")
    with Command(mailjet).start() as process:
        process.stdin.write(lines([schema(), person(1)]))
        process.stdin.flush()
        held.wait_until_held()
        process.terminate()
        assert process.wait(5) == 143
        process.stdin.close()
    held.release()


def test_p1_a_closed_stdout_is_a_failed_run_and_no_traceback(mailjet):
    with Command(mailjet).start() as process:
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(lines([schema(), *people(range(3)), state(1)]), timeout=30)
    assert process.returncode == 1
    assert b"Standard output is closed" in err
    assert b"Traceback" not in err


def test_p1_a_stdout_that_cannot_be_written_is_told_with_the_systems_reason(mailjet):
    command = Command(mailjet)
    with Path("/dev/full").open("wb") as full:
        done = FORKS.run(
            "target_mailing", "--config", str(command.config),
            input=lines([schema(), person(1), state(1)]), stdout=full,
        )  # fmt: skip
    assert done.returncode == 1
    assert b"Standard output cannot be written (No space left on device)" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("plugin", ["target_mailing", "tap_mailing"])
def test_p1_a_stdout_that_is_not_there_is_told_before_anything_is_done(mailjet, plugin):
    command = Command(mailjet)
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m "$1" --config "$2" >&-', sys.executable, plugin, str(command.config)],
        input=lines([schema(), person(1), state(1)]), stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "is closed" in line
    assert mailjet.sandbox.counters.total_calls == 0


@pytest.mark.parametrize("plugin", ["target_mailing", "tap_mailing"])
def test_a_keyboard_interrupt_while_modules_load_ends_quietly(plugin):
    program = f"import gc, os; from {plugin}.__main__ import main; gc.disable = lambda: os.kill(os.getpid(), 2); main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_settings_that_are_empty_texts_are_unset(mailjet, monkeypatch):
    monkeypatch.setenv("TARGET_MAILING_ACTION", "")
    config = {"rejects_path": "", "action_column": "", "route": "", "mailjet_account": ""}
    code, out, err = Command(mailjet, **config).run([schema(), person(1), state(1)])
    assert (code, out) == (0, '{"number": 1}\n'), err
    code, _, err = Command(mailjet, journal="").run([schema(), person(1), state(1)])
    assert code == 0
    assert "Journal: " + str(mailjet.folder / "state") in err
    code, _, err = Command(mailjet, journal="", list="").run([schema(), person(1), state(1)])
    assert code == 1
    assert "Journal: " not in err
    assert "Setting `list`: name exactly one Mailjet list" in err
    assert "TARGET_MAILING_LIST" not in err
    monkeypatch.setenv("TARGET_MAILING_LIST", "")
    code, _, err = Command(mailjet, list=None).run([schema(), person(1), state(1)], "--config=ENV")
    assert code == 1
    assert "TARGET_MAILING_LIST is empty in the environment" in err


def test_a_job_that_is_given_up_before_it_is_late_is_warned_of(mailjet):
    code, _, err = Command(mailjet, job_abandon="PT1H").run([schema(), person(1), state(1)])
    assert code == 0
    assert "`job_abandon` (3600 s) is less than `job_timeout` (21600 s)" in err


def test_max_rejected_stops_state_and_a_rerun_leaves_what_was_delivered(mailjet):
    mailjet.sandbox.mailjet.refuse(["person8@example.com", "person9@example.com"])
    code, out, err = Command(mailjet, max_rejected=1).run([schema(), *people(range(10)), state(1)])
    assert (code, out) == (1, "")
    assert "`max_rejected`: 2 of 10 rows" in err
    rows = [schema(), *people(range(8)), *people([10, 11]), state(1)]
    code, out, err = Command(mailjet, max_rejected=1).run(rows)
    assert (code, out) == (0, '{"number": 1}\n')
    assert '"unchanged":8' in err


def test_a_batch_goes_when_it_is_old_although_the_input_is_silent(mailjet):
    with Command(mailjet, batch_max_age=0.2).start() as process:
        process.stdin.write(lines([schema(), *people(range(3)), state(1)]))
        process.stdin.flush()
        assert process.stdout.readline() == b'{"number": 1}\n'
        process.stdin.close()
        assert process.wait(10) == 0


def test_check_tries_everything_and_writes_nothing(mailjet):
    code, out, _ = Command(mailjet).run(b"", "--check")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "check", "journal", "rejects", "history", "credentials", "destination", "properties",
    ]  # fmt: skip
    assert all(call.startswith("GET ") for call in mailjet.sandbox.counters.calls)
    assert out.startswith("check: passed, and nothing was written\n")
    code, out, err = Command(mailjet, properties=["shoe_size"]).run(b"", "--check")
    assert code == 1
    verdict = out.splitlines()[0]
    assert verdict.startswith("check: failed: Setting `properties`: ")
    assert "shoe_size" in verdict
    assert verdict.removeprefix("check: failed: ") in err


def test_check_looks_at_the_entries_of_streams_too(mailjet):
    streams = {"new-*": {"list": "Brand new", "create_list": True}, "people": {}}
    code, out, _ = Command(mailjet, streams=streams).run(b"", "--check")
    assert code == 0
    assert "destination of streams.new-*: Mailjet, list 'Brand new' would be created\n" in out
    where = f"destination of streams.people: Mailjet, list {LIST!r} (mailjet:default:{'.' * 8}"
    assert where in re.sub(":[0-9a-f]{8}:", f":{'.' * 8}:", out)


def test_check_says_nothing_of_a_journal_whose_name_is_not_known_without_a_list(mailjet):
    code, out, err = Command(mailjet, list=None, journal=None, rejects_path=None).run(b"", "--check")
    assert code == 1
    assert out.startswith("check: failed: Setting `list`: name exactly one Mailjet list")
    assert "None" not in out + err
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("setting", ["journal", "rejects_path"])
def test_p9_check_refuses_a_folder_in_which_nothing_can_be_made_whatever_its_rights_say(mailjet, setting):
    code, out, _ = Command(mailjet, **{setting: "/proc/here/it.sqlite"}).run(b"", "--check")
    assert code == 1
    assert out.startswith(f"check: failed: Setting `{setting}`: /proc/here/it.sqlite could not be made (/proc cannot")


def test_check_says_what_would_be_made(mailjet):
    config = {"list": "Brand new", "create_list": True, "properties": ["since"], "create_properties": True}
    code, out, _ = Command(mailjet, **config).run(b"", "--check")
    assert code == 0
    assert "destination: Mailjet, list 'Brand new' would be created\n" in out
    assert "1 would be created" in out
    assert all(call.startswith("GET ") for call in mailjet.sandbox.counters.calls)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"action": "includemarketing"}, "`action`.*`consent: force`"),
        ({"scope": "account", "list": None, "action": "unsub"}, "`action`.*all others need a `list`"),
        ({"route": "contact", "action": "excludemarketing"}, r"`action`.*unsub\.$"),
        ({"streams": {"people": {"acton": "unsub"}}}, r"`streams\.people`.*acton"),
        ({"streams": {"people": {"list": "No such list"}}}, "`list`.*'No such list'"),
        ({"streams": {"people": {"properties": ["shoe_size"]}}}, r"`streams\.people\.properties`.*shoe_size"),
        ({"jobs_in_flight": 0}, "`jobs_in_flight`"),
    ],
)
def test_p9_check_refuses_what_a_run_refuses(mailjet, config, named):
    code, _, err = Command(mailjet, **config).run(b"", "--check")
    (error,) = [line for line in err.splitlines() if "ERROR" in line]
    assert code == 1
    assert re.search(named, error), error


@pytest.mark.parametrize(("content", "named"), [(None, "was not found"), ("{not json", "not JSON: line 1")])
def test_p9_a_configuration_that_cannot_be_read_is_one_clear_line(mailjet, content, named):
    command = Command(mailjet)
    command.config.unlink()
    if content is not None:
        command.config.write_text(content)
    code, out, err = command.run(b"")
    assert (code, out) == (1, "")
    assert named in err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--config", "--input", "--explain", "--erase"])
def test_p9_a_file_that_is_not_there_is_one_clear_line_and_the_same_exit_code(mailjet, option):
    code, out, err = Command(mailjet).run(b"", f"{option}={mailjet.folder / 'nowhere'}")
    assert (code, out) == (1, "")
    (error,) = [line for line in err.splitlines() if "ERROR" in line]
    assert option in error
    assert "not found" in error or "No such file" in error
    assert "Usage" not in err


def test_settings_come_from_the_environment_too(mailjet, monkeypatch):
    given = mailjet.settings(properties=["city"]) | {"list": "Spring readers", "jobs_in_flight": 2}
    for name, value in given.items():
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(f"TARGET_MAILING_{name.upper()}", text)
    done = FORKS.run("target_mailing", "--config=ENV", input=lines([schema(), person(1), state(1)]), cwd=mailjet.folder)
    assert (done.returncode, done.stdout) == (0, b'{"number": 1}\n'), done.stderr
    assert mailjet.secret not in done.stderr


def test_without_a_journal_it_is_said_that_delivery_is_at_least_once(mailjet):
    code, out, err = Command(mailjet, journal="off").run([schema(), *people(range(3)), state(1)])
    assert (code, out) == (0, '{"number": 1}\n')
    assert "at-least-once" in err


def test_p7_no_secret_and_no_address_is_ever_printed(mailjet):
    mailjet.sandbox.mailjet.plan_jobs([{"bad_rows": ["canary4@example.com"]}])
    mailjet.sandbox.faults.add(kind="html", method="GET", path="*/managemanycontacts/*")
    mailjet.sandbox.faults.add(kind="status", status=500, method="GET", path="*/contactmetadata")
    rows = [person(n, email=f"canary{n}@example.com", name=f"Canary Name {n}", city="Canaryville") for n in range(6)]
    rows.append(person(7, email="canary.without.at"))
    rows.append(person(8, email="canary8@example.com", visits="canary-visits"))
    rows.append(person(9, email="canary9@example.com", _sdc_deleted_at="2026-01-01T00:00:00Z"))
    code, out, err = Command(mailjet).run([schema(), *rows, state({"at": 1})], level="DEBUG")
    assert code == 0, err
    printed = (out + err).lower()
    for canary in ("canary", mailjet.sandbox.secret_key, mailjet.sandbox.api_key):
        assert canary not in printed, [line for line in printed.splitlines() if canary in line][:3]
    broken = lines([schema()]) + b'{"type": "RECORD", "stream": "people", "record": {"email": "canary@x\n'
    code, out, err = Command(mailjet).run(broken, level="DEBUG")
    assert code == 1
    assert "canary" not in out + err


#: A log configuration as a user may have it: everything at DEBUG, once for people and once for machines.
DETAILED_LOGS = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "%(name)s %(levelname)s %(message)s"},
        "json": {"()": "singer_sdk.logging.StructuredFormatter"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "json"},
        "file": {"class": "logging.FileHandler", "filename": "details.log", "formatter": "text"},
    },
    "root": {"level": "DEBUG", "handlers": ["stderr"]},
    "loggers": {
        name: {"level": "DEBUG", "handlers": ["file"]}
        for name in ("httpx", "httpcore", "httpcore.http11", "sqlalchemy.engine", "singer_sdk", "mailing_api")
    },
}


def test_p7_a_log_configuration_with_libraries_at_debug_shows_no_secret_and_nobody(mailjet):
    (mailjet.folder / "logs.yml").write_text(json.dumps(DETAILED_LOGS))
    rows = [person(n, email=f"canary{n}@example.com", name=f"Canary Name {n}", city="Canaryville") for n in range(6)]
    rows.append(person(8, email="canary8@example.com", visits="canary-visits"))
    maps = {"people": {"__filter__": "name", "city": "city.title()"}}
    command = Command(mailjet, stream_maps=maps, mailjet_account="main")
    environment = {"SINGER_SDK_LOG_CONFIG": str(mailjet.folder / "logs.yml")}
    done = FORKS.run(
        "target_mailing", "--config", str(command.config),
        input=lines([schema(), *rows, state(1)]), cwd=mailjet.folder, env=os.environ | ENVIRONMENT | environment,
    )  # fmt: skip
    printed = (done.stdout + done.stderr + (mailjet.folder / "details.log").read_bytes()).decode()
    assert done.returncode == 0, printed
    assert "6 delivered" in printed
    assert '"outcomes":{' in printed
    for canary in ("canary", mailjet.sandbox.secret_key, mailjet.sandbox.api_key):
        assert canary not in printed.lower(), [line for line in printed.splitlines() if canary in line.lower()][:3]


def test_a_variable_of_a_setting_that_is_not_read_is_a_warning_that_shows_no_value(mailjet, monkeypatch):
    monkeypatch.setenv("TARGET_MAILING_ALLOW_REMOVALS_ONCE", "4711")
    monkeypatch.setenv("TARGET_MAILING_LIST", "canary")  # the file has the setting
    command = Command(mailjet)
    code, _, err = command.run([schema(), *people([1]), state(1)])
    said = " ".join(err.split())
    assert code == 0
    assert "not read without --config=ENV: TARGET_MAILING_ALLOW_REMOVALS_ONCE" in said
    assert not {"4711", "canary", "TARGET_MAILING_LIST"} & {*said.replace(",", " ").split()}
    monkeypatch.delenv("TARGET_MAILING_LIST")
    assert "not read without" not in command.run([schema(), *people([1]), state(1)], "--config=ENV")[2]
