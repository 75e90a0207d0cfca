"""What becomes of a PostGrid list's rows whose job went wrong: in part, late, for somebody who is gone, unanswered."""

from __future__ import annotations

import pytest

from target_mailing.postgrid import import_route
from target_mailing.postgrid.contacts_route import ReadErrors
from tests.faults.pairs import crossed
from tests.target.conftest import state
from tests.target.postgrid.conftest import delete, household, households
from tests.target.postgrid.test_jobs import JOBS, rows, start, until

#: Each waits for jobs of a sandbox of its own.
pytestmark = pytest.mark.slow

OTHERS = {"streams": {"others": {"list": "Other"}}}


@pytest.fixture
def plan(postgrid):
    return lambda *plans: postgrid.sandbox.postgrid.plan_jobs(plans)


@pytest.fixture
def another(postgrid):
    """A journal that is not the one that filled the list."""
    postgrid.deliver([households(), household(99), state(1)])
    return str(postgrid.folder / "another.sqlite")


@pytest.fixture
def busy(postgrid, plan):
    """Keeps the list busy until it is called."""
    account = postgrid.sandbox.postgrid._account.test
    someone = postgrid.sandbox.postgrid.add_contacts([{"firstName": "A", "addressLine1": "1 B", "countryCode": "GB"}])
    plan({"hold": True})
    account.jobs.submit(account.store.lists.get(postgrid.number), "addContacts", someone)
    return lambda: postgrid.sandbox.postgrid.finish_job(postgrid.number)


def streets_of(postgrid, number):
    return sorted(one["addressLine1"] for one in postgrid.sandbox.postgrid.members(number)["contacts"].values())


def versions(postgrid, keys, count):
    """So many older contacts of each key, of which the last is on the list."""
    postgrid.sandbox.postgrid.add_contacts(
        {
            "firstName": f"Family {key}", "addressLine1": f"{key} Old Street {one}", "countryCode": "GB",
            "metadata": {"external_id": str(key), "external_stream": "households"},
            **({"list": postgrid.number} if one == count - 1 else {}),
        }
        for key in range(keys)
        for one in range(count)
    )  # fmt: skip


# Answers that are none


@pytest.mark.parametrize("odd", [{"status": 302, "body": "empty"}, {"status": 200, "body": "html"}])
def test_p1_an_odd_answer_to_a_job_that_was_not_made_delivers_nobody(postgrid, odd):
    fault = postgrid.sandbox.faults.add(kind="status", method="POST", path=JOBS, **odd)
    result = postgrid.deliver(rows(2))
    assert fault.hits == 1
    assert result.counts() == {"delivered": 2}
    assert result.outcomes["resubmitted"] == 2
    assert len(postgrid.on_list()) == 2


def test_a_job_that_postgrid_fails_to_take_is_posted_until_it_does(postgrid):
    postgrid.sandbox.faults.add(kind="status", status=503, method="POST", path=JOBS, times=20)
    result = postgrid.deliver(rows(3))
    assert result.counts() == {"delivered": 3}
    assert postgrid.jobs() == [("addContacts", 3)]
    assert sum(one["route"] == "contacts" for one in postgrid.sandbox.postgrid.received()) == 3


def test_p1_and_after_job_timeout_the_next_run_delivers(postgrid):
    postgrid.sandbox.faults.add(kind="status", status=503, method="POST", path=JOBS, times=None)
    result = postgrid.deliver(rows(3), job_timeout=0.3)
    assert "job_timeout" in str(result.error)
    assert result.states == []
    postgrid.sandbox.faults.clear()
    again = postgrid.deliver(rows(3))
    assert again.counts() == {"delivered": 3}
    assert again.outcomes["resubmitted"] == 3


def test_p3_a_job_that_may_have_begun_is_remembered_although_the_run_fails_before_it_is_posted_again(postgrid):
    postgrid.sandbox.faults.add(kind="reply_lost", method="POST", path=JOBS)
    postgrid.sandbox.faults.add(kind="status", status=404, method="GET", path="/print-mail/v1/mailing_lists/*", skip=4)
    assert postgrid.deliver(rows(1)).error is not None
    until(lambda: postgrid.streets() == ["0 Mill Lane"])
    assert postgrid.deliver(rows(1, address_line1="9 New Street")).error is None
    assert postgrid.streets() == ["9 New Street"]


# Jobs of which a part was done


