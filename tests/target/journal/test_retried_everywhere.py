"""Rejects sent again: at every destination as a plan says, without data in a log, as a command, after kills."""

from __future__ import annotations

import logging
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from mailing_sandbox.server import Sandbox
from tests.searching import machine
from tests.target.command.test_command import Command, until
from tests.target.conftest import people, person, schema, state
from tests.target.machines import keys_of_one_person
from tests.target.plan.test_canaries import CANARY
from tests.target.plan.test_plans import WORLDS, certain, numbers
from tests.target.plan.worlds import RUNS, address, take, world
from tests.totals import totals

pytestmark = pytest.mark.slow

#: Those that every run replaces.
REPLACED = "postgrid-import-replacing"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(job_seconds=0.0) as sandbox, keys_of_one_person():
        yield sandbox


def opened(folder):
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
        return journal.execute("SELECT count(DISTINCT n) FROM open_rejects").fetchone()[0]


def rows_of(here, *kinds):
    return [here.row(*each, False) for each in zip(range(4), range(4), kinds, strict=False)]  # noqa: FBT003 - as there


@pytest.mark.slow
@pytest.mark.machine
@pytest.mark.parametrize("name", [name for name in WORLDS if name != REPLACED])
@machine(short=4, long=40, deep=1000)  # of each world, as for plans of an input
@given(runs=RUNS)
def test_a_plan_has_the_numbers_of_what_is_sent_again(sandbox, name, runs):
    with tempfile.TemporaryDirectory() as folder, world(name, sandbox, Path(folder)) as here:
        for changes, size, opted_out, seconds, at_once in runs:
            here.account.deliver(here.messages(changes), batch_rows=size)
            if opted_out is not None and here.opt_out is not None:
                here.opt_out(address(opted_out))
            left, before = opened(Path(folder)), (here.writes(), here.hashes())
            config = {"batch_rows": size, "jobs_in_flight": at_once, "validate_records": False}
            plan = here.account.retry(mode="plan", **config)
            assert (here.writes(), here.hashes()) == before
            take(sandbox, seconds)
            again = here.account.retry(**config)
            take(sandbox, [0.0])
            assert (plan.error, again.error, again.states) == (None, None, [])
            assert again.outcomes["rows"] == left
            assert certain(plan) == certain(again)
            if at_once == 1:
                assert numbers(plan) == numbers(again)


def test_a_list_that_each_run_replaces_is_refused(sandbox, tmp_path):
    with world(REPLACED, sandbox, tmp_path) as here:
        rows = rows_of(here, "wrong", "plain")
        assert here.account.deliver([here.schema, *rows, state(1)]).error is None
        before = here.writes()
        error = here.account.retry().error
        assert "--retry-rejects: the settings replace the contents of the list" in str(error)
        assert here.writes() == before


@pytest.mark.parametrize("name", ["mailjet-json", "ses-direct", "postgrid-contacts"])
def test_p7_nobodys_data_is_in_a_log_or_an_error(sandbox, tmp_path, caplog, capfd, name):
    caplog.set_level(logging.DEBUG)
    with world(name, sandbox, tmp_path) as here:
        rows = rows_of(here, *["wrong"] * 4)
        for number, row in enumerate(rows):
            row["record"] |= {"id": f"{CANARY}{number}@example.com", "name": f"{CANARY} {number}"}
        names = here.schema | {"schema": {**here.schema["schema"]}}
        names["schema"]["properties"] = names["schema"]["properties"] | {"id": {"type": "string"}}
        here.account.deliver([names, *rows, state(1)])
        assert opened(tmp_path) > 0
        for selection in ({}, {"codes": ["no_code"]}, {"mode": "plan"}, {"max_rejected": 0}):
            caplog.clear()
            again = here.account.retry(**selection)
            for text in (again.log, str(again.outcomes), str(again.error), caplog.text, *capfd.readouterr()):
                assert CANARY not in text
                assert here.account.sandbox.secret_key not in text


def test_the_command_reads_no_input_and_writes_no_state(mailjet):
    command = Command(mailjet)
    assert command.run([schema(), person(1, visits="many"), person(2, email="nobody"), state(1)])[0] == 0
    command = Command(mailjet, properties=["city"])
    refused = b"this is no Singer message\n"
    code, out, err = command.run(refused, "--retry-rejects", "--plan", "--detailed-exitcode")
    assert (code, out) == (3, ""), err
    code, out, err = command.run(refused, "--retry-rejects", "--reject-code=wrong_type", fresh=True)
    assert (code, out) == (0, ""), err
    assert "1 open reject to send again (wrong_type: 1)" in err
    assert totals(err)["delivered"] == 1
    code, out, err = command.run(refused, "--retry-rejects", "--reject-code=wrong_type")
    assert code == 1
    assert "Option --reject-code: no open reject is of code 'wrong_type'. There are: bad_address." in err
    assert mailjet.statuses().keys() == {"person1@example.com"}


