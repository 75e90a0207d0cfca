"""A reconciliation as a run: its exit code, its file, what it refuses, and what it leaves alone."""

from __future__ import annotations

import io
import json
import logging
import os
import tracemalloc

import pytest

from mailing_api.errors import ConfigurationError
from mailing_sandbox.server import Sandbox
from target_mailing.reconcile.tolerance import TooManyDifferencesError, tolerance
from target_mailing.rows.lines import InputError
from tests.target.command.test_command import Command, lines
from tests.target.conftest import COLUMNS, LIST, people, person, schema, state
from tests.target.plan.worlds import DELETED, world
from tests.target.reconcile.cases import CASES, OF_MAILJET, email, found, messages, put

MESSAGES = [schema(), *people(range(10)), state(1)]
CANARY = "canary"


@pytest.fixture
def here(mailjet):
    """An account whose list equals the input."""
    assert mailjet.deliver(MESSAGES).error is None
    mailjet.sandbox.counters.reset()
    mailjet.config["mode"] = "reconcile"
    return mailjet


def test_after_a_delivery_nothing_differs(here):
    journal = here.folder / "journal.sqlite"
    before = journal.read_bytes()
    result = here.deliver(MESSAGES)
    assert (result.error, result.states, result.rejects) == (None, [], [])
    assert "0 differences among 10 contacts: 0 missing, 0 extra, 0 different" in result.log
    assert journal.read_bytes() == before
    assert all(call.startswith("GET ") for call in here.sandbox.counters.calls)
    assert here.sandbox.counters.total_calls <= 10


@pytest.mark.parametrize(
    ("limit", "passes"), [(0, False), (2, False), (3, True), ("3", True), ("30%", True), ("29%", False)]
)
def test_more_differences_than_are_tolerated_fail(here, limit, passes):
    messages = [schema(), *people(range(7)), state(1)]  # three of the list are named by no line
    result = here.deliver(messages, reconcile_tolerance=limit)
    assert (result.error is None) is passes
    if not passes:
        assert isinstance(result.error, TooManyDifferencesError)
        assert "3 differences among 10 contacts: 0 missing, 3 extra, 0 different" in str(result.error)


@pytest.mark.parametrize("percent", [*range(101), "0.1", "33.3"])
def test_exactly_as_many_as_a_share_allows_are_tolerated(percent):
    limit = tolerance(f"{percent}%")
    for contacts in (1000, 100, 200) if isinstance(percent, int) else (1000,):
        most = round(contacts * float(percent) / 100)
        assert not limit.is_exceeded(most, contacts)
        assert limit.is_exceeded(most + 1, contacts)
    assert str(limit) == f"{percent}%"


@pytest.mark.parametrize("value", [-1, True, 0.5, "9" * 5000 + "%", "-1", "101%", "some", "%", None.__class__, [1]])
def test_a_tolerance_is_a_number_or_a_share(value):
    with pytest.raises(ConfigurationError, match="reconcile_tolerance"):
        tolerance(value)


@pytest.mark.slow
def test_the_exit_code_tells_whether_too_much_differs(mailjet):
    mailjet.deliver(MESSAGES)
    command = Command(mailjet)
    code, out, err = command.run(MESSAGES, "--reconcile")
    assert (code, out) == (0, "")
    assert "0 differences" in err
    code, out, err = command.run([schema(), *people(range(12)), state(1)], "--reconcile")
    assert (code, out) == (1, "")
    assert "2 differences among 12 contacts: 2 missing, 0 extra, 0 different, more than 0" in err
    assert "Traceback" not in err
    for others in (["--plan"], ["--explain"], ["--detailed-exitcode"]):
        assert command.run(MESSAGES, "--reconcile", *others)[0] == 1


def test_a_variable_that_is_not_read_does_not_deliver(mailjet, monkeypatch):
    monkeypatch.setenv("TARGET_MAILING_MODE", "reconcile")
    code, _, err = Command(mailjet).run(MESSAGES)
    assert (code, mailjet.members()) == (1, {})
    assert "Use --reconcile" in err