def test_rows_that_came_in_a_job_that_failed_leave_their_old_contacts(postgrid, plan, another):
    postgrid.deliver(rows(4))
    plan({"errors": ["operational_error"], "applied": "half"})
    result = postgrid.deliver(rows(4, address_city="York"), journal=another)
    assert result.counts() == {"delivered": 4}
    assert sorted(one["city"] for one in postgrid.on_list().values()) == ["Leeds", *["York"] * 4]


def test_rows_that_did_not_come_keep_their_old_contacts_when_others_leave_theirs(postgrid, plan, another):
    postgrid.deliver(rows(4))
    plan({"errors": ["operational_error"], "applied": "half"}, {}, *([{"errors": ["operational_error"]}] * 9))
    result = postgrid.deliver(rows(4, address_line1="9 New Street"), journal=another)
    assert result.counts() == {"delivered": 2, "rejected": 2}
    assert postgrid.streets() == ["2 Mill Lane", "3 Mill Lane", "9 New Street", "9 New Street", "99 Mill Lane"]


def test_a_row_that_no_job_takes_is_rejected_and_its_old_contact_stays(postgrid, another):
    postgrid.deliver(rows(2))
    postgrid.sandbox.faults.add(kind="status", status=422, method="POST", path=JOBS, times=None)
    result = postgrid.deliver(rows(2, address_line1="9 New Street"))
    assert result.outcomes["reasons"] == {"not_imported": 2}
    assert result.outcomes["resubmitted"] == 0
    postgrid.sandbox.faults.clear()
    assert postgrid.streets() == ["0 Mill Lane", "1 Mill Lane", "99 Mill Lane"]


def test_rows_that_left_in_a_job_that_failed_are_deleted_where_that_is_set(postgrid, plan):
    postgrid.deliver(rows(4))
    plan({"errors": ["operational_error"], "applied": "half"})
    gone = [households(), *(delete(n) for n in range(4)), state(2)]
    assert postgrid.deliver(gone, postgrid_delete_old_contacts=True).counts() == {"delivered": 4}
    assert postgrid.sandbox.postgrid.contacts() == {}


def test_where_postgrid_does_not_tell_lists_a_row_in_a_job_that_failed_is_unconfirmed(postgrid, plan):
    postgrid.sandbox.switches.change({"postgrid_contact_lists": "absent"})
    plan({"errors": ["operational_error"], "applied": "all"})
    result = postgrid.deliver(rows(1))
    assert result.outcomes["reasons"] == {"unconfirmed": 1}
    assert postgrid.deliver(rows(1, address_line1="9 New Street")).counts() == {"delivered": 1}
    assert postgrid.streets() == ["9 New Street"]


# Somebody who is gone


@pytest.mark.parametrize(
    ("unknown", "deleted", "count"), crossed(["reject", "job_error"], ["missing", "shown"], [1, 3])
)
def test_p1_a_contact_that_is_deleted_before_its_job_is_made_again(postgrid, busy, unknown, deleted, count):
    postgrid.sandbox.switches.change({"postgrid_unknown_contact": unknown, "postgrid_deleted": deleted})
    store = postgrid.sandbox.postgrid._account.test.store
    thread, results = start(postgrid, rows(count))
    until(lambda: len(list(store.contacts)) == count + 1)
    store.delete_contact(next(one for one in store.contacts if one.sent["addressLine1"] == "0 Mill Lane"))
    busy()
    thread.join(30)
    assert results[0].counts() == {"delivered": count}
    assert postgrid.streets() == sorted(["1 B", *(f"{n} Mill Lane" for n in range(count))])


@pytest.mark.parametrize("unknown", ["reject", "job_error"])
def test_p1_somebody_who_changes_lists_is_not_lost_when_the_old_list_deletes_contacts(postgrid, busy, unknown):
    postgrid.sandbox.switches.change({"postgrid_unknown_contact": unknown})
    other = postgrid.sandbox.postgrid.add_list("Other")
    others = households() | {"stream": "others"}
    config = {**OTHERS, "postgrid_delete_old_contacts": True, "max_removals": "100%"}
    postgrid.deliver([others, household(1, stream="others")], **config)
    (before,) = postgrid.sandbox.postgrid.members(other)["contacts"]
    gone = delete(1) | {"stream": "others"}
    thread, results = start(postgrid, [households(), household(1), others, gone, state(2)], **config)
    until(lambda: before not in postgrid.sandbox.postgrid.contacts())
    busy()
    thread.join(30)
    assert results[0].counts() == {"delivered": 2}
    assert postgrid.streets() == ["1 B", "1 Mill Lane"]
    assert streets_of(postgrid, other) == []


