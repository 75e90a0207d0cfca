"""JSON bulk jobs: shape checks, life cycle, errors, plans and control."""

from __future__ import annotations

import httpx
import pytest

STAGES = ["Allocated", "Upload", "Prepare", "Importing", "Completed"]


@pytest.fixture
def list_id(sandbox):
    sandbox.mailjet.add_property("city")
    sandbox.mailjet.add_property("age", "int")
    return sandbox.mailjet.add_list("News")


def contacts(count):
    return [{"Email": f"p{n}@example.com", "Name": f"P{n}"} for n in range(count)]


def post(api, list_id, rows, action="addnoforce"):
    return api.post(f"/v3/REST/contactslist/{list_id}/managemanycontacts", json={"Action": action, "Contacts": rows})


def submit(api, list_id, rows, action="addnoforce"):
    answer = post(api, list_id, rows, action)
    assert answer.status_code == 201
    return answer.json()["Data"][0]["JobID"]


def poll(api, list_id, job):
    return api.get(f"/v3/REST/contactslist/{list_id}/managemanycontacts/{job}").json()["Data"][0]


# what the call itself checks


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Action": "addforce"}, 400),
        ({"Contacts": []}, 400),
        ({"Action": "hug", "Contacts": []}, 400),
        ({"Action": "addforce", "Contacts": {}}, 400),
        ({"Action": "addforce", "Contacts": []}, 201),
        ({"Action": "addforce", "Contacts": [None, {"Email": "x"}]}, 201),
    ],
)
def test_only_the_shape_is_checked_at_once(api, list_id, body, status):
    assert api.post(f"/v3/REST/contactslist/{list_id}/managemanycontacts", json=body).status_code == status


def test_unknown_lists_and_malformed_bodies(api, list_id):
    answer = post(api, 1, [])
    assert (answer.status_code, answer.json()["ErrorMessage"]) == (404, "Object not found")
    assert api.post(f"/v3/REST/contactslist/{list_id}/managemanycontacts", content=b"{").status_code == 400


def test_too_many_contacts_or_bytes_reset_the_connection(sandbox, api, list_id):
    with pytest.raises(httpx.ReadError):
        post(api, list_id, contacts(10_001))
    assert post(api, list_id, contacts(10_000)).status_code == 201
    sandbox.switches.change({"max_body_bytes": 100})
    with pytest.raises(httpx.ReadError):
        post(api, list_id, contacts(10))
    assert len(sandbox.mailjet.jobs()) == 1


def test_an_address_can_stand_for_the_list(api, list_id):
    address = api.get(f"/v3/REST/contactslist/{list_id}").json()["Data"][0]["Address"]
    job = submit(api, address, contacts(1))
    assert poll(api, address, job)["Status"] == "Completed"


# life cycle


def test_a_job_goes_through_its_stages_by_time_and_shows_nothing_before_importing(sandbox, api, list_id):
    sandbox.clock.freeze()
    sandbox.switches.change({"job_seconds": 100})
    job = submit(api, list_id, contacts(60))
    seen = []
    for _ in range(11):
        row = poll(api, list_id, job)
        members = api.get(f"/v3/REST/contactslist/{list_id}").json()["Data"][0]["SubscriberCount"]
        assert members == row["Count"]
        seen.append((row["Status"], row["Count"], row["JobStart"] != "", row["JobEnd"] != ""))
        sandbox.clock.advance(10)
    assert seen == [
        ("Allocated", 0, False, False),
        ("Upload", 0, True, False),
        ("Prepare", 0, True, False),
        ("Prepare", 0, True, False),
        ("Importing", 0, True, False),
        *(("Importing", count, True, False) for count in (10, 20, 30, 40, 50)),
        ("Completed", 60, True, True),
    ]


def test_a_job_goes_through_its_stages_by_polls(sandbox, api, list_id):
    sandbox.switches.change({"job_polls": 10})
    job = submit(api, list_id, contacts(60))
    statuses = [poll(api, list_id, job)["Status"] for _ in range(10)]
    assert list(dict.fromkeys(statuses)) == STAGES[1:]
    assert statuses[-1] == "Completed"


