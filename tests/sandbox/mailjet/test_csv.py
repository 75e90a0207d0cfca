"""CSV uploads, imports and their error files."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def list_id(sandbox):
    return sandbox.mailjet.add_list("News")


def upload(api, list_id, text):
    path = f"/v3/DATA/contactslist/{list_id}/CSVData/text:plain"
    return api.post(path, content=text.encode(), headers={"Content-Type": "text/plain"})


def submit(api, list_id, text, method="addnoforce", **fields):
    data_id = upload(api, list_id, text).json()["ID"]
    body = {"ContactsListID": list_id, "DataID": data_id, "Method": method, **fields}
    answer = api.post("/v3/REST/csvimport", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["Data"][0]["ID"]


def read(api, job):
    return api.get(f"/v3/REST/csvimport/{job}").json()["Data"][0]


def errors(api, job):
    return api.get(f"/v3/DATA/BatchJob/{job}/CSVError/text:csv")


def test_an_upload_answers_a_bare_id(sandbox, api, list_id):
    answer = upload(api, list_id, "email\n")
    assert answer.status_code == 200
    assert list(answer.json()) == ["ID"]
    sandbox.switches.change({"large_data_ids": True})
    assert upload(api, list_id, "email\n").json()["ID"] > 2**53


def test_an_upload_to_an_unknown_list(api):
    answer = upload(api, 1, "email\n")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain")
    assert json.loads(answer.text)["ErrorMessage"] == "Source object not found"


def test_other_mimes_and_cases_of_the_path(api, list_id):
    path = f"/v3/data/ContactsList/{list_id}/csvdata/application:octet-stream"
    assert api.post(path, content=b"email\n").status_code == 200


def test_an_import_from_upload_to_completed(sandbox, api, list_id):
    sandbox.switches.change({"job_polls": 4})
    data_id = upload(api, list_id, "email,city\na@example.com,Lyon\nb@example.com,\n").json()["ID"]
    body = {"ContactsListID": list_id, "DataID": data_id, "Method": "addnoforce", "ErrTreshold": 5}
    made = api.post("/v3/REST/csvimport", json=body).json()["Data"][0]
    expected = {
        "AliveAt": "", "ContactsListID": list_id, "Count": 0, "Current": 0, "DataID": data_id, "Errcount": 0,
        "ErrTreshold": 5, "ImportOptions": "", "JobEnd": "", "JobStart": "", "Method": "addnoforce", "Status": "Upload",
    }  # fmt: skip
    assert {key: made[key] for key in expected} == expected
    assert made["RequestAt"] != ""
    statuses = [read(api, made["ID"])["Status"] for _ in range(4)]
    assert statuses == ["Prepare", "Importing", "Importing", "Completed"]
    done = read(api, made["ID"])
    assert (done["Count"], done["Current"], done["Errcount"]) == (2, 2, 0)
    assert done["JobStart"] != ""
    assert sandbox.mailjet.members(list_id)["a@example.com"]["properties"] == {"city": "Lyon"}
    assert errors(api, made["ID"]).status_code == 404
    assert errors(api, made["ID"]).headers["content-type"] == "text/csv"


def test_what_a_count_means(sandbox, api, list_id):
    sandbox.mailjet.plan_jobs([{"end": "stall"}])
    job = submit(api, list_id, "email\n" + "".join(f"p{n}@example.com\n" for n in range(4)))
    assert (read(api, job)["Count"], read(api, job)["Current"]) == (2, 2)
    sandbox.switches.change({"csv_count": "detected"})
    assert (read(api, job)["Count"], read(api, job)["Current"]) == (4, 2)


def test_integers_may_be_empty_texts(sandbox, api, list_id):
    sandbox.switches.change({"csv_blank_integers": True})
    row = read(api, submit(api, list_id, "email\na@example.com\n"))
    assert (row["Errcount"], row["ErrTreshold"], row["Current"]) == ("", "", 1)


def test_bad_rows_are_in_the_error_file_and_nothing_else(sandbox, api, list_id):
    sandbox.mailjet.add_property("age", "int")
    text = (
        "email,age\n"
        "lee@example.com,37\n"
        '"noor@example.com"\n'
        "lee@example.com,37\n"
        "no-at,1\n"
        '"a,b@example.com",old\n'
        "many@example.com,1,2\n"
        "\n"
        "fine@example.com,\n"
    )
    job = submit(api, list_id, text)
    row = read(api, job)
    assert (row["Status"], row["Errcount"], row["Count"]) == ("Completed", 5, 7)
    answer = errors(api, job)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv")
    assert answer.text == (
        "email,age,error\n"
        '"noor@example.com", ###Too few columns at line\n'
        "lee@example.com,37, ###Duplicated email###email\n"
        "no-at,1, ###Wrong email format###email\n"
        '"a,b@example.com",old, ###Value could not be converted###age\n'
        "many@example.com,1,2, ###Too many columns at line\n"
    )
    assert sorted(sandbox.mailjet.members(list_id)) == ["fine@example.com", "lee@example.com"]


def test_columns_become_text_properties_and_name_is_one_of_them(sandbox, api, list_id):
    submit(api, list_id, 'Email,name,visits\r\n"a@example.com","Ada, ""A""",12\r\n')
    assert sandbox.mailjet.members(list_id)["a@example.com"] == {
        "status": "subscribed", "name": "", "properties": {"name": 'Ada, "A"', "visits": "12"}, "excluded": False,
    }  # fmt: skip
    types = {row["Name"]: row["Datatype"] for row in api.get("/v3/REST/contactmetadata").json()["Data"]}
    assert types == {"name": "str", "visits": "str"}