def test_the_table_adds_up(here):
    here.sandbox.mailjet.add_contacts([{"email": "guest@example.com", "list": here.list_id}])
    here.opt_out("person1@example.com")
    rows = [
        *people(range(8)),
        person(2, city="Oslo"),
        person(20),
        person(21, email="nobody"),
        person(22, subscription_status="pending"),
    ]
    result = here.deliver([schema(), *rows, state(1)])
    table = {}
    for line in result.log.splitlines():
        words, _, number = line.strip().rpartition("  ")
        if line.startswith("  ") and number.isdigit():
            table[words.strip()] = int(number)
    assert table == {
        "missing": 1,
        "different": 1,
        "opted out: unsubscribed": 1,
        "alike": 6,
        "superseded by a later row": 1,
        "withheld: pending": 1,
        "rejected: bad_address": 1,
        "rows": 12,
        "different in city": 1,
        "extra: named by no line": 3,
        "contacts on the list": 11,
    }


def test_the_last_line_says_how_many_rows_were_not_compared(here):
    columns = COLUMNS | {"lists": {"type": ["array", "null"]}}
    some = [person(0, email="nobody"), person(1, email="no one"), person(2, subscription_status="pending")]
    maps = {"people": {"__filter__": "id != 9"}}
    messages = [schema(columns=columns), *some, *people(range(3, 10)), state(1)]
    result = here.deliver(messages, reconcile_tolerance="100%", stream_maps=maps)
    assert result.error is None
    assert ". 3 rows were not compared: 1 withheld, 2 rejected. Nothing was written" in result.log
    assert ", more than 0. 3 rows were not compared: 1 withheld, 2 rejected. " in str(
        here.deliver(messages, stream_maps=maps).error
    )
    assert "not compared" not in here.deliver(MESSAGES).log