def test_a_job_with_no_time_ends_at_once(sandbox, api, list_id):
    job = submit(api, list_id, contacts(3))
    assert poll(api, list_id, job) == {
        "Count": 3, "Error": "", "ErrorFile": "", "JobEnd": poll(api, list_id, job)["JobEnd"],
        "JobStart": poll(api, list_id, job)["JobStart"], "Status": "Completed",
    }  # fmt: skip
    assert sandbox.mailjet.members(list_id)["p1@example.com"] == {
        "status": "subscribed", "name": "P1", "properties": {}, "excluded": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "running", "aborted"),
    [("full", "Importing", "Abort"), ("short", "In Progress", "Error"), ("aborted", "Importing", "Aborted")],
)
def test_vocabularies(sandbox, api, list_id, words, running, aborted):  # noqa: PLR0917
    sandbox.switches.change({"status_words": words})
    sandbox.mailjet.plan_jobs([{"end": "stall"}])
    job = submit(api, list_id, contacts(3))
    assert poll(api, list_id, job)["Status"] == running
    sandbox.mailjet.finish_job(job, "abort")
    assert poll(api, list_id, job)["Status"] == aborted


def test_unknown_jobs_and_jobs_of_another_list(sandbox, api, list_id):
    other = sandbox.mailjet.add_list("Other")
    job = submit(api, list_id, contacts(1))
    for path in (
        f"contactslist/{other}/managemanycontacts/{job}",
        f"contactslist/{list_id}/managemanycontacts/1",
        f"contact/managemanycontacts/{job}",
        f"contact/{job}/managemanycontacts",
        f"csvimport/{job}",
    ):
        answer = api.get(f"/v3/REST/{path}")
        assert (answer.status_code, answer.json()["ErrorMessage"]) == (404, "Object not found"), path


def test_the_first_poll_may_find_nothing(sandbox, api, list_id):
    sandbox.switches.change({"job_404_polls": 1})
    job = submit(api, list_id, contacts(1))
    path = f"/v3/REST/contactslist/{list_id}/managemanycontacts/{job}"
    assert [api.get(path).status_code for _ in range(3)] == [404, 200, 200]


def test_jobs_may_wait_for_each_other(sandbox, api, list_id):
    sandbox.clock.freeze()
    sandbox.switches.change({"jobs_at_once": 1, "job_seconds": 10})
    first, second = submit(api, list_id, contacts(2)), submit(api, list_id, contacts(2))
    sandbox.clock.advance(11)
    assert poll(api, list_id, first)["Status"] == "Completed"
    assert poll(api, list_id, second)["Status"] == "Allocated"
    sandbox.clock.advance(11)
    assert poll(api, list_id, second)["Status"] == "Completed"


def test_old_jobs_may_be_forgotten(sandbox, api, list_id):
    sandbox.switches.change({"job_retention_days": 1})
    job = submit(api, list_id, contacts(1))
    assert poll(api, list_id, job)["Status"] == "Completed"
    sandbox.clock.advance(2 * 86400)
    assert api.get(f"/v3/REST/batchjob/{job}").status_code == 404


# rows


def test_bad_rows_fail_the_job_but_good_rows_are_loaded(sandbox, api, list_id):
    rows = [
        {"Email": "good@example.com", "Properties": {"age": 3}},
        {"Email": "unknown@example.com", "Properties": {"shoe_size": 3}},
        {"Email": "type@example.com", "Properties": {"age": "old"}},
        {"Email": "no-at"},
        {"Email": "shape@example.com", "Properties": [{"Name": "age", "Value": 3}]},
        "nonsense",
    ]
    job = submit(api, list_id, rows)
    row = poll(api, list_id, job)
    assert (row["Status"], row["Error"] != "") == ("Error", True)
    assert row["ErrorFile"] == f"DATA/Batchjob/{job}/JSONError/application:json/LAST"
    assert list(sandbox.mailjet.members(list_id)) == ["good@example.com"]
    errors = api.get(f"/v3/{row['ErrorFile']}").json()
    assert [error["Email"] for error in errors] == [
        "unknown@example.com", "type@example.com", "no-at", "shape@example.com", "",
    ]  # fmt: skip
    assert errors[0]["Error"] == "shoe_size: Property not defined"
    assert errors[1]["Error"] == "age: Property type does not match definition"


def test_nothing_is_loaded_where_bad_rows_spoil_the_job(sandbox, api, list_id):
    sandbox.switches.change({"good_rows_loaded": False})
    job = submit(api, list_id, [*contacts(2), {"Email": "bad"}])
    row = poll(api, list_id, job)
    assert (row["Status"], row["Count"]) == ("Error", 0)
    assert sandbox.mailjet.contacts() == {}
    assert api.get(f"/v3/{row['ErrorFile']}").json()[0]["Email"] == "bad"
    assert poll(api, list_id, submit(api, list_id, contacts(2)))["Status"] == "Completed"