@pytest.mark.parametrize(
    ("options", "config", "named"),
    [
        (["--retry-rejects", "--check"], {}, "Options --retry-rejects and --check exclude each other"),
        (["--retry-rejects", "--reconcile"], {}, "Options --retry-rejects and --reconcile exclude each other"),
        (["--retry-rejects", "--input=/dev/null"], {}, "Options --retry-rejects and --input exclude each other"),
        (["--retry-rejects", "--explain=/dev/null"], {}, "Option --explain stands alone: omit --retry-rejects"),
        (["--reject-code=wrong_type"], {}, "Option --reject-code needs --retry-rejects"),
        (["--retry-rejects"], {"mode": "reconcile"}, "and `mode` is 'reconcile'"),
        (["--retry-rejects"], {"journal": "off"}, "needs the journal, which keeps the rejects, and `journal` is off"),
    ],
)
def test_p9_what_does_not_go_with_it_is_one_clear_line(mailjet, options, config, named):
    code, out, err = Command(mailjet, **config).run(b"", *options)
    assert (code, out) == (1, "")
    assert named in err
    assert "Traceback" not in err


@pytest.mark.parametrize("moment", ["submitting", "following"])
@pytest.mark.parametrize("is_retried_next", [True, False])
def test_p3_a_run_that_is_killed_while_it_sends_them_again_loses_none_and_sends_none_twice(
    mailjet, moment, is_retried_next
):
    mailjet.deliver([schema(), *people(range(6), visits="many"), state(1)])
    held = {
        "submitting": {"method": "POST", "path": "*managemanycontacts"},
        "following": {"method": "GET", "path": "*managemanycontacts/*"},
    }
    fault = mailjet.sandbox.faults.add(kind="hold", skip=1 if moment == "submitting" else 0, **held[moment])
    command = Command(mailjet, properties=["city"], batch_rows=2, jobs_in_flight=1)
    with command.start("--retry-rejects") as process:
        until(lambda: fault.waiting)
        process.kill()
    fault.release()
    mailjet.sandbox.faults.clear()
    left = opened(mailjet.folder)
    assert left == (6 if moment == "following" else 4)
    if not is_retried_next:
        assert mailjet.deliver([schema(), person(9), state(1)], properties=["city"]).error is None
    again = mailjet.retry(properties=["city"])
    assert again.error is None
    if opened(mailjet.folder):  # what the killed run left did not arrive
        again = mailjet.retry(properties=["city"])
    assert opened(mailjet.folder) == 0
    assert mailjet.statuses().keys() - {"person9@example.com"} == {f"person{number}@example.com" for number in range(6)}
    sent = [row["contact"]["Email"] for row in mailjet.received()]
    assert sorted(sent) == sorted({*sent}) or again.outcomes["resubmitted"]


@pytest.mark.parametrize(
    ("newer", "ends"),
    [
        ({"city": "Nice"}, {"person1@example.com": ("subscribed", "Nice")}),
        ({"_sdc_deleted_at": "2026-01-01T00:00:00Z"}, {}),
        ({"subscription_status": "unsubscribed", "city": "Oslo"}, {"person1@example.com": ("unsubscribed", "Oslo")}),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
def test_p5_what_a_killed_run_left_under_way_comes_before_older_rejects(mailjet, newer, ends, fails):
    mailjet.deliver([schema(), person(1, city="Paris"), state(0)])
    mailjet.sandbox.mailjet.refuse(["person1@example.com"])
    mailjet.deliver([schema(), person(1, city="Lyon"), state(1)])
    assert opened(mailjet.folder) == 1
    if not fails:
        mailjet.sandbox.mailjet._account.store.refused.clear()
    fault = mailjet.sandbox.faults.add(kind="hold", method="GET", path="*managemanycontacts/*")
    with Command(mailjet).start() as process:
        process.stdin.write(mailjet.text([schema(), person(1, **newer), state(2)]).encode())
        process.stdin.close()
        until(lambda: fault.waiting)
        process.kill()
    fault.release()
    mailjet.sandbox.faults.clear()
    until(lambda: all(job["status"] != "In Progress" for job in mailjet.sandbox.mailjet.jobs()))
    mailjet.sandbox.mailjet._account.store.refused.clear()
    assert mailjet.retry().error is None
    found = {email: (one["status"], one["properties"]["city"]) for email, one in mailjet.members().items()}
    assert found == ({"person1@example.com": ("subscribed", "Paris")} if fails else ends)
