"""A failure of PostGrid is reported in a line, loses nothing, and shows no key, no address and no signed URL."""

from __future__ import annotations

import json
import socket
import time

import pytest

from .conftest import CONTACTS, CSV, IMPORTS, LISTS, MAPPING, errors, names


@pytest.mark.slow
def test_a_wrong_key_is_one_error_and_is_tried_once(world, read, caplog):
    run = read(CONTACTS, LISTS, IMPORTS, postgrid_api_key="test_sk_canary")
    (line,) = errors(caplog)
    assert "HTTP 401, invalid_api_key_error. Check `postgrid_api_key`" in line
    assert "3 of 3 streams" in str(run.error)
    assert len(world.wire.requests) == 1
    assert "canary" not in caplog.text + str(run.error)
    assert "Traceback" not in caplog.text


def test_a_key_that_ends_in_the_middle_of_a_run_leaves_the_bookmarks(world, read, caplog):
    world.pg.add_key("live_sk_canary")
    world.pg.add_contacts(
        [{"firstName": f"Name {n}", "addressLine1": f"{n} Mill Lane", "countryCode": "CA"} for n in range(150)],
        live=True,
    )
    world.wire.before["contacts", 2] = lambda: world.pg.remove_key("live_sk_canary")
    run = read(CONTACTS, LISTS, postgrid_api_key="live_sk_canary")
    assert "2 of 2 streams" in str(run.error)
    assert len(errors(caplog)) == 1
    assert not any(run.state["bookmarks"].values())


@pytest.mark.parametrize(
    ("key", "live", "found"),
    [("test_sk_sandbox", True, "test"), ("live_sk_sandbox", False, "live")],
)
def test_p9_a_key_for_the_other_data_is_refused_before_it_is_sent(world, read, key, live, found):
    run = read(CONTACTS, postgrid_api_key=key, postgrid_live=live)
    assert str(run.error).startswith(
        f"Setting `postgrid_live` is {str(live).lower()}, but `postgrid_api_key` is a {found} key"
    )
    assert run.messages == []
    assert world.wire.requests == []


def test_p9_a_key_of_unknown_form_is_judged_by_its_rows(world, read, caplog):
    world.loosen()
    row = {"id": "contact_1", "live": False, "updatedAt": "2026-02-03T14:05:06Z"}
    body = json.dumps({"object": "list", "totalCount": 1, "data": [row]})
    world.sandbox.faults.add(kind="status", status=200, body="json", content=body, path="*/contacts", times=None)
    run = read(CONTACTS, postgrid_api_key="sk_canary", postgrid_live=True)
    assert "postgrid_contacts (ConfigurationError)" in str(run.error)
    assert "`postgrid_live` is true, but `postgrid_api_key` is a test key" in errors(caplog)[0]
    assert run.records(CONTACTS) == []


def test_test_and_live_keys_read_separate_data(world, read):
    world.make("Testing")
    world.pg.add_contacts([{"firstName": "Real", "addressLine1": "3 Mill Lane", "countryCode": "CA"}], live=True)
    assert names(read(CONTACTS, postgrid_live=False)) == ["Testing"]
    run = read(CONTACTS, postgrid_api_key=world.pg.live_key, postgrid_live=True)
    assert names(run) == ["Real"]
    assert [record["live"] for record in run.records(CONTACTS)] == [True]


def test_a_missing_permission_is_reported_and_the_other_streams_are_read(world, read, caplog):
    world.pg.add_list("Board")
    body = json.dumps({"object": "error", "error": {"type": "permission_missing_error", "message": "canary"}})
    world.sandbox.faults.add(kind="status", status=401, body="json", content=body, path="*/contacts", times=None)
    run = read(CONTACTS, LISTS)
    (line,) = errors(caplog)
    assert "permission_missing_error. Request access to this resource" in line
    assert "postgrid_contacts (PermissionDenied)" in str(run.error)
    assert len(run.records(LISTS)) == 1
    assert "canary" not in caplog.text


