"""A failure is reported in a line, loses nothing, and shows no secret and no address."""

from __future__ import annotations

import logging

import httpx
import pytest

from mailing_api.errors import ConfigurationError
from tap_mailing.tap import StreamsFailed, TapMailing

CANARIES = ("canary-key", "canary-secret", "canary@inbox.test", "canary%40inbox.test")


@pytest.fixture(autouse=True)
def _no_canary_in_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    yield
    for canary in CANARIES:
        assert canary not in caplog.text


def contact(number):
    return {"ID": number, "Email": "canary@inbox.test", "Name": ""}


def json_error(status, message):
    return httpx.Response(status, json={"ErrorInfo": "", "ErrorMessage": message, "StatusCode": status})


def html(status):
    return httpx.Response(status, html="<html>canary@inbox.test</html>")


@pytest.mark.parametrize(
    ("answer", "failure", "said"),
    [
        (html(403), "PermissionDenied", "administrator"),
        (json_error(404, "Object not found canary@inbox.test"), "NotFound", "object_not_found"),
        (json_error(400, 'MJ18 "canary@inbox.test" exists'), "RequestRefused", "MJ18"),
        (html(429), "RateLimited", "max_requests_per_second"),
        (html(500), "ProviderFault", "HTTP 500"),
        (json_error(500, "Could not determine HTTP module for request"), "RequestRefused", "mailjet_base_url"),
        (html(200), "UnreadableAnswer", "could not be read"),
        (httpx.Response(200, content=b'{"Count": 1, "Data": [{"Email": "canary@in'), "UnreadableAnswer", "read"),
        (httpx.Response(200, json={"Count": 0}), "UnreadableAnswer", "read"),
        (httpx.Response(200, json={"Data": [contact(2), contact(1)]}), "IncompleteExtraction", "not sorted"),
        (httpx.Response(200, json={"Data": [{"Email": "canary@inbox.test"}]}), "UnreadableAnswer", "ID"),
    ],
)
def test_p6_a_stream_that_fails_fails_the_run_after_the_others_were_read(fake, caplog, answer, failure, said):
    mailjet = fake(contactslist=[{"ID": 1}])
    mailjet.broken["contact"] = lambda _: answer
    run = mailjet.read("mailjet_contacts", "mailjet_mailing_lists", config={"max_requests_per_second": 1e6})
    assert isinstance(run.error, StreamsFailed)
    assert "1 of 2 streams" in str(run.error)
    assert f"mailjet_contacts ({failure})" in str(run.error)
    assert run.ids("mailjet_mailing_lists") == ["1"]
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert line.startswith("mailjet_contacts was not read completely: ")
    assert said in line


def test_a_connection_that_breaks_is_the_providers_fault(fake):
    def drop(request):
        raise httpx.ReadError("canary@inbox.test", request=request)

    mailjet = fake()
    mailjet.broken["contact"] = drop
    run = mailjet.read("mailjet_contacts")
    assert "ProviderFault" in str(run.error)


def test_a_storm_of_429_is_survived(fake):
    mailjet = fake(contact=[contact(1)])
    answers = iter([html(429)] * 5)
    mailjet.broken["contact"] = lambda _: next(answers, None) or mailjet.page(mailjet.collections["contact"])
    run = mailjet.read("mailjet_contacts", without=("properties",), config={"max_requests_per_second": 1e6})
    assert run.error is None
    assert run.ids("mailjet_contacts") == ["1"]


@pytest.mark.parametrize("body", [b"", b'{"ErrorMessage": "API key authentication/authorization failure."}'])
def test_wrong_credentials_are_tried_once(fake, caplog, body):
    mailjet = fake()
    for resource in ("contact", "contactslist", "contactfilter", "contactmetadata", "contactdata"):
        mailjet.broken[resource] = lambda _: httpx.Response(401, content=body, headers={"Content-Type": "text/html"})
    run = mailjet.read("mailjet_contact_filters", "mailjet_contacts", "mailjet_mailing_lists")
    assert len(mailjet.requests) == 1
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "Check `mailjet_api_key`" in errors[0]
    assert "3 of 3 streams" in str(run.error)
    assert run.records("mailjet_contacts") == []


def test_a_server_that_is_not_there_is_tried_by_one_stream_only(fake, caplog):
    caplog.set_level(logging.INFO)
    mailjet = fake()

    def nobody(_):
        raise httpx.ConnectError("canary")

    for resource in ("contact", "contactslist", "contactfilter", "contactmetadata", "contactdata"):
        mailjet.broken[resource] = nobody
    run = mailjet.read("mailjet_contact_filters", "mailjet_contacts", "mailjet_mailing_lists")
    assert len({resource for resource, *_ in mailjet.requests}) == 1
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "cannot be reached. Check `mailjet_base_url`." in line
    assert caplog.text.count("was not read, for the reason logged above.") == 2
    assert "3 of 3 streams" in str(run.error)