def test_the_values_that_differ_are_in_the_file_alone(here):
    path = here.folder / "reports" / "found.jsonl"
    rows = [person(number, city=CANARY if number == 3 else "Lyon") for number in range(10)]
    result = here.deliver([schema(), *rows, state(1)], reconcile_path=str(path))
    (line,) = map(json.loads, path.read_text().splitlines())
    assert line == {
        "found": "different",
        "destination": line["destination"],
        "email": "person3@example.com",
        "stream": "people",
        "line": 5,
        "row": {"city": CANARY},
        "provider": {"city": "Lyon"},
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert CANARY not in result.log + str(result.error)


def test_a_file_replaces_only_its_own_kind(here):
    path = here.folder / "found.jsonl"
    assert here.deliver(MESSAGES, reconcile_path=str(path)).error is None
    assert path.read_bytes() == b""
    for _ in range(2):
        assert here.deliver([schema(), *people(range(9)), state(1)], reconcile_path=str(path)).error is not None
        assert found(path) == {"person9@example.com": ("extra", "unnamed")}
    path.write_text("notes")
    here.sandbox.counters.reset()
    result = here.deliver(MESSAGES, reconcile_path=str(path))
    assert isinstance(result.error, ConfigurationError)
    assert (path.read_text(), here.sandbox.counters.total_calls) == ("notes", 0)


def test_an_input_that_is_cut_off_is_no_reconciliation(here):
    path = here.folder / "found.jsonl"
    text = here.text([schema(), *people(range(5))]) + '{"type": "RECORD", "str'
    result = here.deliver(text, reconcile_path=str(path))
    assert isinstance(result.error, InputError)
    assert (path.exists(), list(here.folder.glob(".found*"))) == (False, [])
    assert "extra" not in result.log


def test_a_pipe_is_refused_without_waiting_for_its_other_end(here):
    path = here.folder / "pipe"
    os.mkfifo(path)
    error = here.deliver(MESSAGES, reconcile_path=str(path)).error
    assert isinstance(error, ConfigurationError)
    assert "no file of a reconciliation" in str(error)


def test_a_signal_leaves_no_file(mailjet):
    path = mailjet.folder / "found.jsonl"
    command = Command(mailjet, reconcile_path=str(path))
    fault = mailjet.sandbox.faults.add(kind="hold", path="*/listrecipient", when="before")
    with command.start("--reconcile") as process:
        process.stdin.write(lines(MESSAGES))
        process.stdin.close()
        process.stdin = None
        fault.wait_until_held()
        process.terminate()
        _, err = process.communicate(timeout=30)
        mailjet.sandbox.faults.clear()
    assert process.returncode == 143
    assert (path.exists(), [*mailjet.folder.glob(".found*")]) == (False, [])
    assert b"Traceback" not in err


def test_a_mirror_is_compared_as_its_rows_say(here):
    here.sandbox.mailjet.add_contacts([{"email": "guest@example.com", "list": here.list_id}])
    columns = COLUMNS | {"total": {"type": "integer"}}
    config = {"sync": "mirror", "mirror_scope": "list", "whole_count": "total"}
    rows = people(range(10), total=10)
    for keys in (["id"], [], ["email"]):
        result = here.deliver([schema(columns=columns, keys=keys), *rows, state(1)], **config)
        assert "1 difference among 11 contacts: 0 missing, 1 extra, 0 different" in str(result.error)


@pytest.mark.parametrize("some", [[], [state(1)]])
def test_an_input_without_contacts_is_no_reconciliation(here, some):
    assert "no stream of contacts" in str(here.deliver(some).error)


def test_rows_that_name_nobody_are_told(here):
    rows = [*people(range(1, 10)), person(0, email="nobody")]
    result = here.deliver([schema(), *rows, state(1)])
    assert "1 row does not tell whom" in result.log


def test_a_row_with_its_key_alone_takes_off_the_contact_of_its_key(here):
    gone = {"type": "RECORD", "stream": "people", "record": {"id": 3} | DELETED}
    path = here.folder / "found.jsonl"
    here.deliver([schema(), *people(range(10)), gone, state(1)], reconcile_path=str(path))
    assert found(path) == {"person3@example.com": ("extra", "moved")}


def test_whom_a_map_omits_is_not_extra(here):
    maps = {"people": {"__filter__": "id != 4"}}
    assert here.deliver(MESSAGES, stream_maps=maps).error is None


@pytest.mark.parametrize(
    "config",
    [
        {"route": "contact", "list": None},
        {"route": "contact", "scope": "account"},
        {"scope": "account"},
        {"scope": "account", "list": None},
    ],
    ids=str,
)
def test_lists_that_rows_name_are_refused(here, config):
    result = here.deliver(MESSAGES, **config)
    assert isinstance(result.error, ConfigurationError)
    assert "cannot be compared" in str(result.error)


def named(number, *lists, **columns):
    """A row that names lists, each with an action or none."""
    entries = [{"list": name, "action": action} if action else {"list": name} for name, action in lists]
    return person(number, lists=entries, **columns)


def test_of_rows_that_name_lists_those_of_the_setting_are_compared(here):
    here.sandbox.mailjet.add_list("Others")
    rows = [
        *people(range(5)),
        named(5, (LIST, None), ("Others", None), city="Oslo"),
        named(6, (LIST, "remove")),
        named(7, ("Others", None)),
        named(8, (LIST, "unsub"), ("Others", None)),
        named(11, (LIST, None)),
        named(12, ("Others", None)),
    ]
    columns = COLUMNS | {"lists": {"type": ["array", "null"]}}
    path = here.folder / "found.jsonl"
    result = here.deliver([schema(columns=columns), *rows, state(1)], route="contact", reconcile_path=str(path))
    assert isinstance(result.error, TooManyDifferencesError)
    assert found(path) == {
        "person5@example.com": ("different", ""),
        "person6@example.com": ("extra", "removed"),
        "person8@example.com": ("different", ""),
        "person11@example.com": ("missing", ""),
        "person9@example.com": ("extra", "unnamed"),
    }
    assert "not compared: their rows name other lists" in result.log
    assert ". 2 rows were not compared: 2 not about the list. Nothing was written" in result.log
    numbers = dict(line.rsplit(maxsplit=1) for line in map(str.strip, result.log.splitlines()) if " " in line)
    assert (numbers["not compared: their rows name other lists"], numbers["rows"]) == ("2", "11")


def test_the_warning_of_rows_that_name_nobody_is_given_once(here):
    here.sandbox.mailjet.add_list("Others")
    both = [*MESSAGES[:-1], person(0, email="nobody"), schema("others"), *people(range(3), stream="others"), state(1)]
    result = here.deliver(both, streams={"others": {"list": "Others"}})
    assert result.log.count("1 row does not tell whom it names") == 1


def test_a_list_that_would_be_made_has_nobody(here):
    result = here.deliver(MESSAGES, list="New", create_list=True, reconcile_tolerance="100%")
    assert result.error is None
    assert "10 missing" in result.log
    assert "New" not in here.ids


def test_properties_are_listed_only_if_rows_have_them(here):
    here.deliver(MESSAGES, properties=None)
    assert "GET /v3/REST/contactdata" not in here.sandbox.counters.calls


def test_two_lists_are_compared_each(here):
    here.sandbox.mailjet.add_list("Others")
    streams = {"others": {"list": "Others"}}
    both = [schema(), *people(range(10)), schema("others"), *people(range(3), stream="others"), state(1)]
    result = here.deliver(both, streams=streams)
    assert "3 differences among 13 contacts: 3 missing" in str(result.error)


@pytest.mark.parametrize("name", ["postgrid-contacts", "postgrid-import"])
def test_a_provider_that_lists_no_members_is_refused(tmp_path, name):
    with Sandbox(job_seconds=0.0) as sandbox, world(name, sandbox, tmp_path) as account:
        result = account.account.deliver(account.messages([(1, 1, "plain", False)]), mode="reconcile")
    assert isinstance(result.error, ConfigurationError)
    assert "does not list the members" in str(result.error)


def test_attributes_of_amazon_ses_are_not_compared_and_that_is_told(tmp_path):
    with Sandbox(job_seconds=0.0) as sandbox, world("ses-direct", sandbox, tmp_path) as account:
        account.account.add({"email": "person1@example.com"})
        result = account.account.deliver(account.messages([(1, 1, "plain", False)]), mode="reconcile")
    assert result.error is None
    assert "no listing shows them: attributes" in result.log


def test_without_the_permission_to_list_suppressions_the_rest_is_compared(tmp_path):
    with Sandbox(job_seconds=0.0) as sandbox, world("ses-direct", sandbox, tmp_path) as account:
        put(account, ["suppressed"], on_ses=True)
        sandbox.faults.add(kind="status", status=403, path="*/suppression/addresses")
        result = account.account.deliver(messages(["suppressed"], on_ses=True), mode="reconcile")
    assert result.error is None
    assert "ses:ListSuppressedDestinations is not permitted" in result.log


def test_the_suppression_list_is_compared_with_its_reasons(tmp_path):
    path = tmp_path / "found.jsonl"
    with Sandbox(job_seconds=0.0) as sandbox, world("suppressions-direct", sandbox, tmp_path) as account:
        account.account.suppress("person0@example.com", "person1@example.com", "person3@example.com")
        columns = COLUMNS | {"reason": {"type": "string"}}
        rows = [person(0, reason="BOUNCE"), person(1, reason="COMPLAINT"), person(2, reason="BOUNCE")]
        config = {"mode": "reconcile", "reconcile_path": str(path)}
        account.account.deliver([schema(columns=columns), *rows, state(1)], **config)
    assert found(path) == {
        "person1@example.com": ("different", ""),
        "person2@example.com": ("missing", ""),
        "person3@example.com": ("extra", "unnamed"),
    }


def test_p7_nobodys_data_is_in_the_log_or_an_error(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    cases = [*CASES, *OF_MAILJET]
    with Sandbox(job_seconds=0.0) as sandbox, world("mailjet-json", sandbox, tmp_path) as account:
        sandbox.mailjet.add_property("visits", "int")
        put(account, cases, on_ses=False)
        config = {"mode": "reconcile", "properties": ["city", "visits"]}
        for more in ({}, {"reconcile_path": str(tmp_path / "found.jsonl")}):
            result = account.account.deliver(messages(cases, on_ses=False), **config, **more)
            for text in (result.log, str(result.error), caplog.text, *capfd.readouterr()):
                assert "Oslo" not in text
                assert "someone" not in text.casefold()
                assert sandbox.secret_key not in text
        assert email(2) in (tmp_path / "found.jsonl").read_text()


def peak(here, number):
    """The most memory (bytes) that a reconciliation of so many alike people takes, besides its input."""
    here.sandbox.mailjet.add_contacts(
        {"email": f"person{one}@example.com", "list": here.list_id, "properties": {"city": "Lyon"}}
        for one in range(number)
    )
    source = io.BytesIO(here.text([schema(), *people(range(number), name=None), state(1)]).encode())
    tracemalloc.start()
    try:
        result = here.deliver_from(source)
        assert result.error is None
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("route", ["json", "contact"])
def test_memory_does_not_grow_with_the_rows(mailjet, route):
    mailjet.config |= {"mode": "reconcile", "batch_rows": None, "route": route}
    peak(mailjet, 10)  # what is loaded once
    few, many = peak(mailjet, 5_000), peak(mailjet, 20_000)
    assert many - few < 2_000_000, (few, many)
