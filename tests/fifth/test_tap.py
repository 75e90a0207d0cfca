"""Example Mail as a tap: full and incremental, by tokens that may expire, with contacts that share an address."""

from __future__ import annotations

import psycopg
import pytest

from tests.fifth.conftest import rows
from tests.postgresql import postgresql

pytestmark = pytest.mark.slow

CONTACTS, JOBS, LISTS = (f"examplemail_{kind}" for kind in ("contacts", "import_jobs", "mailing_lists"))


@pytest.fixture
def filled(world):
    for number in range(5):
        world.mail.add_contact(world.audience, f"reader{number // 2}@example.com", f"Reader {number}")
    world.mail.opt_out("reader2@example.com")
    world.mail.change(examplemail_page_size=2)
    return world


def test_everything_is_read_then_only_what_changed(filled):
    first = filled.extract()
    assert first.code == 0, first.log
    assert [one["name"] for one in first.records(LISTS)] == ["Readers"]
    records = {one["id"]: one for one in first.records(CONTACTS)}
    assert {number: one["email"] for number, one in records.items()} == {
        one["id"]: one["email"] for one in filled.mail.contacts()
    }
    assert {one["subscription_status"] for one in records.values()} == {"subscribed", "unsubscribed"}
    assert {one["provider"] for one in records.values()} == {"examplemail"}
    again = filled.extract(state=first.state)
    newest = max(one["updated_at"] for one in records.values())
    assert {one["updated_at"] for one in again.records(CONTACTS)} == {newest}, "those of the bookmark's moment"
    number = next(iter(records))
    filled.mail.change_contact(number, email="new@example.com")
    later = filled.extract(state=again.state)
    assert number in {one["id"] for one in later.records(CONTACTS)}
    assert len(later.records(CONTACTS)) < len(records)
    assert later.records(LISTS)


def test_the_state_of_a_run_that_failed_resumes(filled):
    """A stream that fails keeps its bookmark; the others move on."""
    state = filled.extract().state
    filled.mail.add_contact(filled.audience, "late@example.com")
    filled.sandbox.faults.add(kind="status", status=400, path="*/contacts", times=None)
    failed = filled.extract(state=state)
    assert failed.code == 1
    assert f"{CONTACTS} (RequestRefused)" in failed.log
    assert failed.state["bookmarks"][CONTACTS] == state["bookmarks"][CONTACTS]
    filled.sandbox.faults.clear()
    emails = [one["email"] for one in filled.extract(state=failed.state).records(CONTACTS)]
    assert "late@example.com" in emails


def test_a_listing_whose_token_expired_is_read_from_its_beginning(filled):
    fault = filled.sandbox.faults.add(
        kind="status", status=410, path="*/contacts", skip=1, content='{"error": {"code": "cursor_expired"}}'
    )
    read = filled.extract()
    assert (read.code, fault.hits) == (0, 1), read.log
    assert {one["id"] for one in read.records(CONTACTS)} == {one["id"] for one in filled.mail.contacts()}


def test_a_job_that_has_not_ended_is_read_again(filled):
    filled.deliver(rows([1]))
    filled.mail.plan_jobs([{"stall": True}])
    filled.deliver(rows([2]), job_timeout=0.1)
    first = filled.extract()
    assert sorted(one["is_terminal"] for one in first.records(JOBS)) == [False, True]
    again = filled.extract(state=first.state)
    assert [one["status"] for one in again.records(JOBS)] == ["waiting"]
    filled.mail.finish_jobs()
    assert [one["status"] for one in filled.extract(state=again.state).records(JOBS)] == ["finished"]


def test_its_own_setting_limits_what_is_read(filled):
    read = filled.extract(examplemail_include_opted_out=False)
    assert {one["subscription_status"] for one in read.records(CONTACTS)} == {"subscribed"}


def test_tap_and_target_of_one_workspace_share_its_rate(world):
    with postgresql() as url, psycopg.connect(url, autocommit=True) as connection:
        assert world.deliver(rows([1]), rate_budget=url).code == 0
        query = "SELECT revision FROM mailing_rate_budget.accounts"
        ((before,),) = connection.execute(query).fetchall()
        other = {"examplemail_account": "other", "examplemail_base_url": world.sandbox.url + "/"}
        assert world.extract(rate_budget=url, **other).code == 0
        ((after,),) = connection.execute(query).fetchall()
    assert after > before > 1
