"""Several providers in one run: what is offered, what is read, and how one fails without the other."""

from __future__ import annotations

import logging

import pytest

from tap_mailing.tap import TapMailing

LISTS = "mpdx_account_lists"
CONTACTS = "mailjet_contacts"


@pytest.fixture
def both(sandbox, tap):
    return tap.settings(sandbox, mpdx_base_url=sandbox.url, mpdx_token=sandbox.mpdx.token())


def offered(**config):
    streams = TapMailing(config=config, validate_config=False, setup_mapper=False).streams
    return {stream.partition("_")[0] for stream in streams}


def test_streams_are_those_of_the_providers_that_are_set():
    assert offered() == offered(start_date="2024-01-01") == {"mailjet", "mpdx", "postgrid", "ses"}
    assert offered(mailjet_api_key="x", mpdx_token="") == {"mailjet"}
    assert offered(mpdx_token="x") == offered(mpdx_access_token="x") == {"mpdx"}
    assert offered(mailjet_api_key="x", mpdx_token="y") == {"mailjet", "mpdx"}
    assert offered(ses_regions=["eu-west-1"]) == {"ses"}
    assert offered(postgrid_api_key="x") == offered(postgrid_api_key="x", postgrid_live=True) == {"postgrid"}


@pytest.mark.slow
def test_both_are_read_in_one_run(both, tap):
    run = tap.run(both)
    assert run.error is None
    assert {record["provider"] for record in run.records(CONTACTS)} == {"mailjet"}
    assert {record["provider"] for record in run.records("mpdx_contacts")} == {"mpdx"}


@pytest.mark.parametrize(("wrong", "failed"), [("mailjet_secret_key", "mailjet"), ("mpdx_token", "mpdx")])
def test_wrong_credentials_of_one_leave_the_other_read(both, tap, wrong, failed):
    run = tap.run({**both, wrong: "canary"}, CONTACTS, LISTS)
    assert "1 of 2 streams" in str(run.error)
    assert "AuthenticationError" in str(run.error)
    assert bool(run.records(CONTACTS)) is (failed != "mailjet")
    assert bool(run.records(LISTS)) is (failed != "mpdx")


def said(caplog):
    """The log of a test, without what the SDK says before it begins."""
    lines = [one.getMessage() for one in caplog.records if one.name.startswith(("tap-", "singer_sdk.metrics"))]
    return [line for line in lines if not line.startswith("Skipping parse")]


def test_a_test_reports_on_each(both, tap, caplog):
    caplog.set_level(logging.INFO)
    run = tap.run({**both, "mpdx_token": "canary"}, test=True)
    assert "4 of 13 streams" in str(run.error)
    verdict, reason, mailjet, mpdx, _ = said(caplog)
    assert verdict == "The test failed: 4 of 13 streams could not be read."
    assert mailjet == "Mailjet: 9 of 9 streams could be read."
    assert mpdx == "MPDX: 0 of 4 streams could be read."
    assert "`mpdx_token`" in reason
    assert str(run.error).count("AuthenticationError") == 1


def test_a_test_says_first_that_it_passed(both, tap, caplog):
    caplog.set_level(logging.INFO)
    assert tap.run(both, test=True).error is None
    assert said(caplog)[0] == "The test passed: all 13 streams could be read."
    assert len(said(caplog)) == 4


def test_p9_wrong_settings_of_both_are_reported_together_before_anything_is_written(both, tap):
    run = tap.run({**both, "mailjet_base_url": "nowhere", "mpdx_base_url": "nowhere"}, CONTACTS, LISTS)
    assert "`mailjet_base_url`" in str(run.error)
    assert "`mpdx_base_url`" in str(run.error)
    assert run.messages == []


def test_p9_a_selected_stream_of_a_provider_that_is_not_set_is_reported(sandbox, both, tap):
    chosen = tap.catalog(CONTACTS, LISTS, config=both)
    run = tap.run(tap.settings(sandbox), catalog=chosen)
    assert f"The catalog selects {LISTS}, but `mpdx_token` or `mpdx_access_token` for MPDX is missing" in str(run.error)
    assert run.messages == []


def test_streams_of_a_provider_that_is_not_set_may_be_in_the_catalog(sandbox, both, tap, caplog):
    run = tap.run(tap.settings(sandbox), catalog=tap.catalog(CONTACTS, config=both))
    assert run.error is None
    assert run.records(CONTACTS)
    assert "does not have" not in caplog.text
