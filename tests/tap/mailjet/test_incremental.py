"""A second run reads what changed, all of it, and little else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from mailing_api.values import epoch, to_epoch

JOBS = "mailjet_import_jobs"
SIGNUPS = "mailjet_list_signups"
UNSUBSCRIBES = "mailjet_list_unsubscribes"
HOUR = 3600
T0 = to_epoch("2024-03-05T10:00:00.000000Z")


def job(number, requested, *, started=None, ended=None, status="Completed"):
    return {
        "ID": number,
        "JobType": "Send newsletter",
        "Status": status,
        "RefId": 0,
        "RequestAt": requested,
        "JobStart": requested + 10 if started is None else started,
        "AliveAt": 0,
        "JobEnd": requested + 20 if ended is None else ended,
    }


def again(mailjet, run, *streams, catalog=None, **options):
    mailjet.requests.clear()
    return mailjet.read(*streams, state=run.state, catalog=catalog, config={"lookback": HOUR, **options})


def first(mailjet, *streams, **options):
    return mailjet.read(*streams, config={"lookback": HOUR, **options})


def test_the_bookmark_is_the_latest_request(fake):
    run = first(fake(batchjob=[job(1, T0), job(2, T0 + 5 * HOUR), job(3, T0 + 2 * HOUR)]), JOBS)
    assert run.ids(JOBS) == ["1", "2", "3"]
    assert run.bookmark(JOBS) == epoch(T0 + 5 * HOUR)
    assert run.state["bookmarks"][JOBS].keys() == {"replication_key", "replication_key_value"}


def test_the_next_run_reads_from_the_bookmark_less_the_lookback(fake):
    mailjet = fake(batchjob=[job(1, T0), job(2, T0 + 5 * HOUR), job(3, T0 + 6 * HOUR)])
    run = first(mailjet, JOBS)
    mailjet.collections["batchjob"].append(job(4, T0 + 7 * HOUR))
    second = again(mailjet, run, JOBS)
    assert second.ids(JOBS) == ["2", "3", "4"]
    assert second.bookmark(JOBS) == epoch(T0 + 7 * HOUR)
    assert mailjet.asked("batchjob")[0]["MinRequestAt"] == "2024-03-05T15:00:00Z"


def test_jobs_of_the_same_second_are_read_again(fake):
    mailjet = fake(batchjob=[job(1, T0)])
    run = first(mailjet, JOBS, lookback=0)
    mailjet.collections["batchjob"].append(job(2, T0))
    assert again(mailjet, run, JOBS, lookback=0).ids(JOBS) == ["1", "2"]


def test_an_open_job_holds_the_bookmark_until_it_has_ended(fake):
    mailjet = fake(batchjob=[job(1, T0, status="Importing", ended=0), job(2, T0 + 9 * HOUR)])
    run = first(mailjet, JOBS)
    assert run.bookmark(JOBS) == epoch(T0)
    mailjet.collections["batchjob"][0] = job(1, T0, ended=T0 + 10 * HOUR)
    second = again(mailjet, run, JOBS)
    assert [record["is_terminal"] for record in second.records(JOBS)] == [True, True]
    assert second.bookmark(JOBS) == epoch(T0 + 9 * HOUR)


def test_a_status_never_heard_of_is_an_open_job(fake):
    run = first(fake(batchjob=[job(1, T0, status="Pondering"), job(2, T0 + HOUR)]), JOBS)
    assert run.records(JOBS)[0]["is_terminal"] is False
    assert run.bookmark(JOBS) == epoch(T0)


def test_a_job_with_no_request_date_is_found_when_it_starts_and_ends(fake):
    mailjet = fake(batchjob=[job(1, T0)])
    run = first(mailjet, JOBS)
    mailjet.collections["batchjob"].append(job(2, 0, started=T0 + 5 * HOUR, ended=0, status="Importing"))
    second = again(mailjet, run, JOBS)
    assert second.ids(JOBS) == ["1", "2"]
    assert second.records(JOBS)[1]["created_at"] is None
    assert second.bookmark(JOBS) == epoch(T0 + 5 * HOUR)
    mailjet.collections["batchjob"][1] = job(2, 0, started=T0 + 5 * HOUR, ended=T0 + 6 * HOUR)
    third = again(mailjet, second, JOBS)
    assert [record["status"] for record in third.records(JOBS)] == ["Completed"]


def test_an_open_job_without_any_date_is_read_again_by_its_id(fake):
    mailjet = fake(batchjob=[job(1, T0), job(2, 0, started=0, ended=0, status="Allocated")])
    run = first(mailjet, JOBS)
    assert run.bookmark(JOBS) == epoch(T0)
    assert run.state["bookmarks"][JOBS]["undated_jobs"] == [2]
    mailjet.collections["batchjob"][1] = job(2, 0, started=0, ended=0, status="Abort")
    second = again(mailjet, run, JOBS)
    assert second.ids(JOBS) == ["1", "2"]
    assert "undated_jobs" not in second.state["bookmarks"][JOBS]


def test_an_open_job_that_disappeared_is_let_go(fake):
    mailjet = fake(batchjob=[job(1, T0), job(2, 0, started=0, ended=0, status="Allocated")])
    run = first(mailjet, JOBS)
    del mailjet.collections["batchjob"][1]
    second = again(mailjet, run, JOBS)
    assert second.error is None
    assert "undated_jobs" not in second.state["bookmarks"][JOBS]


@pytest.mark.slow
def test_an_old_job_that_opens_again_takes_the_bookmark_back(fake):
    mailjet = fake(batchjob=[job(1, T0), job(2, T0 + 9 * HOUR)])
    run = first(mailjet, JOBS)
    mailjet.collections["batchjob"][0] = job(1, T0, started=T0 + 10 * HOUR, ended=0, status="Importing")
    assert again(mailjet, run, JOBS).bookmark(JOBS) == epoch(T0)


def test_the_bookmark_never_passes_the_present(fake):
    later = int((datetime.now(UTC) + timedelta(days=3)).timestamp())
    run = first(fake(batchjob=[job(1, later)]), JOBS)
    assert run.bookmark(JOBS) < epoch(later)


def test_nothing_new_leaves_the_bookmark(fake):
    mailjet = fake(batchjob=[job(1, T0)])
    run = first(mailjet, JOBS)
    mailjet.collections["batchjob"].clear()
    second = again(mailjet, run, JOBS)
    assert second.records(JOBS) == []
    assert second.bookmark(JOBS) == epoch(T0)


def test_an_account_without_jobs_has_no_bookmark(fake):
    assert first(fake(), JOBS).bookmark(JOBS) is None


@pytest.mark.parametrize("start_date", ["2024-03-05T14:30:00Z", "2024-03-05 16:30:00+02:00"])
def test_start_date_is_where_the_first_run_begins(fake, start_date):
    mailjet = fake(batchjob=[job(1, T0), job(2, T0 + 5 * HOUR)])
    assert first(mailjet, JOBS, start_date=start_date).ids(JOBS) == ["2"]
    assert mailjet.asked("batchjob")[0]["MinRequestAt"] == "2024-03-05T14:30:00Z"


def test_start_date_bounds_the_lookback_too(fake):
    mailjet = fake(batchjob=[job(1, T0)])
    run = first(mailjet, JOBS)
    again(mailjet, run, JOBS, start_date="2024-03-05T09:59:00Z")
    assert mailjet.asked("batchjob")[0]["MinRequestAt"] == "2024-03-05T09:59:00Z"


@pytest.mark.slow
def test_p6_an_interrupted_run_leaves_the_bookmark_where_it_was(fake):
    mailjet = fake(batchjob=[job(number, T0 + number * HOUR) for number in range(1, 2500)])
    run = first(mailjet, JOBS)
    before = run.state
    mailjet.collections["batchjob"].extend(job(number, T0 + number * HOUR) for number in range(2500, 9000))
    mailjet.broken["batchjob"] = lambda request: (
        httpx.Response(403)
        if int(request.url.params["Offset"]) > 3000
        else mailjet.page(mailjet.collections["batchjob"][int(request.url.params["Offset"]) :][:1000])
    )
    second = again(mailjet, run, JOBS)
    assert second.records(JOBS)
    assert second.error is not None
    assert second.state == before
    mailjet.broken.clear()
    third = again(mailjet, run, JOBS)
    assert set(third.ids(JOBS)) >= {str(number) for number in range(2500, 9000)}


def test_a_wrong_bookmark_is_reported(fake, caplog):
    state = {"bookmarks": {JOBS: {"replication_key": "created_at", "replication_key_value": "yesterday-ish"}}}
    run = fake().read(JOBS, state=state)
    assert "STATE of stream mailjet_import_jobs" in caplog.text
    assert run.error is not None
    assert run.state == state


def test_a_bookmark_of_another_column_is_not_used(fake):
    mailjet = fake(batchjob=[job(1, T0)])
    state = {"bookmarks": {JOBS: {"replication_key": "alive_at", "replication_key_value": epoch(T0 + 99 * HOUR)}}}
    assert mailjet.read(JOBS, state=state).ids(JOBS) == ["1"]


def test_a_bookmark_written_by_others_is_understood(fake):
    mailjet = fake(batchjob=[job(1, T0)])
    state = {
        "bookmarks": {JOBS: {"replication_key": "created_at", "replication_key_value": "2024-03-05T12:00:00+02:00"}}
    }
    mailjet.read(JOBS, state=state, config={"lookback": "PT30M"})
    assert mailjet.asked("batchjob")[0]["MinRequestAt"] == "2024-03-05T09:30:00Z"


def test_full_table_in_the_catalog_reads_everything_and_sets_no_bookmark(fake, tap):
    mailjet = fake(batchjob=[job(1, T0), job(2, T0 + 9 * HOUR)])
    run = first(mailjet, JOBS)
    chosen = tap.catalog(JOBS)
    for stream in chosen["streams"]:
        stream["replication_method"] = "FULL_TABLE"
    second = again(mailjet, run, catalog=chosen)
    assert second.ids(JOBS) == ["1", "2"]
    assert second.state == run.state


def signup(number, signed_up, confirmed=0):
    return {"ID": number, "ListID": 1, "ContactID": 2, "SignupAt": signed_up, "ConfirmAt": confirmed}


def test_new_signups_and_late_confirmations_are_read(fake):
    mailjet = fake(contactslistsignup=[signup(1, T0), signup(2, T0 + HOUR), signup(3, T0 + 5 * HOUR, T0 + 6 * HOUR)])
    run = first(mailjet, SIGNUPS)
    assert run.bookmark(SIGNUPS) == epoch(T0 + 6 * HOUR)
    mailjet.collections["contactslistsignup"][0] = signup(1, T0, T0 + 7 * HOUR)
    mailjet.collections["contactslistsignup"].append(signup(4, T0 + 8 * HOUR))
    second = again(mailjet, run, SIGNUPS)
    assert second.ids(SIGNUPS) == ["1", "3", "4"]
    assert second.bookmark(SIGNUPS) == epoch(T0 + 8 * HOUR)
    assert mailjet.asked("contactslistsignup")[0] == {
        "MinSignupAt": str(T0 + 5 * HOUR),
        "Sort": "ID",
        "Limit": "1000",
        "Offset": "0",
        "countrecords": "1",
    }


def test_signups_already_read_leave_the_bookmark(fake):
    mailjet = fake(contactslistsignup=[signup(1, T0)])
    run = first(mailjet, SIGNUPS)
    mailjet.collections["contactslistsignup"].clear()
    assert again(mailjet, run, SIGNUPS).bookmark(SIGNUPS) == epoch(T0)


def test_the_sandbox_agrees_on_jobs(sandbox, tap):
    config = tap.settings(sandbox, lookback=60)
    run = tap.run(config, JOBS)
    (open_job,) = [record for record in run.records(JOBS) if not record["is_terminal"]]
    assert run.bookmark(JOBS) == open_job["created_at"]
    undated = [record for record in run.records(JOBS) if record["created_at"] is None]
    assert undated

    sandbox.mailjet.set_job(int(open_job["id"]), {"Status": "Completed", "JobEnd": int(sandbox.clock.now())})
    sandbox.mailjet.set_job(int(undated[0]["id"]), {"JobEnd": int(sandbox.clock.now())})
    sandbox.counters.reset()
    second = tap.run(config, JOBS, state=run.state)
    assert second.ids(JOBS) == sorted([undated[0]["id"], open_job["id"]])
    assert all(record["is_terminal"] for record in second.records(JOBS))
    assert sandbox.counters.rows_served["batchjob"] < len(run.records(JOBS))


def test_the_sandbox_agrees_on_unsubscribes(sandbox, tap):
    config = tap.settings(sandbox, lookback=0)
    number = sandbox.mailjet.add_list("Leavers")
    people = [{"email": f"leaver{at}@inbox.test", "list": number} for at in range(3)]
    sandbox.mailjet.add_contacts(people)
    sandbox.mailjet.add_contacts([people[0] | {"unsubscribed": True}])
    run = tap.run(config, UNSUBSCRIBES, "mailjet_list_members")
    left = [record for record in run.records(UNSUBSCRIBES) if record["list_id"] == str(number)]
    members = {record["id"]: record for record in run.records("mailjet_list_members")}
    assert [members[record["id"]]["subscription_status"] for record in left] == ["unsubscribed"]
    assert {record["read_at"] for record in run.records(UNSUBSCRIBES)} == {run.bookmark(UNSUBSCRIBES)}
    everybody = {key for key, member in members.items() if member["subscription_status"] == "unsubscribed"}
    deleted = {member["list_id"] for member in members.values() if member["list_name"] == "Old campaign"}
    assert {record["id"] for record in run.records(UNSUBSCRIBES)} == {
        key for key in everybody if members[key]["list_id"] not in deleted
    }

    sandbox.clock.advance(5)
    sandbox.mailjet.add_contacts([people[1] | {"unsubscribed": True}])
    second = tap.run(config, UNSUBSCRIBES, state=run.state)
    fresh = set(second.ids(UNSUBSCRIBES)) - set(run.ids(UNSUBSCRIBES))
    assert len(fresh) == 1
    assert len(second.records(UNSUBSCRIBES)) < len(run.records(UNSUBSCRIBES)) + len(fresh)
    assert second.bookmark(UNSUBSCRIBES) > run.bookmark(UNSUBSCRIBES)


def test_unsubscribes_of_a_large_list_are_all_read(fake):
    rows = [{"ListRecipientID": number, "UnsubscribedCount": 1} for number in range(1, 3501)]
    mailjet = fake(listrecipientstatistics=rows, contactslist=[{"ID": 7, "IsDeleted": False}])
    run = first(mailjet, UNSUBSCRIBES)
    assert run.ids(UNSUBSCRIBES) == [str(number) for number in range(1, 3501)]
    assert {params["ContactsList"] for params in mailjet.asked("listrecipientstatistics")} == {"7"}
    assert {params["IsUnsubscribed"] for params in mailjet.asked("listrecipientstatistics")} == {"true"}


@pytest.mark.parametrize("count", [0, 1, 9])
def test_lists_are_read_side_by_side_and_in_order(fake, count):
    lists = [{"ID": number, "IsDeleted": False} for number in range(1, count + 1)]
    mailjet = fake(contactslist=lists)
    mailjet.broken["listrecipientstatistics"] = lambda request: mailjet.page(
        [{"ListRecipientID": int(request.url.params["ContactsList"]) * 10}]
        if request.url.params["Offset"] == "0"
        else []
    )
    run = first(mailjet, UNSUBSCRIBES)
    assert run.error is None
    assert run.ids(UNSUBSCRIBES) == [str(number * 10) for number in range(1, count + 1)]
