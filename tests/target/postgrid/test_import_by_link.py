"""Route `import` where PostGrid fetches its files by links to a bucket: they arrive, and none stays there."""

from __future__ import annotations

import logging
import sys

import pytest

from tests.target.conftest import state
from tests.target.postgrid.conftest import FILES, household, households, link_files, objects
from tests.target.postgrid.test_imports import ABROAD, by_import, imports, rows, streets
from tests.target.ses.conftest import demand_encryption, retain_objects

__all__ = ["by_import"]


@pytest.fixture
def by_link(by_import, monkeypatch, tmp_path):
    """A PostGrid that takes no uploads."""
    link_files(by_import, monkeypatch, tmp_path)
    by_import.sandbox.switches.change({"postgrid_multipart": False})
    return by_import


@pytest.mark.slow
def test_files_arrive_by_links_that_lead_nowhere_afterwards(by_link):
    every = [household(n, address_country=ABROAD[n % 3]) for n in range(6)]
    result = by_link.deliver([households(), *every, state(1)])
    assert result.error is None
    assert result.counts() == {"delivered": 6}
    assert result.states == [1]
    assert streets(by_link) == [f"{n} Mill Lane" for n in range(6)]
    assert len(imports(by_link)) == 3
    assert objects(by_link.sandbox) == []


def test_a_bucket_with_object_lock_takes_files(by_link):
    retain_objects(by_link.sandbox, FILES)
    result = by_link.deliver(rows(1, 2))
    assert result.error is None
    assert result.counts() == {"delivered": 2}


def test_a_bucket_whose_policy_demands_an_encryption_header_is_sent_one(by_link):
    demand_encryption(by_link.sandbox, FILES, "AES256")
    assert "`postgrid_s3_encryption`" in str(by_link.deliver(rows(1, 2)).error)
    result = by_link.deliver(rows(1, 2), postgrid_s3_encryption="AES256")
    assert result.error is None
    assert result.counts() == {"delivered": 2}


@pytest.mark.slow
def test_links_and_addresses_are_in_no_log(by_link, caplog):
    caplog.set_level(logging.DEBUG)
    by_link.deliver(rows(1))
    told = caplog.text
    assert "X-Amz" not in told
    assert "Signature" not in told
    assert "Mill Lane" not in told


@pytest.mark.slow
def test_files_that_postgrid_cannot_fetch_are_rejected_and_not_kept(by_link):
    by_link.sandbox.switches.change({"postgrid_fetch": "never"})
    result = by_link.deliver(rows(1, 2))
    assert result.error is None
    assert result.counts() == {"rejected": 2}
    assert imports(by_link) == []
    assert objects(by_link.sandbox) == []


@pytest.mark.slow
def test_files_of_which_no_import_was_made_are_not_kept(by_link):
    by_link.sandbox.faults.add(
        kind="status", status=400, method="POST", path="/print-mail/v1/mailing_list_imports", skip=1, times=1
    )
    result = by_link.deliver([households(), household(1), household(2, address_country="US"), state(1)])
    assert result.error is None
    assert result.counts() == {"delivered": 2}
    assert objects(by_link.sandbox) == []


@pytest.mark.slow
def test_an_import_whose_reply_was_lost_has_its_file_for_as_long_as_it_needs_it(by_link):
    by_link.sandbox.faults.add(kind="reply_lost", method="POST", path="/print-mail/v1/mailing_list_imports", times=1)
    result = by_link.deliver(rows(1, 2))
    assert result.error is None
    assert result.counts() == {"delivered": 2}
    assert streets(by_link) == ["1 Mill Lane", "2 Mill Lane"]
    assert objects(by_link.sandbox) == []


@pytest.mark.slow
def test_files_of_a_batch_that_was_given_up_are_not_kept(by_link):
    by_link.sandbox.postgrid.plan_imports([{"stall": True}])
    result = by_link.deliver(rows(1), job_abandon=0.3)
    assert result.counts() == {"rejected": 1}
    assert objects(by_link.sandbox) == []


@pytest.mark.slow
def test_files_of_a_replacing_run_that_did_not_end_are_deleted_by_the_next_one(by_link):
    by_link.sandbox.postgrid.plan_imports([{"stall": True}])
    result = by_link.deliver(rows(1), job_timeout=0.3, postgrid_replace=True)
    assert "job_timeout" in str(result.error)
    assert len(objects(by_link.sandbox)) == 1
    assert by_link.deliver(rows(2), postgrid_replace=True).states == [1]
    assert streets(by_link) == ["2 Mill Lane"]
    assert objects(by_link.sandbox) == []


@pytest.mark.slow
def test_a_file_that_cannot_be_deleted_costs_nobody_a_letter(by_link, caplog):
    by_link.sandbox.faults.add(kind="status", status=403, method="DELETE", path="/s3/*")
    result = by_link.deliver(rows(1))
    assert result.error is None
    assert result.counts() == {"delivered": 1}
    assert "Could not delete a file from the bucket of `postgrid_s3_bucket`" in caplog.text


def test_credentials_that_may_write_and_not_read_are_told(by_link):
    by_link.sandbox.faults.add(kind="status", status=403, method="HEAD", path="/s3/*")
    result = by_link.deliver(rows(1))
    assert "add the permission s3:GetObject" in str(result.error)
    assert imports(by_link) == []
    assert objects(by_link.sandbox) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"postgrid_s3_bucket": "other"}, "Setting `postgrid_s3_bucket`: the bucket 'other' does not exist"),
        ({"postgrid_s3_bucket": "files/here"}, "Setting `postgrid_s3_bucket` is no"),
        ({"postgrid_s3_prefix": "/files/"}, "Setting `postgrid_s3_prefix` begins with a slash"),
        ({"postgrid_s3_region": None}, "Setting `postgrid_s3_region` must be the region of `postgrid_s3_bucket`"),
        ({"postgrid_s3_region": "evil.example#"}, "Setting `postgrid_s3_region` must be the region"),
        ({"postgrid_s3_endpoint_url": "s3"}, "Setting `postgrid_s3_endpoint_url` is not a URL"),
    ],
)
def test_p9_wrong_settings_are_told_before_any_row(by_link, monkeypatch, change, said):
    monkeypatch.delenv("AWS_REGION", raising=False)
    result = by_link.deliver(rows(1), **change)
    assert said in str(result.error)
    assert imports(by_link) == []


def test_p9_without_credentials(by_link, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = by_link.deliver(rows(1))
    assert "No AWS credentials were found. Set a source of AWS's credential chain" in str(result.error)


def test_p9_without_botocore(by_link, monkeypatch):
    monkeypatch.setitem(sys.modules, "mailing_api.aws.session", None)
    result = by_link.deliver(rows(1))
    assert "the package botocore is not installed" in str(result.error)
    assert "extra `s3`" in str(result.error)