@pytest.mark.parametrize(
    ("shape", "status", "body"),
    [
        ("nested", 200, b'{"Contacts":[{"Contact":{"Email":"bad"},"Errors":['),
        ("text", 200, b"bad: Email: Invalid email address"),
        ("empty", 200, b""),
        ("missing", 404, b'{"ErrorInfo":"","ErrorMessage":"Source object not found"'),
    ],
)
def test_shapes_of_the_error_file(sandbox, api, list_id, shape, status, body):  # noqa: PLR0917
    sandbox.switches.change({"error_file": shape})
    path = poll(api, list_id, submit(api, list_id, [{"Email": "bad"}]))["ErrorFile"]
    answer = api.get(f"/v3/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert answer.content.startswith(body)


def test_places_of_the_error_file(sandbox, api, list_id):
    job = submit(api, list_id, [{"Email": "bad"}])
    sandbox.switches.change({"error_file_path": "absolute"})
    assert api.get(poll(api, list_id, job)["ErrorFile"]).status_code == 200
    sandbox.switches.change({"error_file_path": "empty"})
    assert poll(api, list_id, job)["ErrorFile"] == ""


def test_a_row_changes_what_it_names_and_null_clears(sandbox, api, list_id):
    email = "ada@example.com"
    submit(api, list_id, [{"Email": email, "Name": "Ada", "Properties": {"city": "Lyon", "age": "7"}}])
    submit(api, list_id, [{"Email": email.upper(), "Properties": {"city": None}}])
    assert sandbox.mailjet.members(list_id) == {
        email: {"status": "subscribed", "name": "Ada", "properties": {"age": "7"}, "excluded": False}
    }


@pytest.mark.parametrize(("rule", "name"), [("clear", ""), ("keep", "Ada")])
@pytest.mark.parametrize("empty", ["", None])
def test_empty_names(sandbox, api, list_id, rule, name, empty):  # noqa: PLR0917
    sandbox.switches.change({"empty_name": rule})
    submit(api, list_id, [{"Email": "a@example.com", "Name": "Ada"}])
    submit(api, list_id, [{"Email": "a@example.com", "Name": empty}])
    assert sandbox.mailjet.members(list_id)["a@example.com"]["name"] == name


@pytest.mark.parametrize(("rule", "name"), [("last", "Two"), ("first", "One")])
def test_duplicates_in_one_call(sandbox, api, list_id, rule, name):
    sandbox.switches.change({"duplicates": rule})
    submit(api, list_id, [{"Email": "a@example.com", "Name": "One"}, {"Email": "A@example.com", "Name": "Two"}])
    assert [row["name"] for row in sandbox.mailjet.members(list_id).values()] == [name]


def test_misspelled_keys_lose_their_values(sandbox, api, list_id):
    sandbox.switches.change({"body_keys": "sensitive"})
    submit(api, list_id, [{"Email": "a@example.com", "name": "Ada", "properties": {"city": "Lyon"}}])
    assert sandbox.mailjet.members(list_id)["a@example.com"] | {"status": ""} == {
        "status": "", "name": "", "properties": {}, "excluded": False,
    }  # fmt: skip
    sandbox.switches.change({"body_keys": "insensitive"})
    submit(api, list_id, [{"email": "b@example.com", "name": "Bo", "properties": {"city": "Lyon"}}])
    assert sandbox.mailjet.members(list_id)["b@example.com"]["properties"] == {"city": "Lyon"}


def test_exclusion_in_both_routes(sandbox, api, list_id):
    rows = [{"Email": "a@example.com", "IsExcludedFromCampaigns": True}]
    submit(api, list_id, rows)
    assert sandbox.mailjet.members(list_id)["a@example.com"]["excluded"] is True
    sandbox.reset()
    again = sandbox.mailjet.add_list("News")
    sandbox.switches.change({"list_bulk_exclusion": False})
    submit(api, again, rows)
    assert sandbox.mailjet.members(again)["a@example.com"]["excluded"] is False
    api.post("/v3/REST/contact/managemanycontacts", json={"Contacts": rows})
    assert sandbox.mailjet.members(again)["a@example.com"]["excluded"] is True


def test_removing(sandbox, api, list_id):
    submit(api, list_id, contacts(2))
    submit(api, list_id, [*contacts(1), {"Email": "new@example.com"}], "remove")
    assert list(sandbox.mailjet.members(list_id)) == ["p1@example.com"]
    assert "new@example.com" in sandbox.mailjet.contacts()
    sandbox.switches.change({"remove_creates_contact": False})
    submit(api, list_id, [{"Email": "newer@example.com"}], "remove")
    assert "newer@example.com" not in sandbox.mailjet.contacts()


def test_a_property_still_settling_fails_the_job(sandbox, api, list_id):
    sandbox.switches.change({"property_delay_seconds": 60})
    job = submit(api, list_id, [{"Email": "a@example.com", "Properties": {"city": "Lyon"}}])
    assert poll(api, list_id, job)["Status"] == "Error"


# the account-wide route


def test_account_wide_jobs(sandbox, api, list_id):
    other = sandbox.mailjet.add_list("Other")
    lists = [{"ListID": list_id, "Action": "addnoforce"}, {"ListID": other, "Action": "unsub"}]
    path = "/v3/REST/contact/managemanycontacts"
    job = api.post(path, json={"ContactsLists": lists, "Contacts": contacts(2)}).json()["Data"][0]["JobID"]
    row = api.get(f"{path}/{job}").json()["Data"][0]
    assert (row["Status"], row["ContactsLists"]) == ("Completed", lists)
    assert {each["status"] for each in sandbox.mailjet.members(other).values()} == {"unsubscribed"}
    sandbox.switches.change({"job_names_lists": False})
    assert "ContactsLists" not in api.get(f"{path}/{job}").json()["Data"][0]
    assert [(each["list"], each["action"]) for each in sandbox.mailjet.received()] == [
        (list_id, "addnoforce"), (other, "unsub"),
    ] * 2  # fmt: skip


def test_account_wide_jobs_without_a_list(sandbox, api):
    assert api.post("/v3/REST/contact/managemanycontacts", json={"Contacts": contacts(2)}).status_code == 201
    assert len(sandbox.mailjet.contacts()) == 2
    assert sandbox.mailjet.received()[0]["list"] is None


def test_faulty_lists_of_an_account_wide_job(sandbox, api, list_id):
    path = "/v3/REST/contact/managemanycontacts"
    body = {"ContactsLists": [{"ListID": 1, "Action": "addforce"}], "Contacts": []}
    assert "ContactsLists" in api.post(path, json=body).json()["ErrorMessage"]
    sandbox.switches.change({"max_lists_per_call": 1})
    body["ContactsLists"] = [{"ListID": list_id, "Action": "addforce"}] * 2
    assert api.post(path, json=body).status_code == 400


# as a batchjob


def test_a_json_job_is_a_batchjob(sandbox, api, list_id):
    job = submit(api, list_id, [*contacts(2), {"Email": "bad"}])
    row = api.get(f"/v3/REST/batchjob/{job}").json()["Data"][0]
    expected = {
        "ID": job, "JobType": "Contact list import free format", "Method": "addnoforce", "RefId": list_id,
        "Status": "Error", "Count": 3, "Current": 3, "Errcount": 1,
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    sandbox.switches.change({"bulk_job_names_list": False})
    row = api.get(f"/v3/REST/batchjob/{job}").json()["Data"][0]
    assert (row["RefId"], row["Method"]) == (0, "Unknown")


def test_other_looks_of_new_batchjobs(sandbox, api, list_id):
    sandbox.switches.change({"request_at_zero": True, "bulk_job_type": "Contact list import csv"})
    row = api.get(f"/v3/REST/batchjob/{submit(api, list_id, contacts(1))}").json()["Data"][0]
    assert (row["RequestAt"], row["JobType"]) == (0, "Contact list import csv")


def test_a_running_job_can_be_aborted(sandbox, api, list_id):
    sandbox.mailjet.plan_jobs([{"end": "stall"}])
    job = submit(api, list_id, contacts(4))
    assert api.put(f"/v3/REST/batchjob/{job}", json={"Status": "Aborted"}).status_code == 400
    assert api.put(f"/v3/REST/batchjob/{job}", json={"Status": "Abort"}).json()["Data"][0]["Status"] == "Abort"
    assert api.put(f"/v3/REST/batchjob/{job}", json={"Status": "Abort"}).status_code == 304
    assert len(sandbox.mailjet.members(list_id)) == 2


# plans and control


def test_planned_ends(sandbox, api, list_id):
    sandbox.mailjet.plan_jobs(
        [
            {"end": "error"},
            {"end": "abort"},
            {"end": "completed_with_errors", "bad_rows": ["P1@example.com", 3]},
            {"end": "completed_with_errors"},
            {"end": "error", "bad_rows": [0]},
            {"bad_rows": [0]},
        ]
    )
    rows = [poll(api, list_id, submit(api, list_id, contacts(4))) for _ in range(7)]
    assert [(row["Status"], row["Error"] != "", row["ErrorFile"] != "") for row in rows] == [
        ("Error", True, False),
        ("Abort", False, False),
        ("Completed", True, True),
        ("Completed", True, True),
        ("Error", True, True),
        ("Error", True, True),
        ("Completed", False, False),
    ]
    assert [error["Email"] for error in api.get(f"/v3/{rows[2]['ErrorFile']}").json()] == [
        "p1@example.com", "p3@example.com",
    ]  # fmt: skip


def test_a_failed_job_may_have_loaded_half_or_nothing(sandbox, api, list_id):
    sandbox.mailjet.plan_jobs([{"end": "error"}])
    submit(api, list_id, contacts(4))
    assert len(sandbox.mailjet.members(list_id)) == 2
    sandbox.reset()
    again = sandbox.mailjet.add_list("News")
    sandbox.switches.change({"good_rows_loaded": False})
    sandbox.mailjet.plan_jobs([{"end": "error"}])
    submit(api, again, contacts(4))
    assert sandbox.mailjet.members(again) == {}


def test_a_planned_duration_goes_before_the_switches(sandbox, api, list_id):
    sandbox.clock.freeze()
    sandbox.switches.change({"job_polls": 3})
    sandbox.mailjet.plan_jobs([{"seconds": 10}])
    job = submit(api, list_id, contacts(4))
    assert poll(api, list_id, job)["Status"] == "Allocated"
    sandbox.clock.advance(5)
    assert poll(api, list_id, job)["Status"] == "Importing"


def test_a_held_job_shows_nothing_until_finished(sandbox, api, control, list_id):
    control.post("/mailjet/jobs/plan", json={"next": [{"hold": True}]}).raise_for_status()
    job = submit(api, list_id, contacts(4))
    sandbox.clock.advance(3600)
    assert poll(api, list_id, job)["Status"] == "Allocated"
    assert sandbox.mailjet.contacts() == {}
    assert control.post(f"/mailjet/jobs/{job}/finish").json()["status"] == "Completed"
    assert len(sandbox.mailjet.members(list_id)) == 4


def test_a_stalled_job_stands_in_importing_until_finished(sandbox, api, control, list_id):
    sandbox.mailjet.plan_jobs([{"end": "stall"}])
    job = submit(api, list_id, contacts(4))
    sandbox.clock.advance(3600)
    row = poll(api, list_id, job)
    assert (row["Status"], row["Count"]) == ("Importing", 2)
    assert control.post(f"/mailjet/jobs/{job}/finish", json={"end": "error"}).json()["status"] == "Error"
    assert control.post("/mailjet/jobs/1/finish").status_code == 404
    assert control.post(f"/mailjet/jobs/{job}/finish", json={"end": "stall"}).status_code == 400


def test_plans_that_do_not_fit_are_refused(control):
    assert control.post("/mailjet/jobs/plan", json={"next": [{"end": "nowhere"}]}).status_code == 400
    assert control.post("/mailjet/jobs/plan", json={"next": 3}).status_code == 400


def test_a_past_job_can_be_changed(sandbox, api, control, list_id):
    job = submit(api, list_id, contacts(1))
    assert control.patch(f"/mailjet/batchjob/{job}", json={"RequestAt": 0, "Status": "Importing"}).status_code == 200
    row = api.get(f"/v3/REST/batchjob/{job}").json()["Data"][0]
    assert (row["RequestAt"], row["Status"]) == (0, "Importing")
    assert control.patch(f"/mailjet/batchjob/{job}", json={"Nope": 0}).status_code == 400


def test_job_ids_are_not_used_again_after_a_reset(sandbox, api, list_id):
    job = submit(api, list_id, contacts(1))
    sandbox.reset()
    again = sandbox.mailjet.add_list("News")
    assert api.get(f"/v3/REST/contactslist/{again}/managemanycontacts/{job}").status_code == 404
    assert submit(api, again, contacts(1)) > job


def test_refused_addresses_fail_in_every_job_and_are_reported(sandbox, api, list_id):
    sandbox.mailjet.refuse(["P1@example.com"])
    for _ in range(2):
        poll(api, list_id, submit(api, list_id, contacts(3)))
    assert [job["refused"] for job in sandbox.mailjet.jobs()] == [["p1@example.com"]] * 2
    assert sandbox.mailjet.members(list_id).keys() == {"p0@example.com", "p2@example.com"}
    refused = api.post("/v3/REST/contact", json={"Email": "p1@example.com"})
    assert (refused.status_code, "p1@example.com" in refused.json()["ErrorMessage"]) == (400, True)
    sandbox.reset()
    assert api.post("/v3/REST/contact", json={"Email": "p1@example.com"}).status_code == 201


def test_plans_not_used_can_be_forgotten(sandbox, api, list_id):
    sandbox.mailjet.plan_jobs([{"end": "error"}])
    sandbox.mailjet.forget_plans()
    assert poll(api, list_id, submit(api, list_id, contacts(2)))["Status"] == "Completed"