def test_dates_need_options_and_then_the_first_row_is_data(sandbox, api, list_id):
    sandbox.mailjet.add_property("birthday", "datetime")
    options = json.dumps(
        {"DateTimeFormat": "yyyy-mm-dd hh:nn:ss", "TimezoneOffset": 2, "FieldNames": ["email", "birthday"]}
    )
    text = "a@example.com,1990-05-17 12:30:00\nb@example.com,17/05/1990\n"
    job = submit(api, list_id, text, ImportOptions=options)
    members = sandbox.mailjet.members(list_id)
    assert members["a@example.com"]["properties"] == {"birthday": "1990-05-17T10:30:00Z"}
    assert list(members) == ["a@example.com"]
    failed = "b@example.com,17/05/1990, ###Value could not be converted###birthday\n"
    assert errors(api, job).text == "email,birthday,error\n" + failed
    sandbox.switches.change({"headerless_error_header": False})
    assert errors(api, job).text == failed
    without = submit(api, list_id, "email,birthday\nc@example.com,1990-05-17 12:30:00\n")
    assert read(api, without)["Errcount"] == 1


def test_a_json_encoded_upload_fails_as_a_whole(sandbox, api, list_id):
    job = submit(api, list_id, json.dumps("email\na@example.com\n"))
    assert read(api, job)["Status"] == "Error"
    assert sandbox.mailjet.jobs()[-1]["error"] == "List index (0) out of bounds"
    assert sandbox.mailjet.contacts() == {}


@pytest.mark.parametrize(
    ("text", "error"),
    [("mail\na@example.com\n", "Email column not found"), ("", "Email column not found")],
)
def test_files_that_fail_as_a_whole(sandbox, api, list_id, text, error):
    job = submit(api, list_id, text)
    assert read(api, job)["Status"] == "Error"
    assert sandbox.mailjet.jobs()[-1]["error"] == error


def test_more_than_200_columns(sandbox, api, list_id):
    columns = ",".join(["email", *(f"c{n}" for n in range(200))])
    assert read(api, submit(api, list_id, columns + "\n"))["Status"] == "Error"
    assert sandbox.mailjet.jobs()[-1]["error"].endswith("exceeds the limit of 200")


@pytest.mark.parametrize(("rule", "kept"), [("keep", {"city": "Lyon"}), ("clear", {})])
def test_empty_cells(sandbox, api, list_id, rule, kept):
    sandbox.switches.change({"empty_cell": rule})
    submit(api, list_id, "email,city\na@example.com,Lyon\n")
    submit(api, list_id, "email,city\na@example.com,\n")
    assert sandbox.mailjet.members(list_id)["a@example.com"]["properties"] == kept


@pytest.mark.parametrize(
    ("rule", "threshold", "status"),
    [
        ("count", 2, "Abort"),
        ("count", 3, "Completed"),
        ("percent", 74, "Abort"),
        ("percent", 75, "Completed"),
        ("ignored", 1, "Completed"),
    ],
)
def test_thresholds(sandbox, api, list_id, rule, threshold, status):  # noqa: PLR0917
    sandbox.switches.change({"error_threshold": rule})
    job = submit(api, list_id, "email\nbad\nworse\nworst\nfine@example.com\n", ErrTreshold=threshold)
    assert read(api, job)["Status"] == status


def test_a_removal_or_unsubscription_by_file(sandbox, api, list_id):
    submit(api, list_id, "email\na@example.com\nb@example.com\n")
    submit(api, list_id, "email\na@example.com\n", "unsub")
    submit(api, list_id, "email\nb@example.com\n", "remove")
    assert {email: row["status"] for email, row in sandbox.mailjet.members(list_id).items()} == {
        "a@example.com": "unsubscribed"
    }