def test_a_server_that_is_not_there_is_one_line_for_each_stream(read, caplog):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        run = read(CONTACTS, postgrid_base_url=f"http://127.0.0.1:{free.getsockname()[1]}")
    (line,) = errors(caplog)
    assert "GET /contacts: no response (ConnectError)" in line
    assert "postgrid_contacts (Unreachable)" in str(run.error)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 400, "message": "canary@inbox.test"}, ("RequestRefused", "HTTP 400, validation_error")),
        ({"status": 403, "body": "html"}, ("PermissionDenied", "HTTP 403")),
        ({"status": 404}, ("NotFound", "postgrid_base_url")),
        ({"status": 404, "body": "html"}, ("NotFound", "postgrid_base_url")),
        ({"status": 408}, ("ProviderFault", "HTTP 408")),
        ({"status": 429}, ("RateLimited", "max_requests_per_second")),
        ({"status": 500, "message": "canary@inbox.test"}, ("ProviderFault", "internal_service_error")),
        ({"status": 503, "body": "empty"}, ("ProviderFault", "HTTP 503")),
        ({"status": 200, "body": "html"}, ("UnreadableAnswer", "could not be read")),
        ({"status": 200, "content": '{"data": [{"email": "canary@in'}, ("UnreadableAnswer", "could not be read")),
        ({"status": 200, "content": "[]"}, ("UnreadableAnswer", "could not be read")),
        ({"status": 200, "content": '{"object": "list"}'}, ("UnreadableAnswer", "could not be read")),
        ({"status": 200, "content": '{"data": [{"email": "canary@inbox.test"}]}'}, ("UnreadableAnswer", "read")),
        ({"status": 200, "content": '{"data": [], "totalCount": 3}'}, ("UnreadableAnswer", "too short")),
        (
            {"status": 200, "content": '{"data": [], "skip": 3}'},
            ("UnreadableAnswer", "does not begin at the requested row"),
        ),
    ],
)
def test_p6_a_stream_that_fails_fails_the_run_after_the_others_were_read(world, read, caplog, fault, expected):
    failure, said = expected
    world.loosen()
    world.pg.add_list("Board")
    world.sandbox.faults.add(kind="status", path="*/contacts", times=None, **fault)
    run = read(CONTACTS, LISTS)
    assert str(run.error) == (
        f"1 of 2 streams was not read completely: postgrid_contacts ({failure}). Correct what the log above says of "
        "them, then run again: their bookmarks are unchanged, so nothing is skipped."
    )
    (line,) = errors(caplog)
    assert line.startswith("postgrid_contacts was not read completely: ")
    assert said in line
    assert len(run.records(LISTS)) == 1
    assert "canary" not in caplog.text
    assert "postgrid_contacts" not in {name for name, state in run.state["bookmarks"].items() if state}


@pytest.mark.parametrize("kind", ["cut_body", "reset", "reply_lost", "html"])
def test_a_passing_fault_is_survived(world, read, kind):
    world.loosen()
    world.make("Amara")
    world.sandbox.faults.add(kind=kind, path="*/contacts", times=2)
    assert names(read(CONTACTS)) == ["Amara"]


@pytest.mark.slow
def test_too_many_requests_are_waited_out(world, read):
    world.loosen(postgrid_rate=5, postgrid_burst=3, postgrid_retry_after=1)
    world.make(*(f"Name {number}" for number in range(120)))
    run = read(CONTACTS, LISTS)
    assert run.error is None
    assert len(names(run)) == 120


@pytest.mark.slow
def test_without_a_setting_four_requests_are_made_a_second(world, read):
    world.make("Amara", "Noor")
    began = time.monotonic()
    assert read(CONTACTS, LISTS, IMPORTS, max_requests_per_second=None).error is None
    assert time.monotonic() - began >= (len(world.wire.requests) - 1) / 4 > 0.9


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("postgrid_base_url", "api.postgrid.com"),
        ("postgrid_base_url", "https://api.postgrid.com/?key=canary"),
        ("postgrid_api_key", "test_sk_ca\nary"),
        ("postgrid_api_key", "test_sk_canär"),
        ("postgrid_api_key", "Bearer canary"),
    ],
)
def test_p9_a_wrong_setting_is_named_before_anything_is_written(read, setting, value):
    run = read(CONTACTS, **{setting: value})
    assert f"`{setting}`" in str(run.error)
    assert "canary" not in str(run.error)
    assert run.messages == []


def test_p9_a_stream_without_its_key_is_reported(world, read, tap):
    config = {"postgrid_api_key": "test_sk_x", "mailjet_api_key": "x", "mailjet_secret_key": "y"}
    chosen = tap.catalog(CONTACTS, config=config)
    run = tap.run({"mailjet_api_key": "x", "mailjet_secret_key": "y"}, catalog=chosen)
    missing = "`postgrid_api_key` (or the environment variable POSTGRID_PRINT_MAIL_API_KEY) for PostGrid is missing"
    assert f"The catalog selects {CONTACTS}, but {missing}" in str(run.error)


def test_p7_a_refusal_with_a_signed_url_in_it_shows_none(world, read, caplog):
    world.loosen()
    world.pg.add_import(CSV, MAPPING)
    message = "https://files.inbox.test/import.csv?signature=canary is gone; key test_sk_canary"
    world.sandbox.faults.add(kind="status", status=400, message=message, path="*/mailing_list_imports", times=None)
    run = read(IMPORTS)
    assert "RequestRefused" in str(run.error)
    assert "canary" not in caplog.text