def test_p1_nobody_joins_a_list_between_the_look_at_his_contact_and_its_deletion(postgrid):
    other = postgrid.sandbox.postgrid.add_list("Other")
    others = households() | {"stream": "others"}
    config = {**OTHERS, "postgrid_delete_old_contacts": True, "max_removals": "100%"}
    postgrid.deliver([others, household(1, stream="others")], **config)
    look = postgrid.sandbox.faults.add(kind="hold", method="GET", path="/print-mail/v1/contacts/*", when="after")
    made = postgrid.sandbox.faults.add(kind="hold", method="POST", path="/print-mail/v1/contacts", when="before")
    gone = delete(1) | {"stream": "others"}
    thread, results = start(postgrid, [households(), household(1), others, gone, state(2)], **config)
    made.wait_until_held(timeout=30)
    look.wait_until_held(timeout=30)
    made.release()
    thread.join(0.5)  # time enough for the job, if it did not wait
    look.release()
    thread.join(30)
    assert results[0].counts() == {"delivered": 2}
    assert postgrid.streets() == ["1 Mill Lane"]
    assert streets_of(postgrid, other) == []


def test_p1_a_contact_that_a_job_is_about_to_put_on_a_list_is_not_deleted(postgrid, plan):
    other = postgrid.sandbox.postgrid.add_list("Other")
    others = households() | {"stream": "others"}
    config = {**OTHERS, "postgrid_delete_old_contacts": True, "max_removals": "100%"}
    postgrid.deliver([others, household(1, stream="others")], **config)
    plan({"seconds": 0.5})
    root = "/print-mail/v1"
    faults = postgrid.sandbox.faults
    leave = faults.add(kind="hold", method="POST", path=f"{root}/mailing_lists/{other}/jobs", when="before")
    deletion = faults.add(kind="hold", method="DELETE", path=f"{root}/contacts/*", when="before")
    gone = delete(1) | {"stream": "others"}
    thread, results = start(postgrid, [households(), household(1), others, gone, state(2)], **config)
    leave.wait_until_held(timeout=30)
    until(lambda: len(postgrid.jobs()) == 2)
    leave.release()
    until(lambda: all(job["ended"] for job in postgrid.sandbox.postgrid.jobs()[:2]))
    deletion.release()
    thread.join(30)
    assert results[0].counts() == {"delivered": 2}
    assert postgrid.streets() == ["1 Mill Lane"]


# Jobs that show late


@pytest.fixture
def late(postgrid, monkeypatch):
    """Jobs show an hour after they were posted, for which nobody waits; it is over once a job was given up."""
    judge = ReadErrors.run

    def judged(step, work):
        verdict = judge(step, work)
        postgrid.sandbox.clock.advance(3601.0)
        return verdict

    monkeypatch.setattr(ReadErrors, "run", judged)
    monkeypatch.setattr("target_mailing.postgrid.list_job.SHOWS_WITHIN", 0.1)
    postgrid.sandbox.switches.change({"postgrid_job_delay_seconds": 3600.0})


def test_a_job_that_shows_late_and_in_time_delivers(postgrid):
    postgrid.sandbox.switches.change({"postgrid_job_delay_seconds": 0.3})
    assert postgrid.deliver(rows(2)).counts() == {"delivered": 2}
    assert postgrid.jobs() == [("addContacts", 2)]


@pytest.mark.parametrize("errors", [[], ["operational_error"]])
def test_p1_a_job_that_shows_too_late_delivers_only_who_is_on_the_list(postgrid, plan, late, errors):
    plan(*([{"errors": errors}] * 60))
    result = postgrid.deliver(rows(2))
    until(lambda: all(job["ended"] for job in postgrid.sandbox.postgrid.jobs()))
    if errors:
        assert result.outcomes["reasons"] == {"unconfirmed": 2}
    else:
        assert result.counts() == {"delivered": 2}
    assert len(postgrid.on_list()) == (0 if errors else 2)


