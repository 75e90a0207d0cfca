"""The control API of PostGrid, what was received, counters, and invented data."""

from __future__ import annotations

import httpx
import pytest

from mailing_sandbox import Sandbox
from tests.sandbox.postgrid.conftest import CSV, MAPPING, PERSON


def test_contacts_and_lists_are_added_and_seen(sandbox, control, pg):
    number = control.post("/postgrid/lists", json={"description": "Board", "metadata": {"a": 1}}).json()["id"]
    answer = control.post("/postgrid/contacts", json=[PERSON | {"list": number, "at": 1_700_000_000}])
    [contact] = answer.json()["ids"]
    assert pg.get("contacts", contact)["createdAt"] == "2023-11-14T22:13:20.000Z"
    assert control.get("/postgrid/contacts").json()[contact]["mailingLists"] == [number]
    assert control.get(f"/postgrid/lists/{number}/members").json()["contacts"] == {contact: PERSON}
    row = control.get("/postgrid/lists").json()[number]
    assert (row["description"], row["metadata"]) == ("Board", {"a": 1})


def test_the_live_mode_has_its_own(sandbox, control):
    live = {"live": "true"}
    number = control.post("/postgrid/lists", params=live, json={"description": "Board"}).json()["id"]
    control.post("/postgrid/contacts", params=live, json=[PERSON | {"list": number}])
    body = {"content": CSV, "mapping": MAPPING}
    assert control.post("/postgrid/imports", params=live, json=body).status_code == 201
    assert len(control.get("/postgrid/contacts", params=live).json()) == 1
    assert control.get("/postgrid/contacts").json() == {}
    assert control.get("/postgrid/lists").json() == {}
    assert len(control.get(f"/postgrid/lists/{number}/members").json()["contacts"]) == 1


def test_jobs_are_planned_seen_and_finished(control, pg):
    assert control.post("/postgrid/jobs/plan", json={"next": [{"hold": True}]}).json() == {"planned": 1}
    number = pg.list()["id"]
    pg.job(number, addContacts=[pg.contact()["id"]])
    [job] = control.get("/postgrid/jobs").json()
    assert (job["list"], job["action"], job["ids"], job["ended"]) == (number, "addContacts", 1, False)
    path = f"/postgrid/lists/{number}/finish"
    assert control.post(path, json={"errors": ["operational_error"]}).status_code == 200
    assert pg.get("mailing_lists", number)["errors"][0]["type"] == "operational_error"
    assert control.post(path).status_code == 400


def test_imports_are_planned_finished_and_lost(control, pg):
    assert control.post("/postgrid/imports/plan", json={"next": [{"hold": True}]}).json() == {"planned": 1}
    body = {"content": CSV, "mapping": MAPPING}
    number = control.post("/postgrid/imports", json=body).json()["id"]
    assert pg.get("mailing_list_imports", number)["status"] == "validating"
    assert control.post(f"/postgrid/imports/{number}/finish", json={}).status_code == 200
    assert pg.get("mailing_list_imports", number)["status"] == "completed"
    assert control.delete(f"/postgrid/imports/{number}/file").status_code == 200
    url = pg.get("mailing_list_imports", number)["file"]["url"]
    assert httpx.get(url, trust_env=False, verify=False).status_code == 404


