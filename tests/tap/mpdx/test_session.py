"""Tokens: given, exchanged, renewed, refused; and how fast MPDX is asked."""

from __future__ import annotations

import logging
import time

import pytest

from .conftest import ACCOUNT_LISTS, CONTACTS, PEOPLE

ACCESS = "sandbox-secret"


def errors(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_an_access_token_is_exchanged_once_a_run(make, wire, read):
    make("A")
    run = read(ACCOUNT_LISTS, CONTACTS, PEOPLE, mpdx_access_token=ACCESS)
    assert run.error is None
    assert wire.bodies("user/authenticate") == [
        {"type": "authenticate", "attributes": {"provider": "okta", "access_token": ACCESS}}
    ]


def test_a_token_that_ends_in_the_middle_of_a_run_is_renewed(make, mpdx, wire, read, names):
    make(*(f"Name {number}" for number in range(150)))
    wire.before["GET", "contacts", 2] = mpdx.revoke_tokens
    run = read(CONTACTS, mpdx_access_token=ACCESS)
    assert run.error is None
    assert len(names(run)) == 150
    assert len(wire.bodies("user/authenticate")) == 2


def test_a_token_about_to_end_is_renewed_before_it_does(make, sandbox, wire, read):
    make("A")
    sandbox.switches.change({"mpdx_token_days": 60 / 86400})
    run = read(CONTACTS, mpdx_access_token=ACCESS)
    assert run.error is None
    assert len(wire.bodies("user/authenticate")) > 1


def test_a_given_token_wins(make, sandbox, wire, read):
    make("A")
    read(CONTACTS, mpdx_token=sandbox.mpdx.token(), mpdx_access_token="canary-access")
    assert wire.bodies("user/authenticate") == []


def test_an_expired_token_is_one_error_and_the_bookmarks_stay(make, sandbox, wire, read, caplog):
    make("A")
    expired = sandbox.mpdx.token(seconds=60)
    sandbox.clock.advance(61)
    run = read(CONTACTS, PEOPLE, mpdx_token=expired)
    (line,) = errors(caplog)
    assert "expired: get a new one" in line
    assert "2 of 2 streams" in str(run.error)
    assert len(wire.requests) == 1
    assert not any(run.state["bookmarks"].values())


@pytest.mark.slow
def test_a_token_that_cannot_be_renewed_is_warned_of_in_time(make, sandbox, read, caplog):
    make("A")
    assert read(CONTACTS, mpdx_token=sandbox.mpdx.token(seconds=86400)).error is None
    (line,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert line.startswith("MPDX: the token in `mpdx_token` expires at 20")
    caplog.clear()
    read(CONTACTS)
    assert "expires at" not in caplog.text


@pytest.mark.parametrize("token", ["canary-token", "canary.token.x", "canary.e30.x"])
def test_a_token_that_is_none_is_refused(make, read, caplog, token):
    make("A")
    assert "AuthenticationError" in str(read(CONTACTS, mpdx_token=token).error)
    assert "canary" not in caplog.text


def test_a_refused_access_token_is_tried_once(make, wire, read, caplog):
    make("A")
    run = read(CONTACTS, PEOPLE, mpdx_access_token="canary-access")
    assert len(wire.requests) == 1
    assert "AuthenticationError" in str(run.error)
    assert "user/authenticate" in errors(caplog)[0]


def test_an_unreadable_exchange_is_reported(make, sandbox, read):
    make("A")
    content = '{"data": {"id": "x", "type": "authenticate", "attributes": {}}}'
    sandbox.faults.add(kind="status", status=200, content=content, path="*/authenticate", times=None)
    assert "UnreadableAnswer" in str(read(CONTACTS, mpdx_access_token=ACCESS).error)


@pytest.mark.parametrize("wanted", [["Nowhere"], ["00000000-0000-4000-8000-000000000000"]])
def test_p9_an_unknown_account_list_is_named(make, read, caplog, wanted):
    make("A")
    run = read(CONTACTS, mpdx_account_lists=["Stateside", *wanted])
    assert "ConfigurationError" in str(run.error)
    (line,) = errors(caplog)
    assert "`mpdx_account_lists`: entry 2 is not an account list that the token's user can see" in line
    assert wanted[0] not in line


def test_p9_a_name_of_two_account_lists_is_reported(mpdx, home, read, caplog):
    mpdx.add_account_list("Stateside")
    read(CONTACTS, mpdx_account_lists=["Stateside"])
    assert "entry 1 is the name of several account lists; use the ID" in errors(caplog)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("mpdx_base_url", "api.mpdx.org"),
        ("mpdx_account_lists", []),
        ("mpdx_export_filter", {"account_list_id": "x"}),
        ("mpdx_export_filter", {"status": None}),
        ("mpdx_export_filter", {"status": {"active": True}}),
        ("mpdx_export_filter", {"newsletter": "Physical"}),
    ],
)
def test_p9_a_wrong_setting_is_named_before_anything_is_written(read, setting, value):
    run = read(CONTACTS, **{setting: value})
    assert f"`{setting}`" in str(run.error)
    assert run.messages == []


@pytest.mark.slow
@pytest.mark.parametrize("headers", ["reset", "retry_after"])
def test_a_refusal_for_too_many_requests_is_waited_out_as_requested(make, sandbox, read, headers):
    make("A")
    sandbox.switches.change({"mpdx_rate_limit": 2, "mpdx_rate_seconds": 0.5, "mpdx_rate_headers": headers})
    began = time.monotonic()
    run = read(ACCOUNT_LISTS, CONTACTS)
    assert run.error is None
    assert len(run.records(CONTACTS)) == 1
    assert time.monotonic() - began > 0.9


def test_the_gateway_may_fail_now_and_then(make, sandbox, read):
    make("A")
    sandbox.faults.add(kind="status", status=504, body="html", path="/api/v2/contacts", times=2)
    sandbox.faults.add(kind="reset", path="/api/v2/contacts")
    assert len(read(CONTACTS).records(CONTACTS)) == 1