def test_p1_a_job_that_shows_too_late_confirms_nobody_where_postgrid_does_not_tell_lists(postgrid, late):
    postgrid.sandbox.switches.change({"postgrid_contact_lists": "absent"})
    result = postgrid.deliver(rows(2))
    assert result.outcomes["reasons"] == {"unconfirmed": 2}
    until(lambda: all(job["ended"] for job in postgrid.sandbox.postgrid.jobs()))
    postgrid.sandbox.switches.change({"postgrid_job_delay_seconds": 0.0})
    assert postgrid.deliver(rows(2, address_city="York")).counts() == {"delivered": 2}
    assert {one["city"] for one in postgrid.on_list().values()} == {"York"}


def test_p1_a_job_of_imports_that_shows_too_late_is_undone(postgrid, late, monkeypatch):
    """It shows, and ends, once it was given up."""
    postgrid.sandbox.switches.change({"postgrid_import_seconds": 0.02})
    given_up = import_route.Judge.run

    def judge(step, work):
        verdict = given_up(step, work)
        postgrid.sandbox.switches.change({"postgrid_job_delay_seconds": 0.0})
        postgrid.sandbox.postgrid.finish_job(postgrid.number)
        return verdict

    monkeypatch.setattr(import_route.Judge, "run", judge)
    result = postgrid.deliver(rows(1), route="import")
    assert (result.counts(), result.outcomes["reasons"]) == ({"rejected": 1}, {"not_imported": 1})
    assert postgrid.jobs() == [("addMailingListImports", 1), ("removeMailingListImports", 1)]
    assert postgrid.sandbox.postgrid.members(postgrid.number)["imports"] == {}


def test_a_job_of_an_earlier_run_that_never_showed_is_not_taken_for_done(postgrid, plan, monkeypatch):
    postgrid.sandbox.switches.change({"postgrid_job_delay_seconds": 60.0})
    assert "job_timeout" in str(postgrid.deliver(rows(1), job_timeout=0.2).error)
    postgrid.sandbox.postgrid._account.test.jobs._active.clear()
    postgrid.sandbox.switches.change({"postgrid_job_delay_seconds": 0.0})
    monkeypatch.setattr("target_mailing.postgrid.list_job.SHOWS_WITHIN", 0.1)
    assert postgrid.deliver(rows(1)).counts() == {"delivered": 1}
    assert postgrid.streets() == ["0 Mill Lane"]


# More than one job names


@pytest.mark.parametrize("errors", [[], ["operational_error"]])
def test_all_older_versions_leave_by_as_many_jobs_as_they_need(postgrid, plan, another, errors):
    versions(postgrid, keys=6, count=105)
    plan({}, {"errors": errors, "applied": "half" if errors else "all"})
    result = postgrid.deliver(rows(6), journal=another)
    assert result.counts() == {"delivered": 6}
    assert postgrid.streets() == sorted(["99 Mill Lane", *(f"{n} Mill Lane" for n in range(6))])
    assert result.states == [1]
    if not errors:
        assert postgrid.jobs()[1:] == [("addContacts", 6), ("removeContacts", 500), ("removeContacts", 130)]


def test_all_older_versions_of_rows_that_leave_are_found(postgrid, another):
    versions(postgrid, keys=6, count=105)
    gone = [households(), *(delete(n) for n in range(6)), state(1)]
    assert postgrid.deliver(gone, journal=another).counts() == {"delivered": 6}
    assert postgrid.streets() == ["99 Mill Lane"]


# Whose contacts are ours


def test_a_row_that_leaves_is_found_also_where_another_journal_made_its_contact_anew(postgrid, another):
    postgrid.deliver(rows(2), journal=another)
    postgrid.deliver(rows(2, address_line1="9 New Street"))
    gone = [households(), delete(0), household(1, subscription_status="unsubscribed"), state(1)]
    assert postgrid.deliver(gone, journal=another).counts() == {"delivered": 2}
    assert postgrid.streets() == ["99 Mill Lane"]


@pytest.mark.parametrize("metadata", [{}, {"external_stream": "churches"}])
def test_a_contact_with_the_key_of_a_row_and_without_its_stream_is_somebody_elses(postgrid, another, metadata):
    foreign = {"firstName": "B", "addressLine1": "7 B Road", "countryCode": "GB", "list": postgrid.number}
    postgrid.sandbox.postgrid.add_contacts([foreign | {"metadata": {"external_id": "1", **metadata}}])
    gone = [households(), delete(1), state(1)]
    result = postgrid.deliver(gone, journal=another, postgrid_delete_old_contacts=True)
    assert result.counts() == {"delivered": 1}
    assert postgrid.streets() == ["7 B Road", "99 Mill Lane"]
