"""Dates before anything was: everything is read, whatever the provider makes of such a date."""

from __future__ import annotations

import pytest

from mailing_sandbox.server import Sandbox
from tap_mailing.tap import TapMailing

INCREMENTAL = [
    "mailjet_import_jobs",
    "mailjet_list_signups",
    "mailjet_list_unsubscribes",
    "mpdx_contacts",
    "mpdx_people",
    "mpdx_deleted_contacts",
    "postgrid_contacts",
    "postgrid_import_jobs",
    "postgrid_mailing_lists",
    "ses_contact_details",
    "ses_contacts",
    "ses_import_job_details",
    "ses_import_jobs",
    "ses_suppression_details",
    "ses_suppressions",
]


@pytest.fixture(scope="module")
def everything(tap_functions):
    """The settings of all providers over data that does not change, and what a run without dates reads."""
    with Sandbox(contacts=30, seed=5, switches={"mpdx_rate_limit": 0}) as sandbox:
        sandbox.mpdx.delete_contact(next(iter(sandbox.mpdx.contacts())))
        config = tap_functions.settings_of_all(sandbox)
        run = tap_functions.run(config, *INCREMENTAL)
        assert run.error is None
        yield config, run


@pytest.mark.slow
def test_the_table_holds_every_incremental_stream(everything):
    streams = TapMailing(config=everything[0]).streams
    assert {name for name, stream in streams.items() if stream.bookmark_column} == set(INCREMENTAL)


@pytest.mark.slow
@pytest.mark.parametrize("start", ["0001-01-01", "0001-01-01T00:00:00Z", "1582-10-15", "1969-12-31T23:59:59Z"])
def test_a_start_date_before_everything_reads_everything(everything, tap, start):
    config, whole = everything
    run = tap.run({**config, "start_date": start}, *INCREMENTAL)
    assert run.error is None
    for stream in INCREMENTAL:
        assert run.ids(stream) == whole.ids(stream)


@pytest.mark.slow
@pytest.mark.parametrize("lookback", [0, "P7D", "P100Y", 9e9])
@pytest.mark.parametrize("value", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"])
def test_a_bookmark_before_everything_reads_everything(everything, tap, value, lookback):
    config, whole = everything
    streams = TapMailing(config=config).streams
    entries = {
        name: {"replication_key": streams[name].bookmark_column, "replication_key_value": value} for name in INCREMENTAL
    }
    run = tap.run({**config, "lookback": lookback}, *INCREMENTAL, state={"bookmarks": entries})
    assert run.error is None
    for stream in INCREMENTAL:
        assert run.ids(stream) == whole.ids(stream)
    assert run.state["bookmarks"].keys() == whole.state["bookmarks"].keys()
    assert all(
        run.bookmark(name) == whole.bookmark(name) for name in INCREMENTAL if name != "mailjet_list_unsubscribes"
    )


@pytest.mark.parametrize("start", ["12:30", "2024", "now", "0000-01-01", "2024-02-30", "20240101"])
def test_p9_a_start_date_without_a_day_is_refused(everything, tap, start):
    run = tap.run({**everything[0], "start_date": start}, *INCREMENTAL)
    assert f"Setting `start_date` is {start!r}" in str(run.error)
    assert run.messages == []