def test_keys_addresses_and_files(sandbox, control, client_of):
    assert (
        control.post("/postgrid/keys", json={"key": "live_sk_b", "read_only": True, "seconds": 60}).status_code == 201
    )
    assert client_of("live_sk_b").get("/contacts").status_code == 200
    assert control.delete("/postgrid/keys/live_sk_b").status_code == 200
    assert control.delete("/postgrid/keys/live_sk_b").status_code == 404
    assert client_of("live_sk_b").get("/contacts").status_code == 401
    control.post("/postgrid/addresses", json={"1 Nowhere St": "failed"})
    row = client_of(sandbox.postgrid.live_key).post("/contacts", json=PERSON | {"addressLine1": "1 nowhere st"}).json()
    assert row["addressStatus"] == "failed"
    path = control.post("/postgrid/files", content=CSV, headers={"Content-Type": "text/csv"}).json()["path"]
    assert httpx.get(sandbox.url + path, trust_env=False, verify=False).text == CSV


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/keys", {"key": "sk_other"}),
        ("POST", "/keys", {"key": 5}),
        ("POST", "/keys", {"key": "test_a", "read_only": "yes"}),
        ("POST", "/addresses", {"1 Mill Lane": "lost"}),
        ("POST", "/contacts", {"firstName": "A"}),
        ("POST", "/contacts", [{"firstName": "A"}]),
        ("POST", "/contacts", [PERSON | {"list": "mailing_list_0"}]),
        ("POST", "/contacts", [PERSON | {"at": "now"}]),
        ("POST", "/lists", {}),
        ("POST", "/lists", {"description": "A", "metadata": 1}),
        ("POST", "/imports", {"content": CSV, "mapping": {"firstName": 1}}),
        ("POST", "/imports/plan", {"next": 1}),
        ("POST", "/jobs/plan", {"next": [{"end": "error"}]}),
        ("POST", "/imports/mailing_list_import_0/finish", {}),
        ("POST", "/lists/mailing_list_0/finish", {}),
        ("GET", "/lists/mailing_list_0/members", None),
        ("DELETE", "/imports/mailing_list_import_0/file", None),
    ],
)
def test_what_does_not_fit_is_named(control, method, path, body):
    answer = control.request(method, f"/postgrid{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.slow
def test_errors_to_finish_with_must_be_a_list(control, pg):
    number = pg.list()["id"]
    assert control.post(f"/postgrid/lists/{number}/finish", json={"errors": "x"}).status_code == 400


def test_the_rows_received_are_kept_by_route(sandbox, control, pg):
    contact, number = pg.contact(city="Leeds")["id"], pg.list()["id"]
    pg.contact(city="Leeds")
    pg.job(number, addContacts=[contact])
    imported = pg.upload()
    rows = control.get("/postgrid/received").json()
    assert rows[:3] == [
        {"route": "contacts", "live": False, "contact": contact, "new": True, "row": PERSON | {"city": "Leeds"}},
        {"route": "contacts", "live": False, "contact": contact, "new": False, "row": PERSON | {"city": "Leeds"}},
        {"route": "jobs", "live": False, "list": number, "action": "addContacts", "row": contact},
    ]
    assert [(row["import"], row["row"]["first"]) for row in rows[3:]] == [
        (imported.json()["id"], "Amara"), (imported.json()["id"], "Noor"),
    ]  # fmt: skip
    assert sandbox.counters.rows_received == {
        "POST /print-mail/v1/contacts": 2,
        "POST /print-mail/v1/mailing_lists/{id}/jobs": 1,
        "POST /print-mail/v1/mailing_list_imports": 2,
    }


def test_refused_rows_are_not_received(sandbox, pg):
    pg.client.post("/contacts", json=PERSON | {"countryCode": "FFF"})
    pg.job(pg.list()["id"], addContacts=[])
    assert sandbox.postgrid.received() == []


def test_a_file_that_is_no_csv_has_no_rows(sandbox, pg):
    pg.upload('"unfinished')
    pg.upload("")
    assert sandbox.postgrid.received() == []


def test_received_rows_need_not_be_kept(sandbox, pg):
    sandbox.postgrid.change(postgrid_keep_received=False)
    pg.contact()
    pg.job(pg.list()["id"], addContacts=["contact_0"])
    pg.upload()
    assert sandbox.postgrid.received() == []
    assert sum(sandbox.counters.rows_received.values()) == 4


def test_only_the_latest_rows_are_kept(sandbox, pg, monkeypatch):
    monkeypatch.setattr("mailing_sandbox.latest.CAP", 3)
    for name in ("A", "B", "C", "D"):
        pg.contact(firstName=name)
    assert [each["row"]["firstName"] for each in sandbox.postgrid.received()] == ["B", "C", "D"]


def test_calls_and_rows_served_are_counted(sandbox, pg):
    number = pg.contact()["id"]
    pg.get("contacts")
    pg.get("contacts", number)
    pg.client.get("/contacts", headers={"x-api-key": "test_sk_nope"})
    assert sandbox.counters.calls["GET /print-mail/v1/contacts"] == 2
    assert sandbox.counters.calls["GET /print-mail/v1/contacts/{id}"] == 1
    assert sandbox.counters.rows_served == {"contacts": 1}


def test_reset_forgets_data_not_keys_or_switches(sandbox, control, pg):
    sandbox.postgrid.add_key("test_sk_b")
    sandbox.postgrid.change(postgrid_test_row_cap=5)
    sandbox.postgrid.plan_jobs([{"hold": True}])
    number = pg.list()["id"]
    pg.imported()
    pg.job(number, addContacts=[pg.contact()["id"]])
    control.post("/reset")
    for resource in ("contacts", "mailing_lists", "mailing_list_imports"):
        assert pg.get(resource)["totalCount"] == 0
    assert (sandbox.postgrid.received(), sandbox.postgrid.jobs()) == ([], [])
    assert sandbox.postgrid.switches.postgrid_test_row_cap == 5
    assert pg.client.get("/contacts", headers={"x-api-key": "test_sk_b"}).status_code == 200
    assert pg.list()["id"] != number


# Invented data


def everything(seed):
    with Sandbox(contacts=120, seed=seed) as sandbox:
        postgrid = sandbox.postgrid
        headers = {"x-api-key": postgrid.test_key}
        with httpx.Client(
            base_url=f"{sandbox.url}/print-mail/v1", headers=headers, trust_env=False, verify=False
        ) as api:
            found = {}
            for resource in ("contacts", "mailing_lists", "mailing_list_imports"):
                pages = [api.get(f"/{resource}", params={"limit": 100, "skip": skip}).json() for skip in (0, 100)]
                found[resource] = pages[0]["data"] + pages[1]["data"]
    for row in found["mailing_list_imports"]:
        row.pop("reportURL", None)
        row["file"].pop("url")
    return found


def test_the_same_number_gives_the_same_data():
    assert everything(7) == everything(7)


def test_invented_data_is_of_every_sort():
    found = everything(1)
    contacts, lists, imports = found["contacts"], found["mailing_lists"], found["mailing_list_imports"]
    assert everything(2)["contacts"] != contacts
    assert len({row["id"] for row in contacts}) == 120
    assert {row["addressStatus"] for row in contacts} == {"verified", "failed", "corrected"}
    assert len({row["createdAt"] for row in contacts}) < 120
    assert any(row["updatedAt"] > row["createdAt"] for row in contacts)
    assert any("firstName" not in row for row in contacts)
    assert all(row["email"].endswith("@example.com") for row in contacts if "email" in row)
    assert {len(row["mailingLists"]) for row in contacts} >= {0, 1, 2}
    assert any(row["errors"] for row in lists)
    assert {row["status"] for row in imports} == {"completed", "changes_required", "validating"}
    assert [kind for row in imports for kind in ("errors", "notes") if row[kind]]


def test_there_is_a_limit_to_invented_contacts(sandbox):
    sandbox.postgrid.change(postgrid_seed_most=7)
    sandbox.postgrid.seed(50, 3)
    assert len(sandbox.postgrid.contacts()) == 7
    with pytest.raises(ValueError, match="seed 3 was used already"):
        sandbox.postgrid.seed(1, 3)
    sandbox.postgrid.change(postgrid_seed_most=0)
    sandbox.postgrid.seed(50, 4)
    assert len(sandbox.postgrid.contacts()) == 57