def test_exclusion_is_account_wide(sandbox, api, list_id):
    data_id = upload(api, list_id, "email\na@example.com\n").json()["ID"]
    body = {"DataID": data_id, "Method": "excludemarketing"}
    refused = api.post("/v3/REST/csvimport", json=body | {"ContactsListID": list_id})
    assert refused.json()["ErrorMessage"].startswith("MJ08 Property ContactsList is invalid: Exclusion of contacts")
    assert api.post("/v3/REST/csvimport", json=body).status_code == 201
    assert sandbox.mailjet.contacts()["a@example.com"]["excluded"] is True
    assert sandbox.mailjet.members(list_id) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"DataID": 1}, {"DataID": None}, {"Method": "hug"}, {"Method": None}, {"ContactsListID": 1},
        {"ContactsListID": None},
        {"ImportOptions": "{"}, {"ImportOptions": {"FieldNames": []}}, {"ImportOptions": '{"TimezoneOffset": 13}'},
        {"Status": "Completed"}, {"ErrThreshold": 1},
    ],
)  # fmt: skip
def test_refused_imports(api, list_id, change):
    data_id = upload(api, list_id, "email\n").json()["ID"]
    body = {"ContactsListID": list_id, "DataID": data_id, "Method": "addnoforce"} | change
    assert api.post("/v3/REST/csvimport", json=body).status_code == 400


@pytest.mark.parametrize(("reuse", "status"), [(True, 201), (False, 400)])
def test_an_upload_used_twice(sandbox, api, list_id, reuse, status):
    sandbox.switches.change({"data_id_reuse": reuse})
    body = {
        "ContactsListID": list_id, "DataID": upload(api, list_id, "email\n").json()["ID"], "Method": "addforce",
    }  # fmt: skip
    assert api.post("/v3/REST/csvimport", json=body).status_code == 201
    assert api.post("/v3/REST/csvimport", json=body).status_code == status


def test_an_import_can_only_be_aborted(sandbox, api, list_id):
    sandbox.mailjet.plan_jobs([{"end": "stall"}])
    job = submit(api, list_id, "email\na@example.com\n")
    refused = api.put(f"/v3/REST/csvimport/{job}", json={"Status": "Aborted"})
    assert refused.status_code == 400
    assert refused.json()["ErrorMessage"] == 'Invalid value for Status: "Aborted". Status can only be set to Upload - '
    assert api.put(f"/v3/REST/csvimport/{job}", json={}).status_code == 304
    assert api.put(f"/v3/REST/csvimport/{job}", json={"Status": "Abort"}).json()["Data"][0]["Status"] == "Abort"


def test_planned_ends_of_imports(sandbox, api, list_id):
    sandbox.mailjet.plan_jobs([{"bad_rows": ["a@example.com"]}, {"end": "error"}, {"end": "completed_with_errors"}])
    text = "email\na@example.com\nb@example.com\n"
    rows = [read(api, submit(api, list_id, text)) for _ in range(3)]
    assert [(row["Status"], row["Errcount"]) for row in rows] == [("Completed", 1), ("Error", 0), ("Completed", 1)]


def test_imports_are_listed_and_are_batchjobs(sandbox, api, list_id):
    job = submit(api, list_id, "email\na@example.com\n")
    assert [row["ID"] for row in api.get("/v3/REST/csvimport").json()["Data"]] == [job]
    row = api.get(f"/v3/REST/batchjob/{job}").json()["Data"][0]
    assert (row["JobType"], row["RefId"], row["JobEnd"] > 0) == ("Contact list import csv", list_id, True)


def test_imports_posted_as_batchjobs(sandbox, api, list_id):
    body = {
        "JobType": "Contact list import csv", "DataID": upload(api, list_id, "email\na@example.com\n").json()["ID"],
        "RefId": list_id, "Method": "addforce", "Status": "Upload", "APIKeyALT": "sandbox-key",
    }  # fmt: skip
    refused = api.post("/v3/REST/batchjob", json=body)
    assert refused.json()["ErrorMessage"] == "You are not allowed to post jobs for this AKID"
    sandbox.switches.change({"batchjob_post": "accepted"})
    assert api.post("/v3/REST/batchjob", json=body).status_code == 201
    assert api.post("/v3/REST/batchjob", json=body | {"JobType": "x"}).status_code == 400
    assert list(sandbox.mailjet.members(list_id)) == ["a@example.com"]


def test_received_rows_of_a_file(sandbox, api, list_id):
    job = submit(api, list_id, "email,city\na@example.com,Lyon\n")
    row = {"email": "a@example.com", "city": "Lyon"}
    assert sandbox.mailjet.received() == [{"job": job, "list": list_id, "action": "addnoforce", "contact": row}]
    assert sandbox.counters.rows_received == {"csvimport": 1}


def test_large_uploads_reset_the_connection(sandbox, api, list_id):
    import httpx

    sandbox.switches.change({"max_csv_bytes": 10})
    with pytest.raises(httpx.ReadError):
        upload(api, list_id, "email\na@example.com\n")