def test_p9_a_missing_credential_is_named_before_anything_is_written(fake):
    mailjet = fake()
    run = mailjet.read("mailjet_contacts", config={"mailjet_secret_key": None})
    assert isinstance(run.error, ConfigurationError)
    assert "`mailjet_secret_key`" in str(run.error)
    assert run.messages == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("start_date", "the day before yesterday"),
        ("start_date", "P1D"),
        ("lookback", "a while"),
        ("lookback", -1),
        ("concurrency", 0),
        ("max_requests_per_second", 0),
        ("request_timeout", -5),
        ("mailjet_base_url", "api.mailjet.com"),
    ],
)
def test_p9_a_wrong_setting_is_named_before_anything_is_written(fake, setting, value):
    run = fake().read("mailjet_contacts", config={setting: value})
    assert isinstance(run.error, ConfigurationError)
    assert f"`{setting}`" in str(run.error)
    assert run.messages == []


def test_p9_a_setting_that_does_not_exist_is_named(fake, caplog):
    fake().read("mailjet_contacts", config={"mailjet_key_for_api": "x", "pages": 4})
    (line,) = [record.getMessage() for record in caplog.records if "does not have" in record.getMessage()]
    assert line == "Settings that this tap does not have are ignored: mailjet_key_for_api, pages."


def test_p9_streams_that_do_not_exist_are_named(fake, tap, caplog):
    chosen = tap.catalog("mailjet_contacts")
    chosen["streams"].append(
        {**chosen["streams"][0], "tap_stream_id": "mailjet_campaigns", "stream": "mailjet_campaigns"}
    )
    run = fake(contact=[contact(1)]).read(catalog=chosen)
    assert "does not have: mailjet_campaigns" in caplog.text
    assert run.ids("mailjet_contacts") == ["1"]


def test_p9_nothing_selected_is_reported(fake, caplog):
    run = fake().read("nothing")
    assert "No stream is selected" in caplog.text
    assert run.messages == []


def test_p9_an_incremental_request_for_a_full_stream_is_reported(fake, tap, caplog):
    chosen = tap.catalog("mailjet_contacts")
    for stream in chosen["streams"]:
        stream["replication_method"], stream["replication_key"] = "INCREMENTAL", "updated_at"
    run = fake(contact=[contact(1)]).read(catalog=chosen)
    assert "mailjet_contacts can only be read in full" in caplog.text
    assert run.ids("mailjet_contacts") == ["1"]
    assert run.bookmark("mailjet_contacts") is None


def test_p7_a_defect_is_reported_without_the_row(fake, caplog):
    mailjet = fake(contact=[contact(1)])

    def broken(_):
        raise RuntimeError("canary@inbox.test")

    mailjet.broken["contactslist"] = broken
    run = mailjet.read("mailjet_mailing_lists", "mailjet_contacts")
    assert "mailjet_mailing_lists (RuntimeError)" in str(run.error)
    assert run.ids("mailjet_contacts") == ["1"]
    assert 'conftest.py", line' in caplog.text


def test_p7_a_stream_map_that_fails_shows_no_row(fake, caplog):
    maps = {"mailjet_contacts": {"upper": "nonsense(email)"}}
    run = fake(contact=[contact(1)]).read("mailjet_contacts", config={"stream_maps": maps})
    assert "mailjet_contacts (ConfigurationError)" in str(run.error)
    assert "`stream_maps.mailjet_contacts.upper`: the expression failed on a row (FunctionNotDefined)" in caplog.text


@pytest.mark.parametrize("maps", [None, {}, {"mailjet_mailing_lists": None}])
def test_null_stream_maps_are_none(fake, maps):
    run = fake(contactslist=[{"ID": 1}]).read("mailjet_mailing_lists", config={"stream_maps": maps})
    assert run.error is None
    assert run.ids("mailjet_mailing_lists") == (["1"] if not maps else [])


def test_p9_columns_that_flattening_makes_equal_are_reported(fake):
    config = {"flattening_enabled": True, "flattening_max_depth": 3, "flattening_max_key_length": 1}
    with pytest.raises(ConfigurationError, match="larger `flattening_max_key_length`"):
        fake().read("mailjet_contacts", config=config)


def test_a_value_that_only_the_bookmark_needs_is_reported_too(fake, caplog):
    job = {"ID": 1, "Status": "Completed", "RequestAt": 0, "JobStart": "canary-key"}
    run = fake(batchjob=[job]).read("mailjet_import_jobs", without=("started_at",))
    assert "mailjet_import_jobs (UnreadableAnswer)" in str(run.error)
    assert "an undocumented type in the fields of the bookmark" in caplog.text


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ({"mailjet_contacts": {"__alias__": "1 / 0"}}, "`stream_maps` cannot be used .ZeroDivisionError"),
        ({"mailjet_contacts": {"__alias__": "1 + 1"}}, "the `__alias__` of stream 'mailjet_contacts'"),
        ({"mailjet_contacts": {"__key_properties__": ["nope"]}}, "`stream_maps`: Invalid key properties .*nope"),
    ],
)
def test_p9_stream_maps_that_cannot_be_used_are_named(maps, expected):
    config = {"mailjet_api_key": "k", "mailjet_secret_key": "s", "stream_maps": maps}
    with pytest.raises(ConfigurationError, match=expected):
        TapMailing(config=config)


def test_a_map_for_a_stream_that_does_not_exist_is_reported(caplog):
    config = {"mailjet_api_key": "k", "mailjet_secret_key": "s", "stream_maps": {"mailjet_contact": {"x": "1"}}}
    _ = TapMailing(config=config).mapper
    assert "there is no stream for 'mailjet_contact'; there are: 'mailjet_" in caplog.text
    assert "Did you mean 'mailjet_contacts'?" in caplog.text
